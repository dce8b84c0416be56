import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import type { OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { f64, schema, string, timestamp } from '../batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import { type DataStream, lateTag } from '../graph/data-stream.ts';
import { count, max, min, sum } from './aggregates.ts';
import {
  CumulativeEventTimeWindows,
  CumulativeProcessingTimeWindows,
  SlidingEventTimeWindows,
  SlidingProcessingTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
} from './assigners.ts';

const S = schema({ k: string(), v: f64(), seen: string() });
const Listed = schema({ k: string(), start: timestamp(), end: timestamp(), seen: string() });
const late = lateTag('late', S);

/** Windows as somebody would write them down: `kind size step offset`. */
interface Windows {
  readonly kind: 'tumbling' | 'sliding' | 'cumulating';
  readonly time: 'event' | 'processing';
  readonly size: number;
  readonly step: number;
  readonly offset: number;
}

type Contents = 'aggregate' | 'reduce' | 'process';

interface Row {
  readonly k: string;
  readonly v: number;
  readonly t: number;
}

/** Flink's window operator, one row at a time; windows are found by trying all that could hold an instant. */
class Model {
  /** What came out, by key. */
  readonly out = new Map<string, string[]>();
  readonly late = new Map<string, string[]>();
  watermark = Number.NEGATIVE_INFINITY;
  /** Of keys whose subtask was ahead of others. */
  readonly #ahead = new Map<string, number>();
  readonly #windows: Windows;
  readonly #contents: Contents;
  readonly #lateness: number;
  #open: { k: string; start: number; end: number; rows: Row[]; fired: boolean }[] = [];

  constructor(windows: Windows, contents: Contents, lateness: number) {
    this.#windows = windows;
    this.#contents = contents;
    this.#lateness = windows.time === 'event' ? lateness : 0;
  }

  row(row: Row): void {
    const watermark = this.watermarkOf(row.k);
    let skipped = true;
    for (const { start, end } of this.#assign(row.t)) {
      if (end - 1 + this.#lateness <= watermark) continue;
      skipped = false;
      let window = this.#open.find((w) => w.k === row.k && w.start === start && w.end === end);
      if (window === undefined) {
        window = { k: row.k, start, end, rows: [], fired: end - 1 <= watermark };
        this.#open.push(window);
      }
      window.rows.push(row);
      if (window.fired) this.#emit(window);
    }
    if (skipped && row.t + this.#lateness <= watermark) add(this.late, row.k, `${row.v}@${row.t} wm ${watermark}`);
  }

  watermarkOf(k: string): number {
    return Math.max(this.watermark, this.#ahead.get(k) ?? Number.NEGATIVE_INFINITY);
  }

  advance(watermark: number): void {
    this.watermark = Math.max(watermark, this.watermark);
    this.#fire();
  }

  /** One subtask gets ahead of the others: these are its keys. */
  advanceSome(keys: readonly string[], watermark: number): void {
    for (const k of keys) this.#ahead.set(k, Math.max(watermark, this.watermarkOf(k)));
    this.#fire();
  }

  /** Another parallelism, and this watermark for all: only what a key holds knows that it was ahead. */
  restore(watermark: number): void {
    this.watermark = watermark;
    for (const k of this.#ahead.keys()) if (!this.#open.some((w) => w.k === k)) this.#ahead.delete(k);
  }

  #fire(): void {
    this.#open.sort((a, b) => a.end - b.end);
    for (const window of this.#open) {
      if (window.fired || window.end - 1 > this.watermarkOf(window.k)) continue;
      window.fired = true;
      this.#emit(window);
    }
    this.#open = this.#open.filter((w) => w.end - 1 + this.#lateness > this.watermarkOf(w.k));
  }

  #assign(t: number): { start: number; end: number }[] {
    const { kind, size, step, offset } = this.#windows;
    const found: { start: number; end: number }[] = [];
    const every = kind === 'sliding' ? step : size;
    for (let n = Math.floor((t - offset - size) / every) - 1; n * every + offset <= t; n++) {
      const start = n * every + offset;
      for (let length = kind === 'cumulating' ? step : size; length <= size; length += step) {
        if (start <= t && t < start + length) found.push({ start, end: start + length });
        if (kind !== 'cumulating') break;
      }
    }
    return found.sort((a, b) => a.end - b.end);
  }

  #emit({ k, start, end, rows }: { k: string; start: number; end: number; rows: Row[] }): void {
    const values = rows.map((r) => r.v);
    if (this.#contents === 'aggregate') {
      const total = values.reduce((a, b) => a + b, 0);
      add(this.out, k, `[${start},${end}) ${values.length} ${total} ${Math.min(...values)} ${Math.max(...values)}`);
    } else if (this.#contents === 'process') {
      add(this.out, k, `[${start},${end}) ${values.join()}`);
    } else {
      // In the order of slices, within one in order of arrival.
      const slice = gcd(this.#windows.size, this.#windows.step);
      const at = (r: Row): number => Math.floor((r.t - this.#windows.offset) / slice);
      const inOrder = rows.map((r, i) => ({ r, i })).sort((a, b) => at(a.r) - at(b.r) || a.i - b.i);
      add(this.out, k, `@${end - 1} ${inOrder.map(({ r }) => r.v).join()}`);
    }
  }
}

const groupOf = (k: string): number => keyGroupOf(javaHash(k), 128);
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function add(log: Map<string, string[]>, k: string, text: string): void {
  const texts = log.get(k) ?? [];
  log.set(k, texts);
  texts.push(text);
}

function assigner({ kind, time, size, step, offset }: Windows) {
  const event = time === 'event';
  if (kind === 'tumbling') return (event ? TumblingEventTimeWindows : TumblingProcessingTimeWindows).of(size, offset);
  if (kind === 'sliding')
    return (event ? SlidingEventTimeWindows : SlidingProcessingTimeWindows).of(size, step, offset);
  return (event ? CumulativeEventTimeWindows : CumulativeProcessingTimeWindows).of(size, step, offset);
}

function job(windows: Windows, contents: Contents, lateness: number) {
  return (rows: DataStream<typeof S.fields>): unknown => {
    const windowed = rows.keyBy('k').window(assigner(windows)).allowedLateness(lateness).sideOutputLateData(late);
    switch (contents) {
      case 'aggregate':
        return windowed.aggregate({ n: count(), s: sum('v'), lo: min('v'), hi: max('v') });
      case 'reduce':
        return windowed.reduce((a, b) => ({ k: a.k, v: 0, seen: `${a.seen},${b.seen}` }));
      case 'process':
        return windowed.process(Listed, (k, { start, end }, all, out) =>
          out.collect({ k, start, end, seen: all.map((r) => r.v).join() }),
        );
    }
  };
}

interface Case {
  readonly seed: number;
  readonly windows: Windows;
  readonly contents: Contents;
  readonly lateness: number;
  readonly steps: number;
  readonly keys: number;
  /** How far rows are behind the latest one. */
  readonly disorder: number;
  readonly restores: boolean;
  readonly drip: boolean;
}

/** Runs the same random life through operators and model; what came out of each, by key. */
class Life {
  readonly out = new Map<string, string[]>();
  readonly late = new Map<string, string[]>();
  readonly model: Model;
  /** Ends of windows came in order wherever one watermark fired them. */
  ordered = true;
  readonly #case: Case;
  readonly #random: Random;
  readonly #build: (rows: DataStream<typeof S.fields>) => unknown;
  #subtasks: OperatorHarness[];
  /** Watermarks of subtasks that are ahead of others. */
  #ahead: number[] = [];
  #now = 0;
  #clock = 100;
  #value = 0;

  constructor(c: Case) {
    this.#case = c;
    this.#random = new Random(c.seed);
    this.#build = job(c.windows, c.contents, c.lateness);
    this.model = new Model(c.windows, c.contents, c.lateness);
    this.#subtasks = [harnessOf(S, this.#build, { clock: new ManualClock(this.#clock) })];
  }

  run(): void {
    const { steps, restores } = this.#case;
    for (let i = 0; i < steps; i++) {
      const what = this.#random.next();
      if (restores && what < 0.1) this.#restore();
      else if (what < 0.4) this.#advance();
      else this.#rows();
    }
    this.model.advance(Number.POSITIVE_INFINITY);
    for (const h of this.#subtasks) this.#call(h, () => h.watermark(Number.POSITIVE_INFINITY));
    for (const h of this.#subtasks) this.#call(h, () => h.end());
  }

  #rows(): void {
    const { keys, disorder, windows } = this.#case;
    const event = windows.time === 'event';
    const inBatch = event && this.#random.next() < 0.5;
    const byGroup = this.#subtasks.map((): { rows: Row[]; watermarks: number[] } => ({ rows: [], watermarks: [] }));
    const n = 1 + this.#random.below(this.#random.next() < 0.1 ? 60 : 6);
    if (!event) this.model.advance(this.#clock - 1);
    for (let i = 0; i < n; i++) {
      this.#now += this.#random.below(windows.step + 2);
      if (this.#random.next() < 0.005) this.#now += windows.size * 50;
      const t = event ? this.#now - this.#random.below(disorder + 1) : this.#clock;
      const row = { k: `k${this.#random.below(keys)}`, v: this.#value++, t };
      if (inBatch && this.#random.next() < 0.3) {
        const watermark = this.#now - this.#random.below(disorder + 1);
        if (watermark > this.model.watermark) this.model.advance(watermark);
      }
      this.model.row(row);
      const place = byGroup[subtaskOf(groupOf(row.k), this.#subtasks.length, 128)];
      place?.rows.push(row);
      place?.watermarks.push(this.model.watermark);
    }
    for (const [i, { rows, watermarks }] of byGroup.entries()) {
      const h = this.#subtasks[i] as OperatorHarness;
      const values = rows.map(({ k, v }) => ({ k, v, seen: String(v) }));
      const options = { times: rows.map((r) => r.t), ...(inBatch ? { watermarks } : {}) };
      this.#call(h, () => h.rows(values, options));
      if (inBatch) this.#call(h, () => h.watermark(this.model.watermark));
    }
  }

  #advance(): void {
    if (this.#case.windows.time === 'event') {
      const watermark = this.#now - this.#random.below(this.#case.disorder + 1);
      if (watermark <= this.model.watermark) return;
      this.model.advance(watermark);
      for (const h of this.#subtasks) this.#call(h, () => h.watermark(watermark), true);
    } else {
      const ms = this.#random.below(this.#case.windows.size);
      this.#clock += ms;
      this.model.advance(this.#clock - 1);
      for (const h of this.#subtasks) this.#call(h, () => h.advance(ms), true);
    }
  }

  /** Sometimes a barrier has overtaken the last watermarks of some subtasks. */
  #restore(): void {
    const { keys, disorder, windows } = this.#case;
    const before = this.#subtasks.length;
    if (windows.time === 'event' && this.#random.next() < 0.5) {
      for (const [i, h] of this.#subtasks.entries()) {
        const watermark = this.#now - this.#random.below(disorder + 1);
        if (this.#random.next() < 0.5 || watermark <= this.#watermarkOf(i)) continue;
        this.#ahead[i] = watermark;
        const all = Array.from({ length: keys }, (_, k) => `k${k}`);
        this.model.advanceSome(
          all.filter((k) => subtaskOf(groupOf(k), before, 128) === i),
          watermark,
        );
        this.#call(h, () => h.watermark(watermark), true);
      }
    }
    const restore = this.#subtasks.map((h) => h.snapshot());
    const parallelism = 1 + this.#random.below(3);
    if (parallelism !== before) {
      this.model.restore(Math.min(...this.#subtasks.map((_, i) => this.#watermarkOf(i))));
      this.#ahead = [];
    }
    this.#subtasks = Array.from({ length: parallelism }, (_, subtask) =>
      harnessOf(S, this.#build, { clock: new ManualClock(this.#clock), restore, subtask, parallelism }),
    );
  }

  #watermarkOf(subtask: number): number {
    return Math.max(this.model.watermark, this.#ahead[subtask] ?? Number.NEGATIVE_INFINITY);
  }

  #call(h: OperatorHarness, what: () => unknown, oneWatermark = false): void {
    const drip = this.#case.drip && this.#random.next() < 0.5;
    if (drip) h.credits(1);
    what();
    if (drip) h.drip();
    h.credits(Number.POSITIVE_INFINITY);
    let before = Number.NEGATIVE_INFINITY;
    for (const e of h.emissions()) {
      if (e.kind !== 'row') continue;
      const r = e.row as Record<string, number>;
      const k = String(r.k);
      if (e.output === 'late') {
        add(this.late, k, `${r.v}@${e.time} wm ${r.watermark}`);
        continue;
      }
      if (oneWatermark && (e.time ?? 0) < before) this.ordered = false;
      before = e.time ?? 0;
      const window = `[${r.window_start ?? r.start},${r.window_end ?? r.end})`;
      if (this.#case.contents === 'aggregate') add(this.out, k, `${window} ${r.n} ${r.s} ${r.lo} ${r.hi}`);
      else if (this.#case.contents === 'process') add(this.out, k, `${window} ${r.seen}`);
      else add(this.out, k, `@${e.time} ${r.seen}`);
    }
  }
}

const windows: fc.Arbitrary<Windows> = fc
  .record({
    kind: fc.constantFrom('tumbling' as const, 'sliding' as const, 'sliding' as const, 'cumulating' as const),
    time: fc.constantFrom('event' as const, 'event' as const, 'event' as const, 'processing' as const),
    a: fc.integer({ min: 1, max: 12 }),
    b: fc.integer({ min: 1, max: 12 }),
    unit: fc.constantFrom(1, 1, 10),
    o: fc.nat(),
  })
  .map(({ kind, time, a, b, unit, o }) => {
    const step = (kind === 'tumbling' ? a : b) * unit;
    const size = (kind === 'cumulating' ? a * b : a) * unit;
    return { kind, time, size, step, offset: o % (kind === 'sliding' ? step : size) };
  });

const lives = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  windows,
  lateness: fc.constantFrom(0, 0, 1, 7, 100, Number.POSITIVE_INFINITY),
  steps: fc.integer({ min: 1, max: 20 }),
  keys: fc.constantFrom(1, 2, 5),
  disorder: fc.constantFrom(0, 3, 20, 100),
  restores: fc.boolean(),
  drip: fc.boolean(),
});

describe('tumbling, sliding and cumulating windows against windows with contents of their own', () => {
  for (const [contents, numRuns] of [
    ['aggregate', 5000],
    ['reduce', 1500],
    ['process', 1500],
  ] as const) {
    it(`SL6 SL8 ${contents}: the same results and late rows per key, in order, whatever the windows, lateness, batches, credits, restores and parallelism, and wherever the watermark of each subtask was`, {
      timeout: 180_000,
    }, () => {
      let results = 0;
      let lateSeen = 0;
      fc.assert(
        fc.property(lives, (c) => {
          const life = new Life({ ...c, contents });
          life.run();
          expect(life.out).toEqual(life.model.out);
          expect(life.late).toEqual(life.model.late);
          expect(life.ordered).toBe(true);
          for (const texts of life.out.values()) results += texts.length;
          for (const texts of life.late.values()) lateSeen += texts.length;
        }),
        { numRuns },
      );
      // That there was something to see at all: some 100 results a run.
      expect([results > numRuns * 20, lateSeen > numRuns / 2]).toEqual([true, true]);
    });
  }
});
