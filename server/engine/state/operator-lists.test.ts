import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CollectSink } from '#testing/collect.ts';
import { OperatorHarness } from '#testing/harness.ts';
import { harnessOf, operatorOf } from '#testing/harness-of.ts';
import { pairHarnessOf } from '#testing/pair-harness.ts';
import { f64, schema, string } from '../batch/schema.ts';
import type { Sink } from '../io/sink.ts';
import type { Operator } from '../operators/operator.ts';
import type { OpenContext, StatefulFunction } from '../operators/process.ts';
import { SinkOperator } from '../operators/sink.ts';
import { listState, mapState, valueState } from './descriptors.ts';
import type { ListState } from './keyed-state.ts';
import type { OperatorSnapshot } from './snapshot.ts';
import { timeToLive } from './ttl.ts';

const Word = schema({ k: string() });
type Word = typeof Word.fields;
type Place = {
  readonly subtask?: number;
  readonly parallelism?: number;
  readonly restore?: readonly OperatorSnapshot[];
};

/** Adds words to two lists, and shows at `?` what is in them. */
class Words implements StatefulFunction<Word, Word> {
  #mine!: ListState<string>;
  #all!: ListState<string>;

  open(ctx: OpenContext): void {
    this.#mine = ctx.getListState(listState<string>('mine'));
    this.#all = ctx.getUnionListState(listState<string>('all'));
  }

  processElement: StatefulFunction<Word, Word>['processElement'] = ({ k }, _ctx, out) => {
    if (k === '?') out.collect({ k: `${this.#mine.get()} | ${this.#all.get()}` });
    else if (k.startsWith('all ')) this.#all.add(k.slice(4));
    else this.#mine.add(k);
  };
}

const words = (place: Place = {}, create: () => StatefulFunction<Word, Word> = () => new Words()): OperatorHarness =>
  harnessOf(Word, (rows) => rows.process('words', { output: Word, create }), place);
const hear = (h: OperatorHarness, ...heard: string[]): OperatorHarness => h.rows(heard.map((k) => ({ k })));
const shown = (h: OperatorHarness): unknown =>
  hear(h, '?')
    .emissions()
    .flatMap((e) => (e.kind === 'row' ? [e.row.k] : []))[0];
const at = (parallelism: number, restore: readonly OperatorSnapshot[]): OperatorHarness[] =>
  Array.from({ length: parallelism }, (_, subtask) => words({ subtask, parallelism, restore }));
const saved = (harnesses: readonly OperatorHarness[]): OperatorSnapshot[] => harnesses.map((h) => h.snapshot());

describe('state of operators without keys', () => {
  it('OS1 a function object is opened before its first row, told who it is, and closed', () => {
    const calls: string[] = [];
    const create = (): StatefulFunction<Word, Word> => ({
      open: ({ subtask, parallelism }) => calls.push(`open ${subtask}/${parallelism}`),
      processElement: ({ k }) => calls.push(k),
      close: () => calls.push('close'),
    });
    const made = operatorOf(Word, (rows) => rows.process('words', { output: Word, create })).create?.();
    const operator = made as Operator;
    const h = new OperatorHarness(operator, { input: Word, output: Word, subtask: 1, parallelism: 3 });
    expect(calls).toEqual(['open 1/3']);
    hear(h, 'a').end();
    operator.close();
    expect(calls).toEqual(['open 1/3', 'a', 'close']);
  });

  it('OS2 every subtask sees its own list, and gets it back at the same parallelism', () => {
    const [a, b] = at(2, []) as [OperatorHarness, OperatorHarness];
    hear(a, 'x', 'y');
    hear(b, 'z');
    expect([shown(a), shown(b)]).toEqual(['x,y | ', 'z | ']);
    expect(at(2, saved([a, b])).map(shown)).toEqual(['x,y | ', 'z | ']);
  });

  it('OS3 at another parallelism items are dealt in runs, one more for the first, going on behind it with the next name', () => {
    const two = at(2, []);
    hear(two[0] as OperatorHarness, 'a', 'b', 'c', 'd', 'e');
    hear(two[1] as OperatorHarness, 'f', 'g');
    expect(at(3, saved(two)).map(shown)).toEqual(['a,b,c | ', 'd,e | ', 'f,g | ']);
    expect(at(1, saved(two)).map(shown)).toEqual(['a,b,c,d,e,f,g | ']);
    const names = ['l1', 'l2', 'l3'].map((name) => listState<string>(name));
    const one = words({}, () => new Named(names));
    hear(one, 'x', 'y');
    const three = [0, 1, 2].map((subtask) =>
      words({ subtask, parallelism: 3, restore: saved([one]) }, () => new Named(names)),
    );
    expect(three.map(shown)).toEqual(['x y ', 'y  x', ' x y']);
  });

  it('OS4 a union list comes to every subtask as a whole, in the order of subtasks, at any parallelism', () => {
    const two = at(2, []);
    hear(two[0] as OperatorHarness, 'all a', 'all b');
    hear(two[1] as OperatorHarness, 'all c');
    for (const parallelism of [1, 2, 3]) {
      const restored = at(parallelism, saved(two));
      expect(restored.map(shown)).toEqual(restored.map(() => ' | a,b,c'));
    }
  });

  it('OS5 rescaled at random, again and again, no item of a list is lost or doubled, and union lists are everybody’s', () => {
    const step = fc.record({
      parallelism: fc.integer({ min: 1, max: 5 }),
      heard: fc.array(fc.tuple(fc.nat(4), fc.boolean()), { maxLength: 12 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), (steps) => {
        let snapshots: OperatorSnapshot[] = [];
        const mine: string[] = [];
        let all: string[] = [];
        let n = 0;
        for (const { parallelism, heard } of steps) {
          const harnesses = at(parallelism, snapshots);
          const lists = harnesses.map((h) => String(shown(h)).split(' | '));
          const dealt = lists.map(([own]) => own?.split(',').filter(Boolean) ?? []);
          expect(dealt.flat().sort()).toEqual([...mine].sort());
          if (snapshots.length > 0 && snapshots.length !== parallelism) {
            const sizes = dealt.map((items) => items.length);
            expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          }
          expect(lists.map(([, union]) => union)).toEqual(lists.map(() => String(all)));
          const unions = harnesses.map(() => [...all]);
          for (const [to, union] of heard) {
            const word = `w${n++}`;
            hear(harnesses[to % parallelism] as OperatorHarness, union ? `all ${word}` : word);
            if (union) unions[to % parallelism]?.push(word);
            else mine.push(word);
          }
          // What everybody keeps, everybody gives.
          all = unions.flat().slice(0, 40);
          snapshots = saved(harnesses);
          if (unions.flat().length > 40) return;
        }
      }),
      { seed: 41, numRuns: 60 },
    );
  });

  it('OS6 items of an older version are migrated; what does not fit is refused by operator, state and versions', () => {
    const restoring = (open: (ctx: OpenContext) => unknown): OperatorHarness => {
      const old = hear(words(), 'x', 'yy', 'all z');
      return words({ restore: saved([old]) }, () => ({ open, processElement: () => {} }));
    };
    let lengths: readonly number[] = [];
    const migrate = (stored: unknown, version: number): number => (stored as string).length * 10 + version;
    const h = restoring((ctx) => {
      lengths = ctx.getListState(listState<number>('mine', { version: 2, migrate })).get();
    });
    expect(lengths).toEqual([11, 21]);
    expect(() => restoring((ctx) => ctx.getListState(listState('mine', { version: 2 })))).toThrow(
      'words: state "mine" cannot be restored: it has version 1, the job declares version 2 and no migrate function.',
    );
    expect(() =>
      words({ restore: saved([h]) }, () => ({
        open: (ctx) => ctx.getListState(listState('mine')),
        processElement: () => {},
      })),
    ).toThrow('words: state "mine" cannot be restored: it has version 2, newer than the declared version 1.');
    expect(() => restoring((ctx) => ctx.getUnionListState(listState('mine')))).toThrow(
      'words: state "mine" cannot be restored: it was a split list and is declared as a union list.',
    );
  });

  it('OS7 only lists without time to live, under one name each, holding neither null nor undefined', () => {
    const opening =
      (open: (ctx: OpenContext) => unknown): (() => unknown) =>
      () =>
        words({}, () => ({ open, processElement: () => {} }));
    const list = listState<number | null>('n');
    expect(opening((ctx) => ctx.getListState(listState('n', { ttl: timeToLive(5) })))).toThrow(
      'words: state "n" belongs to no key, so it must be a list without time to live.',
    );
    expect(opening((ctx) => ctx.getListState(valueState('n') as unknown as typeof list))).toThrow('must be a list');
    expect(opening((ctx) => [ctx.getListState(list), ctx.getUnionListState(list)])).toThrow(
      'words: two different states are called "n"; give one of them another name.',
    );
    expect(opening((ctx) => ctx.getListState(list).add(null))).toThrow('State "n": a list holds no null.');
    expect(
      opening((ctx) => {
        const state = ctx.getListState(list);
        state.addAll([1, 2]);
        expect(ctx.getListState(list).get()).toEqual([1, 2]);
        state.update([3]);
        expect(state.get()).toEqual([3]);
        state.clear();
        expect(state.get()).toEqual([]);
      }),
    ).not.toThrow();
  });

  it('OS8 a list that nobody asks for any more is kept, and does not multiply', () => {
    const old = hear(words(), 'x', 'y', 'all z');
    let snapshots = saved([old]);
    for (const parallelism of [3, 2, 2]) {
      snapshots = saved(
        Array.from({ length: parallelism }, (_, subtask) =>
          words({ subtask, parallelism, restore: snapshots }, () => ({ processElement: () => {} })),
        ),
      );
    }
    expect(at(1, snapshots).map(shown)).toEqual(['x,y | z']);
  });

  it('OS9 functions with keys may have lists too', () => {
    const build = (place: Place): OperatorHarness =>
      harnessOf(
        Word,
        (rows) => rows.keyBy('k').process('words', { output: Word, create: () => new Words() as never }),
        place,
      );
    const one = hear(build({}), 'a', 'b', 'c', 'all d');
    const restored = [0, 1].map((subtask) => build({ subtask, parallelism: 2, restore: saved([one]) }));
    expect(restored.map(shown)).toEqual(['a,b | d', 'c | d']);
  });

  it('OS12 lists and broadcast state count as state that a subtask holds, asked for or not', () => {
    const long = 'x'.repeat(10_000);
    const build = (create: () => StatefulFunction<Word, Word>, keyed: boolean, restore: OperatorSnapshot[] = []) =>
      harnessOf(
        Word,
        (rows) => (keyed ? rows.keyBy('k') : rows).process('words', { output: Word, create: create as never }),
        { restore },
      );
    for (const keyed of [false, true]) {
      const h = build(() => new Words(), keyed);
      const before = h.stateBytes;
      hear(h, long);
      expect(h.stateBytes - before).toBeGreaterThan(10_000);
      expect(h.stateBytes - before).toBeLessThan(80_000);
      const unread = build(() => ({ processElement: () => {} }), keyed, saved([h]));
      expect(unread.stateBytes).toBeGreaterThan(10_000);
    }
    const rules = mapState<string, string>('rules');
    const pair = pairHarnessOf(Word, Word, (a, b) =>
      a.connect(b.broadcast(rules)).process('rules', {
        output: Word,
        create: () => ({
          processElement: () => {},
          processBroadcastElement: ({ k }, ctx) => ctx.getBroadcastState(rules).put(k, k),
        }),
      }),
    );
    const before = pair.stateBytes;
    pair.second.rows([{ k: long }]);
    expect(pair.stateBytes - before).toBeGreaterThan(20_000);
  });

  it('OS10 every operator keeps its watermark, the lowest of the subtasks before', () => {
    const seen = (restore: readonly OperatorSnapshot[]): OperatorHarness =>
      words({ restore }, () => ({
        processElement: (_row, ctx, out) => out.collect({ k: String(ctx.currentWatermark) }),
      }));
    const builds: ((restore: readonly OperatorSnapshot[]) => OperatorHarness)[] = [
      seen,
      (restore) => harnessOf(Word, (rows) => rows.filter('all', () => true), { restore }),
      (restore) => harnessOf(Word, (rows) => rows.map('same', Word, (row) => ({ k: row.k })), { restore }),
      (restore) => harnessOf(Word, (rows) => rows.sinkTo(new CollectSink() as Sink, 'sink'), { restore }),
    ];
    for (const build of builds) {
      expect(build([]).snapshot().watermark).toBe(Number.NEGATIVE_INFINITY);
      const before = saved([build([]).watermark(70), build([]).watermark(50)]);
      expect(build(before).snapshot()).toMatchObject({ watermark: 50 });
    }
    const restored = seen(saved([seen([]).watermark(70)]));
    expect(hear(restored, 'x').take()).toEqual(['{"k":"70"} @null']);
  });

  it('OS11 a snapshot of a sink holds what was staged until it is committed, and a restored one commits it at once', () => {
    const sinkOf = (sink: CollectSink, place: Place = {}): OperatorHarness =>
      new OperatorHarness(new SinkOperator(sink as Sink, 1000), { input: V, output: V, checkpointing: true, ...place });
    const V = schema({ v: f64() });
    const sink = new CollectSink();
    const h = sinkOf(sink).rows([{ v: 1 }]);
    const first = h.snapshot(1);
    const second = h.rows([{ v: 2 }]).snapshot(2);
    expect(sink.committed).toEqual([]);
    const committed = (snapshots: readonly OperatorSnapshot[], parallelism = 1): unknown[] =>
      Array.from({ length: parallelism }, (_, subtask) => {
        const restored = new CollectSink();
        sinkOf(restored, { subtask, parallelism, restore: snapshots });
        return restored.committed.map((r) => r.row.v);
      });
    expect(committed([first])).toEqual([[1]]);
    expect(committed([second], 2)).toEqual([[1], [2]]);
    h.notifyComplete(2);
    expect(sink.committed.map((r) => r.row.v)).toEqual([1, 2]);
    expect(committed([h.snapshot(3)])).toEqual([[]]);
  });
});

/** Puts every word into all its lists. */
class Named implements StatefulFunction<Word, Word> {
  readonly #descriptors: readonly ReturnType<typeof listState<string>>[];
  #lists: readonly ListState<string>[] = [];

  constructor(descriptors: readonly ReturnType<typeof listState<string>>[]) {
    this.#descriptors = descriptors;
  }

  open(ctx: OpenContext): void {
    this.#lists = this.#descriptors.map((descriptor) => ctx.getListState(descriptor));
  }

  processElement: StatefulFunction<Word, Word>['processElement'] = ({ k }, _ctx, out) => {
    if (k === '?') out.collect({ k: this.#lists.map((list) => list.get().join()).join(' ') });
    else for (const list of this.#lists) list.add(k);
  };
}
