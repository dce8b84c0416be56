import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromRows } from '#testing/collect.ts';
import type { OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { OutputTag, StreamExecutionEnvironment } from '../graph/data-stream.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import type { AsyncSettings } from './async-function.ts';
import type { Consumer } from './output.ts';

const Question = schema({ id: string() });
const Answer = schema({ id: string(), value: f64() });
type Rows = { id: string; value: number }[];

interface Settings extends Partial<AsyncSettings<typeof Answer.fields>> {
  readonly timeout?: (id: string) => Rows;
  readonly restore?: readonly OperatorSnapshot[];
  readonly subtask?: number;
  readonly parallelism?: number;
}

/** Somebody outside, who answers when the test says so. */
class Outside {
  readonly asked: string[] = [];
  readonly #open = new Map<string, { resolve: (rows: Rows) => void; reject: (error: Error) => void }>();
  readonly harness: OperatorHarness;

  constructor({ timeout, restore, subtask, parallelism, ...settings }: Settings = {}) {
    this.harness = harnessOf(
      Question,
      (questions) =>
        questions.asyncWait('lookup', {
          timeoutMs: 1000,
          ordered: true,
          ...settings,
          output: Answer,
          create: () => ({
            asyncInvoke: ({ id }) => {
              this.asked.push(id);
              return new Promise<Rows>((resolve, reject) => this.#open.set(id, { resolve, reject }));
            },
            ...(timeout === undefined ? {} : { timeout: ({ id }) => timeout(id) }),
          }),
        }),
      { ...(restore && { restore }), subtask: subtask ?? 0, parallelism: parallelism ?? 1 },
    );
  }

  ask(...ids: string[]): this {
    this.harness.rows(
      ids.map((id) => ({ id })),
      { times: ids.map((_, i) => i) },
    );
    return this;
  }

  async answer(id: string, rows: Rows = [{ id, value: 1 }]): Promise<this> {
    this.#open.get(id)?.resolve(rows);
    return this.settle();
  }

  async refuse(id: string, message: string): Promise<this> {
    this.#open.get(id)?.reject(new Error(message));
    return this.settle();
  }

  async settle(): Promise<this> {
    await new Promise((resolve) => setImmediate(resolve));
    this.harness.resume();
    return this;
  }

  /** Moves time, also while the operator is stopped. */
  advance(ms: number): this {
    this.harness.advance(ms).resume();
    return this;
  }

  /** `a b | wm 5 | c`: ids and marks that came out. */
  out(): string {
    return this.harness
      .emissions()
      .map((e) => {
        if (e.kind === 'row') return String(e.row.id);
        if (e.kind === 'watermark') return `wm${e.watermark}`;
        return e.kind === 'idle' ? (e.idle ? 'idle' : 'active') : 'end';
      })
      .join(' ');
  }
}

describe('async wait', () => {
  it('AS1 ordered: results come in the order of the input, whenever the answers do', async () => {
    const outside = new Outside();
    outside.ask('a', 'b', 'c');
    outside.harness.watermark(5);
    await outside.answer('c');
    await outside.answer('b');
    expect(outside.out()).toBe('');
    await outside.answer('a');
    expect(outside.out()).toBe('a b c wm5');
  });

  it('AS2 unordered: results come as the answers do, but never past a watermark or a change of status', async () => {
    const outside = new Outside({ ordered: false });
    outside.ask('a', 'b');
    outside.harness.watermark(5);
    outside.ask('c');
    outside.harness.idle(true);
    await outside.answer('c');
    await outside.answer('b');
    expect(outside.out()).toBe('b');
    await outside.answer('a');
    expect(outside.out()).toBe('a wm5 c idle');
  });

  it.each([true, false])('AS2 watermarks inside a batch keep their place, ordered: %s', async (ordered) => {
    const outside = new Outside({ ordered });
    outside.harness.rows([{ id: 'a' }, { id: 'b' }], { times: [7, 9], watermarks: [1, 6] });
    await outside.answer('b');
    await outside.answer('a');
    expect(outside.out()).toBe('wm1 a wm6 b');
  });

  it('AS3 at most capacity rows are in flight; the input waits', async () => {
    const outside = new Outside({ capacity: 2 });
    outside.ask('a', 'b', 'c', 'd');
    expect([outside.asked.join(), outside.harness.pending]).toEqual(['a,b', true]);
    await outside.answer('b');
    expect(outside.asked.join()).toBe('a,b');
    await outside.answer('a');
    expect(outside.asked.join()).toBe('a,b,c,d');
    expect([outside.out(), outside.harness.pending]).toEqual(['a b', false]);
  });

  it('AS4 an answer is any number of rows, with the timestamp of the row asked for', async () => {
    const outside = new Outside();
    outside.ask('a', 'b', 'c');
    await outside.answer('a', []);
    await outside.answer('b', [
      { id: 'b', value: 1 },
      { id: 'b', value: 2 },
    ]);
    await outside.answer('c');
    expect(outside.harness.take()).toEqual([
      '{"id":"b","value":1} @1',
      '{"id":"b","value":2} @1',
      '{"id":"c","value":1} @2',
    ]);
  });

  it('AS5 without an answer in time a row becomes what timeout says, and a later answer counts for nothing', async () => {
    const outside = new Outside({ timeout: (id) => [{ id: `${id}?`, value: 0 }] });
    outside.ask('a');
    outside.advance(999);
    expect(outside.out()).toBe('');
    outside.ask('b');
    outside.advance(1);
    await outside.answer('a');
    await outside.answer('b');
    expect(outside.out()).toBe('a? b');
  });

  it('AS5 or fails the job', () => {
    const outside = new Outside({ capacity: 1 });
    outside.ask('a', 'b');
    expect(() => outside.advance(1000)).toThrow('lookup: no answer within 1000 ms');
  });

  it('AS6 an error fails the job and names the operator', async () => {
    const outside = new Outside();
    outside.ask('a');
    await expect(outside.refuse('a', 'no route')).rejects.toThrow('lookup: no route');
  });

  it('AS7 errors are asked again after growing delays, and the last attempt counts', async () => {
    const outside = new Outside({ retry: { attempts: 3, delayMs: 100, factor: 2, maxDelayMs: 150 } });
    outside.ask('a');
    await outside.refuse('a', 'one');
    outside.advance(99);
    expect(outside.asked.length).toBe(1);
    outside.advance(1);
    expect(outside.asked.length).toBe(2);
    await outside.refuse('a', 'two');
    outside.advance(149);
    expect(outside.asked.length).toBe(2);
    outside.advance(1);
    await expect(outside.refuse('a', 'three')).rejects.toThrow('lookup: three');
  });

  it('AS7 answers that are none yet are asked again; the last one is taken', async () => {
    const outside = new Outside({ retry: { attempts: 2, delayMs: 10, whenRows: (rows) => rows.length === 0 } });
    outside.ask('a', 'b');
    await outside.answer('b');
    await outside.answer('a', []);
    outside.advance(10);
    expect(outside.asked.join()).toBe('a,b,a');
    await outside.answer('a', []);
    expect(outside.out()).toBe('b');
  });

  it('AS7 errors that are not worth it are not asked again', async () => {
    const outside = new Outside({ retry: { attempts: 5, delayMs: 10, whenError: () => false } });
    outside.ask('a');
    await expect(outside.refuse('a', 'gone for good')).rejects.toThrow('gone for good');
  });

  it('AS8 the end waits for all answers', async () => {
    const outside = new Outside();
    outside.ask('a');
    outside.harness.watermark(Number.POSITIVE_INFINITY).end();
    expect(outside.out()).toBe('');
    await outside.answer('a');
    expect(outside.out()).toBe('a wmInfinity end');
  });

  it('AS9 stopping for want of credits loses, doubles and reorders nothing', async () => {
    const outside = new Outside({ capacity: 3 });
    outside.harness.credits(1);
    const ids = ['a', 'b', 'c', 'd', 'e'];
    outside.harness.rows(
      ids.map((id) => ({ id })),
      { watermarks: [0, 1, 2, 3, 4] },
    );
    for (const id of ids) {
      await outside.answer(id);
      outside.harness.credits(0);
      await outside.settle();
      outside.harness.credits(1).resume().credits(1).resume();
    }
    expect(outside.out()).toBe('wm0 a wm1 b wm2 c wm3 d wm4 e');
  });

  it('AS10 rows in flight are asked for again, marks in their place', async () => {
    const first = new Outside({ ordered: false });
    first.ask('a', 'b');
    first.harness.watermark(5);
    first.ask('c');
    await first.answer('c');
    await first.answer('b');
    expect(first.out()).toBe('b');
    const second = new Outside({ ordered: false, restore: [first.harness.snapshot()] });
    await second.settle();
    expect(second.asked.join()).toBe('a,c');
    await second.answer('c');
    expect(second.out()).toBe('');
    await second.answer('a');
    expect(second.out()).toBe('a wm5 c');
  });

  it('AS10 at another parallelism rows are dealt as lists are, and the watermark comes behind them', async () => {
    const first = new Outside();
    first.ask('a', 'b');
    first.harness.watermark(5);
    first.ask('c');
    const restore = [first.harness.snapshot()];
    const asked: string[] = [];
    for (const subtask of [0, 1]) {
      const part = new Outside({ restore, subtask, parallelism: 2 });
      await part.settle();
      for (const id of [...part.asked]) await part.answer(id);
      asked.push(part.out());
    }
    expect(asked).toEqual(['a b wm5', 'c wm5']);
  });

  it('AS14 rows for side outputs go out with the answer that counts, at once with it and in its place', async () => {
    const misses = new OutputTag('misses', Question);
    const doubts = new OutputTag('doubts', Question);
    let attempts = 0;
    const h = harnessOf(Question, (questions) =>
      questions.asyncWait('lookup', {
        timeoutMs: 100,
        ordered: true,
        retry: { attempts: 2, delayMs: 10 },
        output: Answer,
        sideOutputs: [misses, doubts],
        create: () => ({
          asyncInvoke: async ({ id }, ctx) => {
            ctx.output(misses, { id: `${id}${++attempts}` });
            if (id === 'again' && attempts === 1) throw new Error('not yet');
            return id === 'slow' ? new Promise<Rows>(() => {}) : [{ id, value: 1 }];
          },
          timeout: ({ id }, ctx) => {
            ctx.output(doubts, { id });
            return [];
          },
        }),
      }),
    );
    const settle = async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      h.resume();
    };
    h.rows([{ id: 'again' }, { id: 'slow' }, { id: 'fine' }], { times: [7, 8, 9] });
    await settle();
    expect(h.emissions()).toEqual([]);
    h.advance(10);
    await settle();
    const seen = (): string[] =>
      h.emissions().flatMap((e) => (e.kind === 'row' ? [`${e.output} ${e.row.id} @${e.time}`] : []));
    expect(seen()).toEqual(['main again @7', 'misses again4 @7']);
    h.advance(90);
    await settle();
    expect(seen()).toEqual(['main fine @9', 'misses fine3 @9', 'doubts slow @8']);
  });

  it('AS14 a tag that was not declared is an error that names it', async () => {
    const h = harnessOf(Question, (questions) =>
      questions.asyncWait('lookup', {
        timeoutMs: 100,
        ordered: true,
        output: Answer,
        create: () => ({
          asyncInvoke: async (row, ctx) => {
            ctx.output(new OutputTag('misses', Question), { id: row.id });
            return [];
          },
        }),
      }),
    );
    h.rows([{ id: 'a' }]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(() => h.resume()).toThrow('lookup: side output "misses" was not declared');
  });

  it('AS15 what is in flight counts as state', async () => {
    const outside = new Outside();
    const empty = outside.harness.stateBytes;
    outside.ask('x'.repeat(1000), 'y'.repeat(1000));
    expect(outside.harness.stateBytes - empty).toBeGreaterThan(2000);
    const restored = new Outside({ capacity: 1, restore: [outside.harness.snapshot()] });
    expect(restored.harness.stateBytes).toBeGreaterThan(2000);
    await outside.answer('x'.repeat(1000));
    await outside.answer('y'.repeat(1000));
    expect(outside.harness.stateBytes).toBe(empty);
  });

  it('EL6 what comes out carries when its row was read, ordered or not', async () => {
    for (const ordered of [true, false]) {
      const outside = new Outside({ ordered, capacity: 2 });
      const { harness } = outside;
      const main = harness.consumers.get('main') as unknown as Consumer;
      const read: (number | string)[] = [];
      const { batch, watermark } = main;
      main.batch = (rows) => {
        read.push(`${rows.count} of ${rows.ingestedAt}`);
        batch.call(main, rows);
      };
      main.watermark = (time, ingestedAt) => {
        read.push(`wm${time} of ${ingestedAt}`);
        watermark.call(main, time);
      };
      const ask = (ingestedAt: number, ...ids: string[]): void => {
        const rows = harness.batch(ids.map((id) => ({ id })));
        rows.ingestedAt = ingestedAt;
        harness.feed(rows);
      };
      ask(100, 'a');
      harness.head.watermark(5, 200);
      ask(300, 'b', 'c');
      await outside.answer('a');
      await outside.answer('b');
      await outside.answer('c');
      expect(read).toEqual(['1 of 100', 'wm5 of 200', '1 of 300', '1 of 300']);
      ask(400, 'd');
      ask(500, 'e');
      if (ordered) {
        await outside.answer('e');
        await outside.answer('d');
        // Together: that of the older one.
        expect(read.slice(4)).toEqual(['2 of 400']);
      } else {
        await outside.answer('e');
        await outside.answer('d');
        expect(read.slice(4)).toEqual(['1 of 500', '1 of 400']);
      }
    }
  });

  it('AS11 settings that cannot work are refused by name', () => {
    const build = (settings: object) => () => {
      const env = new StreamExecutionEnvironment({ name: 'test' });
      env.fromSource(fromRows(Question, []), 'rows').asyncWait('lookup', {
        timeoutMs: 1,
        ordered: true,
        output: Answer,
        create: () => ({ asyncInvoke: async () => [] }),
        ...settings,
      });
    };
    expect(build({ capacity: 0 })).toThrow('lookup: capacity');
    expect(build({ timeoutMs: 0 })).toThrow('lookup: timeoutMs');
    expect(build({ retry: { attempts: 0, delayMs: 1 } })).toThrow('lookup: attempts');
    expect(build({ retry: { attempts: 2, delayMs: 1, factor: 0.5 } })).toThrow('lookup: factor');
  });

  /** Rows `r0 r1 …` and watermarks `w0 w1 …` in their order, answered in the order of `ranks`. */
  const scripts = fc.record({
    steps: fc.array(fc.constantFrom('row', 'row', 'mark'), { maxLength: 12 }),
    ranks: fc.array(fc.nat(1000), { minLength: 12, maxLength: 12 }),
    capacity: fc.integer({ min: 1, max: 4 }),
    ordered: fc.boolean(),
  });

  it('AS12 both modes do what a plain model does', async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async ({ steps, ranks, capacity, ordered }) => {
        const outside = new Outside({ capacity, ordered });
        const rank = new Map(steps.map((_, i) => [`r${i}`, ranks[i] as number]));
        const answered: string[] = [];
        /** Answers whoever of those asked for comes first. */
        const answerOne = async (): Promise<boolean> => {
          const open = outside.asked.filter((id) => !answered.includes(id));
          const id = open.sort((a, b) => (rank.get(a) as number) - (rank.get(b) as number))[0];
          if (id === undefined) return false;
          answered.push(id);
          await outside.answer(id);
          return true;
        };
        for (const [i, step] of steps.entries()) {
          if (step === 'row') outside.ask(`r${i}`);
          else outside.harness.watermark(i);
          while (outside.harness.pending) await answerOne();
        }
        while (await answerOne());
        // Model: rows between two marks, in the order of the input or of the answers.
        const expected: string[] = [];
        let group: string[] = [];
        const close = (): void => {
          if (!ordered) group.sort((a, b) => answered.indexOf(a) - answered.indexOf(b));
          expected.push(...group);
          group = [];
        };
        for (const [i, step] of steps.entries()) {
          if (step === 'row') group.push(`r${i}`);
          else {
            close();
            expected.push(`wm${i}`);
          }
        }
        close();
        expect(outside.out()).toBe(expected.join(' '));
      }),
      { numRuns: 300, seed: 4 },
    );
  });
});
