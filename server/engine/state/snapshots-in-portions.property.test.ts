/** A snapshot shows one moment, whatever happens while it is written. */

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import type { OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { f64, i32, schema, string } from '../batch/schema.ts';
import type { DataStream, KeyedStream } from '../graph/data-stream.ts';
import type { KeyedProcessFunction } from '../operators/keyed-process.ts';
import { count, max, sum } from '../window/aggregates.ts';
import { SlidingEventTimeWindows, TumblingEventTimeWindows } from '../window/assigners.ts';
import { EventTimeSessionWindows } from '../window/session-windows.ts';
import { CachedBackend } from './cached-backend.ts';
import { aggregatingState, listState, mapState, reducingState, valueState } from './descriptors.ts';
import { heapBackend } from './heap-backend.ts';
import { giveUp, inPortions, type KeyedBlock, type KeyedBlocks } from './keyed-blocks.ts';
import type { StateBackendFactory, ValueState } from './keyed-state.ts';
import { PORTION } from './portions.ts';
import type { RecordList } from './record-list.ts';
import type { StoreView } from './record-store.ts';
import type { OperatorSnapshot, TakenSnapshot } from './snapshot.ts';
import { timeToLive } from './ttl.ts';

const Row = schema({ k: string(), n: i32(), v: f64() });
const Said = schema({ k: string(), v: f64() });
type Row = typeof Row.fields;
type Said = typeof Said.fields;
type Keyed = KeyedStream<Row, 'k'>;

/** Enough for some portions. */
const KEYS = PORTION + 300;
const TTL_MS = 50;
const WINDOW_MS = 100;

/** Changes what it finds, in place too, as functions may. */
function remembering(): KeyedProcessFunction<Row, Said> {
  type Open = Parameters<NonNullable<KeyedProcessFunction<Row, Said>['open']>>[0];
  const stated = (ctx: Open) => ({
    value: ctx.getState(valueState<{ v: number }>('value')),
    list: ctx.getState(listState<number>('list')),
    map: ctx.getState(mapState<number, number>('map', { ttl: timeToLive(TTL_MS, { fullSnapshot: true }) })),
    total: ctx.getState(
      reducingState<number>('total', (a, b) => a + b, {
        ttl: timeToLive(TTL_MS, { fullSnapshot: true, incremental: { entries: 3, everyRecord: true } }),
      }),
    ),
    inPlace: ctx.getState(
      aggregatingState<number, { n: number }, number>('in-place', {
        create: () => ({ n: 0 }),
        add: (acc, v) => {
          acc.n += v;
          return acc;
        },
        result: (acc) => acc.n,
      }),
    ),
  });
  let states: ReturnType<typeof stated>;
  return {
    open: (ctx) => {
      states = stated(ctx);
    },
    processElement: ({ v }, ctx) => {
      const value = states.value.value() ?? { v: 0 };
      value.v += v;
      if (v % 4 === 0) {
        for (const state of Object.values(states)) state.clear();
        return;
      }
      states.value.update(value);
      states.list.add(v);
      states.map.put(v % 3, v);
      states.total.add(v);
      states.inPlace.add(v);
      const time = ctx.timestamp as number;
      if (v % 3 === 0) ctx.timerService.registerEventTimeTimer(time + v);
      if (v % 7 === 0) ctx.timerService.registerProcessingTimeTimer(ctx.currentProcessingTime + v);
      if (v % 5 === 0) ctx.timerService.deleteEventTimeTimer(time + v);
    },
    onTimer: (time) => {
      if (time % 2 === 0) states.total.add(1);
      if (time % 3 === 0) states.list.clear();
    },
  };
}

const tumbling = TumblingEventTimeWindows.of(WINDOW_MS);

const OPERATORS: Record<string, (keyed: Keyed) => unknown> = {
  'a function with states and timers': (keyed) => keyed.process('watch', { output: Said, create: remembering }),
  'tumbling windows with aggregates': (keyed) =>
    keyed.window(tumbling).aggregate({ s: sum('v'), m: max('v'), c: count() }),
  'sliding windows with aggregates': (keyed) =>
    keyed
      .window(SlidingEventTimeWindows.of(WINDOW_MS, WINDOW_MS / 4))
      .allowedLateness(60)
      .aggregate({ s: sum('v') }),
  'tumbling windows that reduce': (keyed) =>
    keyed.window(tumbling).reduce((soFar, next) => Object.assign(soFar, { v: soFar.v + next.v })),
  'sessions with aggregates': (keyed) =>
    keyed
      .window(EventTimeSessionWindows.withGap(WINDOW_MS))
      .allowedLateness(60)
      .aggregate({ s: sum('v') }),
};

describe.each(Object.entries(OPERATORS))('%s', (_name, build) => {
  it.each(['k', 'n'] as const)('ST3 is written as of one moment, whatever comes meanwhile, keyed by %s', (key) => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 3 }), (seed, cuts) => {
        const [at, later] = [0, 1].map(() => new Machine(seed, (rows) => build(rows.keyBy(key) as Keyed))) as [
          Machine,
          Machine,
        ];
        const taken: { whole: OperatorSnapshot; later: TakenSnapshot; blocks: KeyedBlock[] }[] = [];
        const go = ({ later, blocks }: (typeof taken)[0], steps = Number.POSITIVE_INFINITY): void => {
          for (let n = 0; n < steps; n++) {
            const { done, value } = (later.keyed as KeyedBlocks).next();
            if (done === true) return;
            if (Array.isArray(value)) blocks.push(value as KeyedBlock);
          }
        };
        for (const machine of [at, later]) machine.fill();
        for (let i = 0; i < cuts; i++) {
          taken.push({ whole: at.harness.snapshot(), later: later.harness.takeSnapshot(), blocks: [] });
          for (let step = 0; step < 6; step++) {
            for (const machine of [at, later]) machine.step();
            if (step % 3 < 2) continue;
            // Those before this one may not be through yet.
            go(taken[(step >> 1) % taken.length] as (typeof taken)[0], 1);
          }
        }
        giveUp(taken.shift()?.later.keyed as KeyedBlocks);
        for (const one of taken) {
          go(one);
          const { keyed: _, written: __, ...own } = one.later;
          expect(bytesOf({ ...own, keyed: one.blocks })).toEqual(bytesOf(one.whole));
        }
        expect(bytesOf(later.harness.snapshot())).toEqual(bytesOf(at.harness.snapshot()));
      }),
      { seed: 5, numRuns: 6 },
    );
  });
});

describe('state whose records lie in a store', () => {
  // The same steps, on the heap and with hardly anything in the cache: what is there at the moment lies in the cache, on its way, and in the store.
  it('ST10 is written block by block as of one moment, bit by bit as on the heap, while records change, go and are written', async () => {
    const watching = OPERATORS['a function with states and timers'] as (keyed: Keyed) => unknown;
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 3 }), async (seed, cuts) => {
        const store = new LaggingStore();
        const stateBackend: StateBackendFactory = (options) =>
          new CachedBackend({ ...options, store, bufferBytes: 200_000, cacheBytes: 60_000 });
        const heap = new Machine(seed, (rows) => watching(rows.keyBy('k') as Keyed));
        const level = new Machine(seed, (rows) => watching(rows.keyBy('k') as Keyed), stateBackend);
        const taken: { whole: OperatorSnapshot; later: TakenSnapshot; blocks: KeyedBlock[] }[] = [];
        const go = async ({ later, blocks }: (typeof taken)[0], steps = Number.POSITIVE_INFINITY): Promise<void> => {
          for (let n = 0; n < steps; n++) {
            const { done, value } = (later.keyed as KeyedBlocks).next();
            if (done === true) return;
            if (value instanceof Promise) await value;
            else if (value !== undefined) blocks.push(value);
          }
        };
        for (const machine of [heap, level]) machine.fill();
        for (let i = 0; i < cuts; i++) {
          taken.push({ whole: heap.harness.snapshot(), later: level.harness.takeSnapshot(), blocks: [] });
          for (let step = 0; step < 6; step++) {
            for (const machine of [heap, level]) machine.step();
            if (step % 2 === 0) store.catchUp();
            if (step % 3 === 2) await go(taken[(step >> 1) % taken.length] as (typeof taken)[0], 2);
          }
        }
        giveUp(taken.shift()?.later.keyed as KeyedBlocks);
        for (const one of taken) {
          await go(one);
          const { keyed: _, written: __, ...own } = one.later;
          expect(bytesOf({ ...own, keyed: one.blocks })).toEqual(bytesOf(one.whole));
        }
        store.catchUp();
        expect(bytesOf(await level.harness.snapshotLater())).toEqual(bytesOf(heap.harness.snapshot()));
        expect(store.views).toBe(0);
      }),
      { seed: 5, numRuns: 8 },
    );
  });

  it('ST10 comes in blocks of about a megabyte, each readable by itself, and is never all in memory', async () => {
    const store = new LaggingStore();
    const level: StateBackendFactory = (options) =>
      new CachedBackend({ ...options, store, bufferBytes: 200_000, cacheBytes: 60_000 });
    const text = 'x'.repeat(4000);
    const keep = (stateBackend: StateBackendFactory, restore: readonly OperatorSnapshot[] = []) => {
      let kept: ValueState<string>;
      const create = (): KeyedProcessFunction<Row, Said> => ({
        open: (ctx) => {
          kept = ctx.getState(valueState<string>('kept'));
        },
        processElement: ({ k, v }, _ctx, out) => {
          if (v > 0) kept.update(`${k} ${text}`);
          else out.collect({ k, v: kept.value() === `${k} ${text}` ? 1 : 0 });
        },
      });
      const options = { maxParallelism: 2, stateBackend, restore };
      return harnessOf(Row, (rows) => rows.keyBy('k').process('keep', { output: Said, create }), options);
    };
    const harness = keep(level);
    const rows = (from: number, v: number) => Array.from({ length: 100 }, (_, i) => ({ k: `k${from + i}`, n: 0, v }));
    for (let from = 0; from < 3000; from += 100) {
      harness.rows(rows(from, 1));
      store.catchUp();
    }
    const blocks: KeyedBlock[] = [];
    let most = 0;
    for await (const block of inPortions(harness.takeSnapshot().keyed, async () => {})) {
      blocks.push(block);
      most = Math.max(most, block[1].length);
    }
    expect(blocks.length).toBeGreaterThan(9);
    expect(most).toBeLessThan(1.1e6);
    const again = keep(heapBackend, [{ watermark: 0, operator: {}, keyed: blocks.reverse() }]);
    const found: unknown[] = [];
    for (let from = 0; from < 3000; from += 100) found.push(...again.rows(rows(from, 0)).emissions());
    const said = found.flatMap((one) => ((one as { kind: string }).kind === 'row' ? [(one as { row: Said }).row] : []));
    expect([said.length, said.every((row) => (row as unknown as { v: number }).v === 1)]).toEqual([3000, true]);
  });
});

/** Reads at once; what is written waits until it is asked to catch up, as it does on its way to a disk. */
class LaggingStore extends MemoryStore {
  readonly #waiting: (() => void)[] = [];
  /** Not closed yet. */
  views = 0;

  override write(changes: RecordList, entries: Int32Array | null, done: () => void): void {
    this.#waiting.push(() => super.write(changes, entries, done));
    // The first one only asks whether the store is there.
    if (changes.count === 0) this.catchUp();
  }

  catchUp(): void {
    for (const write of this.#waiting.splice(0)) write();
  }

  override view(): StoreView {
    this.views++;
    const view = super.view();
    let open = true;
    const close = (): void => {
      if (open) this.views--;
      open = false;
      view.close();
    };
    return { next: (limit) => view.next(Math.min(limit, 100)), close };
  }
}

/** Short enough to be compared; in no order, which follows from ids, and those from what is held when ids are swept. */
function bytesOf({ keyed, ...rest }: OperatorSnapshot): unknown {
  return {
    ...rest,
    keyed: [...keyed]
      .sort(([a], [b]) => a - b)
      .map(([group, bytes]) => [group, bytes.length, crc32(bytes.slice().sort())]),
  };
}

/** An operator and what happens to it, drawn from a seed. */
class Machine {
  readonly harness: OperatorHarness;
  readonly #random: Random;
  readonly #clock = new ManualClock(0);
  #time = 0;
  #watermark = -1000;

  constructor(seed: number, build: (rows: DataStream<Row>) => unknown, stateBackend = heapBackend) {
    this.#random = new Random(seed);
    this.harness = harnessOf(Row, build, { clock: this.#clock, maxParallelism: 8, stateBackend });
  }

  /** Every key once. */
  fill(): void {
    for (let first = 0; first < KEYS; first += 512) {
      this.#rows(Array.from({ length: Math.min(512, KEYS - first) }, (_, i) => first + i));
    }
  }

  step(): void {
    const random = this.#random;
    const what = random.below(6);
    if (what < 3) {
      // Some keys are new, and take what others have left.
      this.#rows(Array.from({ length: 1 + random.below(200) }, () => random.below(KEYS + 200)));
    } else if (what === 3) {
      this.#time += random.below(2 * WINDOW_MS);
      this.#watermark = Math.max(this.#watermark, this.#time - random.below(80));
      this.harness.watermark(this.#watermark).sweep();
    } else if (what === 4) {
      this.harness.advance(random.below(TTL_MS));
    } else {
      this.harness.sweep();
    }
    this.harness.take();
  }

  #rows(keys: readonly number[]): void {
    const random = this.#random;
    this.harness.rows(
      keys.map((n) => ({ k: `device-${n}`, n, v: random.below(40) })),
      { times: keys.map(() => this.#time + random.below(40)) },
    );
  }
}
