import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import type { OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { i32, schema, string } from '../batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import type { KeyedProcessFunction } from '../operators/keyed-process.ts';
import { CachedBackend } from './cached-backend.ts';
import { aggregatingState, listState, mapState, reducingState, valueState } from './descriptors.ts';
import { heapBackend } from './heap-backend.ts';
import type { StateBackendFactory } from './keyed-state.ts';
import type { OperatorSnapshot } from './snapshot.ts';

const In = schema({ k: string(), op: i32(), v: i32() });
const Out = schema({ k: string(), says: string() });
type In = typeof In.fields;
type Out = typeof Out.fields;

interface InRow {
  readonly k: string;
  readonly op: number;
  readonly v: number;
  readonly time: number;
}

type Step =
  | { readonly kind: 'rows'; readonly rows: readonly InRow[]; readonly rising: boolean }
  | { readonly kind: 'watermark'; readonly by: number }
  | { readonly kind: 'advance'; readonly by: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

const MAX_PARALLELISM = 16;
const DEVICES = ['', 'a', 'bb', 'süd', '\ud800', 'device-4', 'device-5', 'device-6', 'device-7'];

/** Does with every kind of state what the row says, and tells what it finds. */
function everything(): KeyedProcessFunction<In, Out> {
  let last: ReturnType<typeof open>;
  const open = (ctx: Parameters<NonNullable<KeyedProcessFunction<In, Out>['open']>>[0]) => ({
    value: ctx.getState(valueState<number>('value')),
    list: ctx.getState(listState<number>('list')),
    map: ctx.getState(mapState<number, string>('map')),
    sum: ctx.getState(reducingState<number>('sum', (a, b) => a + b)),
    texts: ctx.getState(
      aggregatingState<number, string, number>('texts', {
        create: () => '',
        add: (acc, n) => acc + n,
        result: (acc) => acc.length,
      }),
    ),
  });
  return {
    open: (ctx) => {
      last = open(ctx);
    },
    processElement: (row, ctx, out) => {
      const { value, list, map, sum, texts } = last;
      const { k, op, v } = row;
      sum.add(v);
      if (op === 0) value.update(v);
      else if (op === 1) out.collect({ k, says: `${value.value()} ${sum.get()} ${texts.get()}` });
      else if (op === 2) list.add(v);
      else if (op === 3) out.collect({ k, says: `[${list.get()}]` });
      else if (op === 4) map.put(v % 3, `v${v}`);
      else if (op === 5) {
        out.collect({ k, says: JSON.stringify([...map.entries()]) });
        map.remove(v % 3);
      } else if (op === 6) ctx.timerService.registerEventTimeTimer((ctx.timestamp as number) + v);
      else if (op === 7) ctx.timerService.registerProcessingTimeTimer(ctx.currentProcessingTime + v);
      else if (op === 8) for (const state of [value, list, map, sum, texts]) state.clear();
      else texts.add(v);
    },
    onTimer: (time, ctx, out) => {
      const k = String(ctx.currentKey);
      out.collect({ k, says: `${ctx.timeDomain} ${time}: ${last.sum.get()} ${last.list.get().length}` });
      if (time % 2 === 0) last.sum.clear();
      if (time % 5 === 0) ctx.timerService.registerEventTimeTimer(time + 3);
    },
  };
}

/** What one key remembers, as plainly as can be. */
interface Remembered {
  value: number | null;
  list: number[];
  map: Map<number, string>;
  sum: number | null;
  texts: string | null;
  timers: Set<number>;
  clock: Set<number>;
}

/** One row at a time, one key at a time; what each key says, in order. */
function model(steps: readonly Step[]): Map<string, string[]> {
  const keys = new Map<string, Remembered>();
  const said = new Map<string, string[]>();
  let watermark = Number.NEGATIVE_INFINITY;
  let now = 0;
  const fresh = (): Omit<Remembered, 'timers' | 'clock'> => ({
    value: null,
    list: [],
    map: new Map(),
    sum: null,
    texts: null,
  });
  const say = (k: string, says: string): void => void said.set(k, [...(said.get(k) ?? []), says]);
  const run = (k: string, of: Remembered, timers: Set<number>, domain: string, until: number): void => {
    for (;;) {
      const due = [...timers].filter((t) => t <= until).sort((a, b) => a - b)[0];
      if (due === undefined) return;
      timers.delete(due);
      say(k, `${domain} ${due}: ${of.sum} ${of.list.length}`);
      if (due % 2 === 0) of.sum = null;
      if (due % 5 === 0) of.timers.add(due + 3);
    }
  };
  const rise = (to: number): void => {
    if (to <= watermark) return;
    watermark = to;
    for (const [k, of] of keys) run(k, of, of.timers, 'event', watermark);
  };
  for (const step of steps) {
    if (step.kind === 'watermark') rise(nextWatermark(watermark, step.by));
    if (step.kind === 'advance') {
      // Instant by instant, as the clock goes.
      for (const until = now + step.by; now < until; ) {
        now++;
        for (const [k, of] of keys) run(k, of, of.clock, 'processing', now);
      }
    }
    if (step.kind !== 'rows') continue;
    for (const { k, op, v, time } of step.rows) {
      if (step.rising) rise(time - 20);
      const of = keys.get(k) ?? { ...fresh(), timers: new Set<number>(), clock: new Set<number>() };
      keys.set(k, of);
      of.sum = (of.sum ?? 0) + v;
      if (op === 0) of.value = v;
      else if (op === 1) say(k, `${of.value} ${of.sum} ${of.texts?.length ?? null}`);
      else if (op === 2) of.list.push(v);
      else if (op === 3) say(k, `[${of.list}]`);
      else if (op === 4) of.map.set(v % 3, `v${v}`);
      else if (op === 5) {
        say(k, JSON.stringify([...of.map]));
        of.map.delete(v % 3);
      } else if (op === 6) of.timers.add(time + v);
      else if (op === 7) of.clock.add(now + v);
      else if (op === 8) Object.assign(of, fresh());
      else of.texts = (of.texts ?? '') + v;
    }
  }
  return said;
}

const placeOf = (k: string, parallelism: number): number =>
  subtaskOf(keyGroupOf(javaHash(k), MAX_PARALLELISM), parallelism, MAX_PARALLELISM);

const nextWatermark = (watermark: number, by: number): number =>
  watermark === Number.NEGATIVE_INFINITY ? by : watermark + by;

/** The same on the operator, cut into batches and subtasks; `answer` gives a store's answers, if they wait. */
async function run(
  steps: readonly Step[],
  seed: number,
  backend: () => { factory: StateBackendFactory; answer: () => boolean },
): Promise<Map<string, string[]>> {
  const random = new Random(seed);
  const said = new Map<string, string[]>();
  const clock = new ManualClock(0);
  let watermark = Number.NEGATIVE_INFINITY;
  let subtasks: { harness: OperatorHarness; answer: () => boolean }[] = [];
  const start = (parallelism: number, restore?: readonly OperatorSnapshot[]): void => {
    subtasks = Array.from({ length: parallelism }, (_, subtask) => {
      const { factory, answer } = backend();
      const harness = harnessOf(In, (rows) => rows.keyBy('k').process('all', { output: Out, create: everything }), {
        subtask,
        parallelism,
        maxParallelism: MAX_PARALLELISM,
        stateBackend: factory,
        clock: new ManualClock(clock.now()),
        ...(restore === undefined ? {} : { restore }),
      });
      return { harness, answer };
    });
  };
  const settle = (): void => {
    for (const { harness, answer } of subtasks) {
      while (harness.pending) {
        if (!answer()) throw new Error('It waits for nothing.');
        harness.resume();
      }
      for (const e of harness.emissions()) {
        if (e.kind === 'row') said.set(String(e.row.k), [...(said.get(String(e.row.k)) ?? []), String(e.row.says)]);
      }
    }
  };
  start(1 + random.below(3));
  for (const step of steps) {
    if (step.kind === 'watermark') {
      watermark = nextWatermark(watermark, step.by);
      for (const { harness } of subtasks) harness.watermark(watermark);
    } else if (step.kind === 'advance') {
      for (let ms = 0; ms < step.by; ms++) {
        for (const { harness } of subtasks) harness.advance(1);
        // As a task does: what was due when a timer had to wait for its key is looked at behind it.
        while (subtasks.some(({ harness }) => harness.pending)) {
          settle();
          for (const { harness } of subtasks) harness.advance(0);
        }
        settle();
      }
      clock.set(clock.now() + step.by);
    } else if (step.kind === 'restore') {
      const taking = subtasks.map(({ harness }) => harness.snapshotLater());
      for (const { answer } of subtasks) while (answer());
      start(step.parallelism, await Promise.all(taking));
    } else {
      const { rows: all, rising } = step;
      let risen = watermark;
      const met = all.map((r) => {
        if (rising) risen = Math.max(risen, r.time - 20);
        return { ...r, watermark: risen };
      });
      for (const [subtask, { harness }] of subtasks.entries()) {
        const mine = met.filter(({ k }) => placeOf(k, subtasks.length) === subtask);
        for (let at = 0; at < mine.length; ) {
          const to = at + 1 + random.below(4);
          const rows = mine.slice(at, to);
          harness.rows(
            rows.map(({ k, op, v }) => ({ k, op, v })),
            { times: rows.map((r) => r.time), ...(rising ? { watermarks: rows.map((r) => r.watermark) } : {}) },
          );
          settle();
          at = to;
        }
      }
      // Behind a batch the watermark is told again, as gates do.
      if (risen > watermark) for (const { harness } of subtasks) harness.watermark(risen);
      watermark = risen;
    }
    settle();
  }
  return said;
}

const row = fc.record({
  k: fc.constantFrom(...DEVICES),
  op: fc.integer({ min: 0, max: 9 }),
  v: fc.integer({ min: 0, max: 30 }),
  time: fc.integer({ min: 0, max: 100 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('rows' as const),
      rows: fc.array(row, { maxLength: 12 }),
      rising: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.record({ kind: fc.constant('watermark' as const), by: fc.integer({ min: 1, max: 25 }) }),
      fc.record({ kind: fc.constant('advance' as const), by: fc.integer({ min: 1, max: 25 }) }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restore' as const), parallelism: fc.integer({ min: 1, max: 3 }) }),
  },
);
const program = fc.record({ steps: fc.array(step, { maxLength: 14 }), seed: fc.integer({ min: 1, max: 2 ** 31 }) });

const TWO_DUE_BEHIND_A_RESTORE: Step[] = [
  { kind: 'rows', rows: [1, 0].map((v) => ({ k: '', op: 7, v, time: 0 })), rising: false },
  { kind: 'restore', parallelism: 1 },
  { kind: 'advance', by: 1 },
];

const heap = () => ({ factory: heapBackend, answer: () => false });

describe('random programs of state and timers', () => {
  it('ST1 give what a plain model gives, cut into any batches, snapshot and restored at any parallelism', async () => {
    await fc.assert(
      fc.asyncProperty(program, async ({ steps, seed }) => {
        expect(await run(steps, seed, heap)).toEqual(model(steps));
      }),
      { numRuns: 1500 },
    );
  });

  it('ST2 give the same where records lie in a store, whatever stays in the cache and whenever the store answers', async () => {
    await fc.assert(
      fc.asyncProperty(program, async ({ steps, seed }) => {
        const random = new Random(seed);
        const stored = () => {
          const store = new MemoryStore(random.next() < 0.8 ? random : null);
          const cacheBytes = random.next() < 0.5 ? 0 : 1200;
          const bufferBytes = [0, 100, 2000][random.below(3)] as number;
          const factory: StateBackendFactory = (options) =>
            new CachedBackend({ ...options, store, cacheBytes, bufferBytes });
          return { factory, answer: () => store.answer() };
        };
        expect(await run(steps, seed, stored)).toEqual(model(steps));
      }),
      { numRuns: 1500, examples: Array.from({ length: 20 }, (_, i) => [{ steps: TWO_DUE_BEHIND_A_RESTORE, seed: i }]) },
    );
  });
});
