import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { BACKENDS } from '#testing/backends.ts';
import { fromRows } from '#testing/collect.ts';
import type { HarnessOptions } from '#testing/harness.ts';
import { type PairHarness, pairHarnessOf } from '#testing/pair-harness.ts';
import { f64, i32, schema, string } from '../batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import { StreamExecutionEnvironment } from '../graph/data-stream.ts';
import { explain } from '../graph/explain.ts';
import { valueState } from '../state/descriptors.ts';
import type { ValueState } from '../state/keyed-state.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import type { CoProcessFunction, KeyedCoProcessFunction } from './co-process.ts';
import { OutputTag } from './process.ts';

const A = schema({ k: string(), v: f64() });
const B = schema({ step: i32(), of: string() });
const Out = schema({ k: string(), says: string() });
const odd = new OutputTag('odd', schema({ k: string() }));
type Fn = KeyedCoProcessFunction<typeof A.fields, typeof B.fields, typeof Out.fields>;
type Settings = Pick<HarnessOptions, 'subtask' | 'parallelism' | 'restore' | 'stateBackend'>;

/** Sums what comes in by the first input; the second one asks for a report `step` after its own time, or takes that back if it is negative. */
class Reporting implements Fn {
  #sum!: ValueState<number, number>;

  open(ctx: Parameters<NonNullable<Fn['open']>>[0]): void {
    this.#sum = ctx.getState(valueState('sum', { default: 0 }));
  }

  processElement1(...[row, ctx, out]: Parameters<Fn['processElement1']>): void {
    this.#sum.update(this.#sum.value() + row.v);
    out.collect({ k: row.k, says: `${ctx.currentKey}=${this.#sum.value()}` });
  }

  processElement2(...[row, ctx]: Parameters<Fn['processElement2']>): void {
    const { timestamp, timerService } = ctx;
    if (row.step >= 0) timerService.registerEventTimeTimer((timestamp as number) + row.step);
    else timerService.deleteEventTimeTimer((timestamp as number) - row.step);
    if (row.step === 1) ctx.output(odd, { k: row.of });
  }

  onTimer(...[time, ctx, out]: Parameters<NonNullable<Fn['onTimer']>>): void {
    out.collect({ k: String(ctx.currentKey), says: `${this.#sum.value()} until ${time}` });
  }
}

const reporting = (settings: Settings = {}): PairHarness =>
  pairHarnessOf(
    A,
    B,
    (a, b) =>
      a
        .keyBy('k')
        .connect(b.keyBy('of'))
        .process('report', { output: Out, sideOutputs: [odd], create: () => new Reporting() }),
    settings,
  );
const values = (h: PairHarness, ...rows: [k: string, v: number, time: number][]): void =>
  h.first.rows(
    rows.map(([k, v]) => ({ k, v })),
    { times: rows.map((r) => r[2]) },
  );
const asks = (h: PairHarness, ...rows: [of: string, step: number, time: number][]): void =>
  h.second.rows(
    rows.map(([of, step]) => ({ of, step })),
    { times: rows.map((r) => r[2]) },
  );
const says = (h: PairHarness): string[] =>
  h.emissions().flatMap((e) => {
    if (e.kind === 'row')
      return [`${e.output === 'main' ? '' : `${e.output} `}${e.row.k}:${e.row.says ?? ''}@${e.time}`];
    if (e.output !== 'main') return [];
    return e.kind === 'watermark' ? [`wm ${e.watermark}`] : [e.kind];
  });

describe.each(BACKENDS)('a function of two keyed streams on %s', (_name, stateBackend) => {
  it('TI8 has state and timers of the key, whichever input a row is of and wherever its key stands', () => {
    const h = reporting({ stateBackend });
    values(h, ['a', 1, 5], ['b', 10, 6]);
    asks(h, ['b', 4, 6], ['a', 9, 6], ['c', 1, 7]);
    values(h, ['b', 5, 7]);
    expect(says(h)).toEqual(['a:a=1@5', 'b:b=10@6', 'odd c:@7', 'b:b=15@7']);
    h.first.watermark(20);
    expect(says(h)).toEqual([]);
    h.second.watermark(10);
    expect(says(h)).toEqual(['c:0 until 8@8', 'b:15 until 10@10', 'wm 10']);
    asks(h, ['a', -9, 6]);
    h.second.watermark(30);
    expect(says(h)).toEqual(['wm 20']);
  });

  it('TI8 timers run before the row of either input that finds the watermark there', () => {
    const h = reporting({ stateBackend });
    asks(h, ['a', 0, 5], ['a', 0, 12]);
    h.second.watermark(10);
    h.first.rows(
      [5, 6, 7].map((v) => ({ k: 'a', v })),
      { times: [5, 6, 7], watermarks: [4, 6, 40] },
    );
    expect(says(h)).toEqual(['a:a=5@5', 'a:5 until 5@5', 'wm 6', 'a:a=11@6', 'a:a=18@7', 'wm 10']);
  });

  it('TI9 ends when both inputs have, with all timers behind the last row', () => {
    const h = reporting({ stateBackend });
    asks(h, ['a', 100, 0]);
    h.second.end();
    h.first.watermark(50);
    values(h, ['a', 2, 60]);
    expect(says(h)).toEqual(['wm 50', 'a:a=2@60']);
    h.first.end();
    expect(says(h)).toEqual(['a:2 until 100@100', 'wm Infinity', 'end']);
  });

  it('TI11 state, timers and watermark move by key group to any parallelism', async () => {
    const one = reporting({ stateBackend });
    const keys = Array.from({ length: 40 }, (_, i) => `device${i}`);
    values(one, ...keys.map((k): [string, number, number] => [k, 3, 1]));
    asks(one, ...keys.map((k): [string, number, number] => [k, 99, 1]));
    one.first.watermark(50);
    one.second.watermark(60);
    const restore = [await one.snapshotLater()];
    const three = [0, 1, 2].map((subtask) => reporting({ subtask, parallelism: 3, restore, stateBackend }));
    for (const [subtask, h] of three.entries()) {
      expect((await h.snapshotLater()).watermark).toBe(50);
      h.first.watermark(200);
      h.second.watermark(200);
      const mine = keys.filter((k) => subtaskOf(keyGroupOf(javaHash(k), 128), 3, 128) === subtask);
      expect(says(h).sort()).toEqual([...mine.map((k) => `${k}:3 until 100@100`), 'wm 200'].sort());
    }
  });

  it('TI12 random rows, watermarks, batches, credits and restores give what a plain model gives', async () => {
    let timers = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), async (seed) => {
        const random = new Random(seed);
        const model = new Model();
        const got: string[] = [];
        let subtasks = [reporting({ stateBackend })];
        const of = (k: string): number => subtaskOf(keyGroupOf(javaHash(k), 128), subtasks.length, 128);
        const watermarks = [0, 0];
        let now = 0;
        const collect = (): void => {
          for (const h of subtasks) got.push(...says(h).filter((s) => s.includes(':')));
        };
        for (const input of [0, 1]) {
          model.watermark(input, 0);
          for (const h of subtasks) (input === 0 ? h.first : h.second).watermark(0);
        }
        for (let step = 0; step < 20; step++) {
          const what = random.below(8);
          if (what < 5) {
            const input = what < 3 ? 0 : 1;
            const moving = random.below(2) === 0;
            const rows = Array.from({ length: 1 + random.below(6) }, () => {
              now += random.below(4);
              if (moving) watermarks[input] = (watermarks[input] as number) + random.below(6);
              return {
                k: `k${random.below(4)}`,
                v: random.below(9) - 3,
                time: now,
                watermark: watermarks[input] as number,
              };
            });
            for (const { k, v, time, watermark } of rows) {
              if (moving) model.watermark(input, watermark);
              if (input === 0) model.value(k, v, time);
              else model.ask(k, v, time);
            }
            for (const [s, h] of subtasks.entries()) {
              const mine = rows.filter((r) => of(r.k) === s);
              if (mine.length === 0) continue;
              if (random.below(3) === 0) h.credits(1);
              const options = {
                times: mine.map((r) => r.time),
                ...(moving ? { watermarks: mine.map((r) => r.watermark) } : {}),
              };
              if (input === 0)
                h.first.rows(
                  mine.map(({ k, v }) => ({ k, v })),
                  options,
                );
              else
                h.second.rows(
                  mine.map(({ k, v }) => ({ of: k, step: v })),
                  options,
                );
              while (h.pending) h.credits(1 + random.below(2)).resume();
              h.credits(Number.POSITIVE_INFINITY);
            }
            // A watermark behind the batch, as whoever makes watermarks among rows sends it.
            if (moving)
              for (const h of subtasks) (input === 0 ? h.first : h.second).watermark(watermarks[input] as number);
          } else if (what < 7) {
            const input = random.below(2);
            watermarks[input] = (watermarks[input] as number) + random.below(12);
            model.watermark(input, watermarks[input] as number);
            for (const h of subtasks) (input === 0 ? h.first : h.second).watermark(watermarks[input] as number);
          } else {
            collect();
            const restore: OperatorSnapshot[] = await Promise.all(subtasks.map((h) => h.snapshotLater()));
            const parallelism = 1 + random.below(3);
            subtasks = Array.from({ length: parallelism }, (_, subtask) =>
              reporting({ stateBackend, subtask, parallelism, restore }),
            );
            for (const h of subtasks) {
              h.first.watermark(watermarks[0] as number);
              h.second.watermark(watermarks[1] as number);
            }
          }
          collect();
        }
        // Rows of one output and key keep their order.
        const byKey = (all: readonly string[]): string[] =>
          ['k0:', 'k1:', 'k2:', 'k3:'].flatMap((k) =>
            [k, `odd ${k}`].map((start) => all.filter((s) => s.startsWith(start)).join(' ')),
          );
        expect(byKey(got)).toEqual(byKey(model.said));
        timers += model.said.filter((s) => s.includes('until')).length;
      }),
      { numRuns: 300 },
    );
    expect(timers).toBeGreaterThan(1000);
  });
});

/** The same for all keys at once: row by row. */
class Model {
  readonly said: string[] = [];
  readonly #sums = new Map<string, number>();
  readonly #timers = new Map<string, Set<number>>();
  readonly #watermarks = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  #now = Number.NEGATIVE_INFINITY;

  value(k: string, v: number, time: number): void {
    this.#sums.set(k, (this.#sums.get(k) ?? 0) + v);
    this.said.push(`${k}:${k}=${this.#sums.get(k)}@${time}`);
  }

  ask(k: string, step: number, time: number): void {
    const timers = this.#timers.get(k) ?? new Set<number>();
    this.#timers.set(k, timers);
    if (step >= 0) timers.add(time + step);
    else timers.delete(time - step);
    if (step === 1) this.said.push(`odd ${k}:@${time}`);
  }

  watermark(input: number, watermark: number): void {
    this.#watermarks[input] = Math.max(watermark, this.#watermarks[input] as number);
    const lower = Math.min(...this.#watermarks);
    if (lower <= this.#now) return;
    this.#now = lower;
    for (const [k, timers] of this.#timers) {
      for (const time of [...timers].filter((t) => t <= lower).sort((x, y) => x - y)) {
        timers.delete(time);
        this.said.push(`${k}:${this.#sums.get(k) ?? 0} until ${time}@${time}`);
      }
    }
  }
}

describe('connected streams', () => {
  it('TI10 without keys share nothing but the function; each input keeps its order', () => {
    const count = (): CoProcessFunction<typeof A.fields, typeof B.fields, typeof Out.fields> => {
      let steps = 0;
      return {
        processElement1: (row, ctx, out) => out.collect({ k: row.k, says: `${steps} at ${ctx.timestamp}` }),
        processElement2: (row) => {
          steps += row.step;
        },
      };
    };
    const h = pairHarnessOf(A, B, (a, b) => a.connect(b).process('count', { output: Out, create: count }));
    values(h, ['a', 1, 5]);
    asks(h, ['x', 3, 1], ['y', 4, 2]);
    values(h, ['a', 1, 6]);
    h.first.watermark(9);
    h.second.watermark(8);
    expect(says(h)).toEqual(['a:0 at 5@5', 'a:7 at 6@6', 'wm 8']);
  });

  it('TI10 start a task, and explain() tells which input is the second one; ids are the same in every thread', () => {
    const build = (parallelism: number) => {
      const env = new StreamExecutionEnvironment({ name: 'pair', parallelism });
      const [a, b] = [env.fromSource(fromRows(A, []), 'a'), env.fromSource(fromRows(B, []), 'b')];
      a.keyBy('k')
        .connect(b.keyBy('of'))
        .process('both', { output: Out, create: () => new Reporting() });
      a.connect(b).process('plain', {
        output: Out,
        create: () => ({ processElement1: () => {}, processElement2: () => {} }),
      });
      return env.jobGraph();
    };
    const text = explain(build(1));
    expect(text).toContain('a ══hash(k)══> 3\n');
    expect(text).toContain('b ══hash(of)══> 3 (second input)\n');
    expect(text).toContain('b ══forward══> 4 (second input)\n');
    const ids = (graph: ReturnType<typeof build>): string[] => graph.vertices.map((v) => v.id);
    expect(ids(build(2))).toEqual(ids(build(2)));
    expect(new Set(ids(build(2))).size).toBe(4);
  });

  it('TI10 have another id where a stream is united with the other input', () => {
    const idOf = (side: 'first' | 'second'): string | undefined => {
      const env = new StreamExecutionEnvironment({ name: 'pair' });
      const source = (name: string) => env.fromSource(fromRows(A, []), name);
      const [a, b, c] = [source('a'), source('b'), source('c')];
      const [first, second] = side === 'first' ? [a.union(b), c] : [a, b.union(c)];
      first.connect(second).process('both', {
        output: Out,
        create: () => ({ processElement1: () => {}, processElement2: () => {} }),
      });
      return env.jobGraph().vertices.at(-1)?.id;
    };
    expect(idOf('first')).not.toBe(idOf('second'));
  });

  it('TI10 refuse keys of different kinds, and streams of two jobs', () => {
    const streams = () => {
      const env = new StreamExecutionEnvironment({ name: 'pair' });
      return [env.fromSource(fromRows(A, []), 'a'), env.fromSource(fromRows(B, []), 'b')] as const;
    };
    const [a, b] = streams();
    const [, other] = streams();
    const create = () => new Reporting();
    expect(() => a.keyBy('k').connect(b.keyBy('step')).process('both', { output: Out, create })).toThrow(
      'both: the keys of both streams must be of one kind, not string and i32.',
    );
    expect(() => a.keyBy('k').connect(other.keyBy('of')).process('both', { output: Out, create })).toThrow('same job');
  });
});
