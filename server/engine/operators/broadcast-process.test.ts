import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { BACKENDS } from '#testing/backends.ts';
import type { HarnessOptions } from '#testing/harness.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { type PairHarness, pairHarnessOf } from '#testing/pair-harness.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import { CachedBackend } from '../state/cached-backend.ts';
import type { StateDescriptor } from '../state/descriptors.ts';
import { mapState, valueState } from '../state/descriptors.ts';
import type { ValueState } from '../state/keyed-state.ts';
import { timeToLive } from '../state/ttl.ts';
import type { KeyedBroadcastProcessFunction } from './broadcast-process.ts';

const A = schema({ k: string(), v: f64() });
const Rule = schema({ name: string(), limit: f64() });
const Out = schema({ k: string(), says: string() });
type Fn = KeyedBroadcastProcessFunction<typeof A.fields, typeof Rule.fields, typeof Out.fields>;
type Settings = Pick<HarnessOptions, 'subtask' | 'parallelism' | 'restore' | 'stateBackend'>;

const limits = mapState<string, number>('limits');
const peak = valueState<number>('peak', { default: 0 });

/** Keeps the highest value of a key, and tells which limits it is above; a negative limit drops the rule and caps what is kept at `-limit`. */
class Watching implements Fn {
  #peak!: ValueState<number, number>;

  open(ctx: Parameters<NonNullable<Fn['open']>>[0]): void {
    this.#peak = ctx.getState(peak);
  }

  processElement(...[row, ctx, out]: Parameters<Fn['processElement']>): void {
    this.#peak.update(Math.max(row.v, this.#peak.value()));
    const above = [...ctx.getBroadcastState(limits).entries()].filter(([, limit]) => row.v > limit);
    out.collect({ k: row.k, says: `${this.#peak.value()} above ${above.map(([name]) => name).join('+')}` });
    if (row.v === 7) ctx.timerService.registerEventTimeTimer(100);
  }

  processBroadcastElement(...[rule, ctx, out]: Parameters<Fn['processBroadcastElement']>): void {
    const state = ctx.getBroadcastState(limits);
    if (rule.limit >= 0) {
      state.put(rule.name, rule.limit);
      return;
    }
    state.remove(rule.name);
    const seen: string[] = [];
    ctx.applyToKeyedState(peak, (key, kept) => {
      seen.push(`${key}`);
      kept.update(Math.min(kept.value(), -rule.limit));
      if (seen.length === 3) out.collect({ k: '*', says: `capped ${seen.join('')}` });
    });
  }

  onTimer(...[time, ctx, out]: Parameters<NonNullable<Fn['onTimer']>>): void {
    out.collect({ k: `${ctx.currentKey}`, says: `${time}: ${[...ctx.getBroadcastState(limits).keys()].join('+')}` });
  }
}

const watching = (settings: Settings = {}, create: () => Fn = () => new Watching()): PairHarness =>
  pairHarnessOf(
    A,
    Rule,
    (a, rules) => a.keyBy('k').connect(rules.broadcast(limits)).process('watch', { output: Out, create }),
    settings,
  );
const rows = (h: PairHarness, ...all: [k: string, v: number][]): void =>
  h.first.rows(
    all.map(([k, v]) => ({ k, v })),
    { times: all.map(() => 5) },
  );
const rules = (h: PairHarness, ...all: [name: string, limit: number][]): void =>
  h.second.rows(all.map(([name, limit]) => ({ name, limit })));
const says = (h: PairHarness): string[] =>
  h.emissions().flatMap((e) => (e.kind === 'row' ? [`${e.row.k}: ${e.row.says}`] : []));

describe.each(BACKENDS)('the broadcast state pattern on %s', (_name, stateBackend) => {
  it('BC1 broadcast rows change what rows and timers of the other stream read', () => {
    const h = watching({ stateBackend });
    rows(h, ['a', 4]);
    rules(h, ['low', 3], ['high', 6]);
    rows(h, ['a', 5], ['b', 7]);
    rules(h, ['low', 10]);
    rows(h, ['a', 7]);
    h.first.watermark(200);
    expect(says(h)).toEqual(['a: 4 above ', 'a: 5 above low', 'b: 7 above low+high', 'a: 7 above high']);
    h.second.watermark(150);
    expect(says(h).sort()).toEqual(['a: 100: low+high', 'b: 100: low+high']);
  });

  it('BC4 every subtask takes one copy of the state, at any parallelism', async () => {
    const two = [0, 1].map((subtask) => watching({ subtask, parallelism: 2, stateBackend }));
    for (const h of two) rules(h, ['low', 3], ['high', 6]);
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const of = (k: string, parallelism: number): number => subtaskOf(keyGroupOf(javaHash(k), 128), parallelism, 128);
    for (const k of keys) rows(two[of(k, 2)] as PairHarness, [k, 9]);
    const restore = await Promise.all(two.map((h) => h.snapshotLater()));
    const three = [0, 1, 2].map((subtask) => watching({ subtask, parallelism: 3, restore, stateBackend }));
    for (const k of keys) {
      const h = three[of(k, 3)] as PairHarness;
      rows(h, [k, 5]);
      expect(says(h)).toEqual([`${k}: 9 above low`]);
    }
    const one = watching({ restore: await Promise.all(three.map((h) => h.snapshotLater())), stateBackend });
    rows(one, ['k1', 8]);
    expect(says(one)).toEqual(['k1: 9 above low+high']);
  });
});

describe('the broadcast state pattern', () => {
  it('BC2 only broadcast rows may change the state', () => {
    const h = watching({}, () => ({
      processElement: (_row, ctx) => {
        // What the types refuse, too.
        (ctx.getBroadcastState(limits) as unknown as Map<string, number>).clear();
      },
      processBroadcastElement: () => {},
    }));
    expect(() => rows(h, ['a', 1])).toThrow(
      'watch: broadcast state "limits" can only be changed in processBroadcastElement.',
    );
  });

  it('BC3 something is done to the state of all keys that have it, behind the row and before the next one', () => {
    const h = watching();
    rows(h, ['b', 9], ['a', 2], ['c', 8]);
    says(h);
    rules(h, ['low', -5], ['x', 1]);
    expect(says(h)).toEqual(['*: capped abc']);
    rows(h, ['a', 0], ['b', 0], ['c', 6], ['d', 3]);
    expect(says(h)).toEqual(['a: 2 above ', 'b: 5 above ', 'c: 6 above x', 'd: 3 above x']);
  });

  it('BC3 also where records lie in a store that answers later', async () => {
    const store = new MemoryStore(new Random(7));
    const h = watching({
      stateBackend: (options) => new CachedBackend({ ...options, store, bufferBytes: 0, cacheBytes: 1000 }),
    });
    const settle = async (): Promise<void> => {
      for (let i = 0; h.pending; i++) {
        expect(i).toBeLessThan(10_000);
        store.answer();
        await Promise.resolve();
        h.resume();
      }
    };
    const keys = Array.from({ length: 2000 }, (_, i) => `k${i}`);
    for (const k of keys) {
      rows(h, [k, 9]);
      await settle();
    }
    rules(h, ['low', -5], ['high', 4]);
    await settle();
    says(h);
    for (const k of keys) {
      rows(h, [k, 1]);
      await settle();
    }
    expect(says(h)).toEqual(keys.map((k) => `${k}: 5 above `));
  });

  it('BC5 states that cannot be broadcast are refused, and so are undeclared ones', () => {
    const build = (...states: StateDescriptor[]) =>
      pairHarnessOf(A, Rule, (a, r) =>
        a
          .keyBy('k')
          .connect(r.broadcast(...states))
          .process('watch', { output: Out, create: () => new Watching() }),
      );
    expect(() => build(peak)).toThrow('watch: broadcast state "peak" must be a map state without a time to live.');
    expect(() => build(mapState('m', { ttl: timeToLive(5) }))).toThrow('without a time to live');
    expect(() => build(limits, limits)).toThrow('two broadcast states are called "limits"');
    const h = build(mapState('others'));
    expect(() => rules(h, ['low', 3])).toThrow('watch: broadcast state "limits" was not declared');
  });

  it('BC4 state of an older version is migrated or refused', () => {
    const before = watching();
    rules(before, ['low', 3]);
    const restore = [before.snapshot()];
    const with2 = (migrate?: (stored: unknown) => number): PairHarness => {
      const second = mapState<string, number>('limits', { version: 2, ...(migrate === undefined ? {} : { migrate }) });
      return pairHarnessOf(
        A,
        Rule,
        (a, r) =>
          a
            .keyBy('k')
            .connect(r.broadcast(second))
            .process('watch', { output: Out, create: () => new Watching() }),
        { restore },
      );
    };
    const after = with2((limit) => Number(limit) * 2);
    rows(after, ['a', 5], ['a', 6.5]);
    expect(says(after)).toEqual(['a: 5 above ', 'a: 6.5 above low']);
    expect(() => with2()).toThrow(/"limits".*version 1.*version 2/);
  });

  it('BC6 works without keys', () => {
    const h = pairHarnessOf(A, Rule, (a, r) =>
      a.connect(r.broadcast(limits)).process('filter', {
        output: A,
        create: () => ({
          processElement: (row, ctx, out) => {
            if (row.v > (ctx.getBroadcastState(limits).get(row.k) ?? 0)) out.forward();
          },
          processBroadcastElement: (rule, ctx) => ctx.getBroadcastState(limits).put(rule.name, rule.limit),
        }),
      }),
    );
    rows(h, ['a', 1], ['b', -1]);
    rules(h, ['a', 3]);
    rows(h, ['a', 2], ['a', 4]);
    expect(h.take()).toEqual(['{"k":"a","v":1} @5', '{"k":"a","v":4} @5']);
  });
});
