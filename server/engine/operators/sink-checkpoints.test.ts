import { describe, expect, it } from 'vitest';
import { type HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { f64, schema } from '../batch/schema.ts';
import { COMMIT_RETRIES, type Sink, type SinkWriter, type WriterContext } from '../io/sink.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { SinkOperator, sinkRecovery } from './sink.ts';

const S = schema({ v: f64() });

interface Transaction {
  readonly id: string;
  readonly rows: readonly number[];
}

/** What outlasts every attempt: the transactions that were committed, with their rows. */
class Outside {
  readonly committed = new Map<string, readonly number[]>();
  /** Ids as `commit` was called with them. */
  readonly calls: string[][] = [];
  /** What becomes of a call; default: all succeeds at once. */
  answer: (committables: readonly Transaction[]) => readonly Transaction[] | Promise<readonly Transaction[]> = () => [];
  /** What becomes of the transaction that is handed over. */
  prepare: (transaction: Transaction) => Transaction[] | Promise<Transaction[]> = (one) => [one];
  full = false;
  restored: readonly unknown[] = [];
  writers: WriterContext[] = [];
  closed = 0;

  /** Transactions are named T1, T2 … within an attempt. */
  sink(attempt = 'T'): Sink<Transaction, number> {
    return {
      createWriter: (context): SinkWriter<Transaction, number> => {
        this.restored = context.restored;
        this.writers.push(context as WriterContext);
        let next = 1;
        let rows: number[] = [];
        return {
          ready: () => !this.full,
          write: (batch) => {
            rows.push(...batch.f64('v').subarray(0, batch.count));
          },
          prepareCommit: () => {
            if (rows.length === 0) return [];
            const one = { id: `${attempt}${next++}`, rows };
            rows = [];
            return this.prepare(one);
          },
          snapshot: () => next,
          close: () => {
            this.closed++;
          },
        };
      },
      createCommitter: () => ({
        commit: (committables) => {
          this.calls.push(committables.map(({ id }) => id));
          const left = this.answer(committables);
          const done = (again: readonly Transaction[]): readonly Transaction[] => {
            for (const one of committables) if (!again.includes(one)) this.committed.set(one.id, one.rows);
            return again;
          };
          return left instanceof Promise ? left.then(done) : done(left);
        },
      }),
    };
  }

  get rows(): number[] {
    return [...this.committed.values()].flat();
  }
}

const harness = (outside: Outside, options: Partial<HarnessOptions> & { readonly attempt?: string } = {}) =>
  new OperatorHarness(new SinkOperator(outside.sink(options.attempt) as Sink, 1000), {
    input: S,
    output: S,
    checkpointing: true,
    ...options,
  });
const rows = (...values: number[]) => values.map((v) => ({ v }));
/** Everything that was promised until now has been answered. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function later<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('the sink operator under checkpoints', () => {
  it('SK6 commits what a complete checkpoint holds, and nothing before or besides', () => {
    const outside = new Outside();
    const h = harness(outside).rows(rows(1, 2));
    h.snapshot(1);
    h.rows(rows(3)).advance(60_000);
    expect(outside.calls).toEqual([]);
    h.notifyComplete(1);
    expect(outside.rows).toEqual([1, 2]);
    h.end();
    expect(outside.rows).toEqual([1, 2]);
    h.snapshot(2);
    h.notifyComplete(2);
    expect(outside.rows).toEqual([1, 2, 3]);
  });

  it('SK6 P1 the news was lost with the process: restored, T1 is committed; what came after it comes again', () => {
    const outside = new Outside();
    const h = harness(outside, { attempt: 'old' }).rows(rows(1, 2));
    const checkpoint = h.snapshot(1);
    h.rows(rows(3)).close();
    const again = harness(outside, { attempt: 'new', restore: [checkpoint] });
    expect([...outside.committed.keys()]).toEqual(['old1']);
    again.rows(rows(3)).snapshot(2);
    again.notifyComplete(2);
    expect([outside.rows, outside.closed]).toEqual([[1, 2, 3], 1]);
  });

  it('SK6 P2 a checkpoint that was never complete is restored by nobody: its rows come again, and are seen once', () => {
    const outside = new Outside();
    const h = harness(outside, { attempt: 'old' }).rows(rows(1, 2));
    h.snapshot(1);
    h.rows(rows(3)).close();
    const again = harness(outside, { attempt: 'new' }).rows(rows(1, 2, 3));
    again.snapshot(1);
    again.notifyComplete(1);
    expect([...outside.committed]).toEqual([['new1', [1, 2, 3]]]);
  });

  it('SK7 P3 news that was lost is made up for by the next: T1, then T2', () => {
    const outside = new Outside();
    const h = harness(outside).rows(rows(1));
    h.snapshot(1);
    h.rows(rows(2)).snapshot(2);
    h.notifyComplete(2);
    expect(outside.calls.flat()).toEqual(['T1', 'T2']);
    h.notifyComplete(2).notifyComplete(1);
    expect(outside.calls.flat()).toEqual(['T1', 'T2']);
  });

  it('SK7 what was taken out for an aborted checkpoint belongs to the next one', () => {
    const outside = new Outside();
    const h = harness(outside).rows(rows(1));
    h.snapshot(1);
    h.notifyAborted(1).rows(rows(2));
    const second = h.snapshot(2);
    expect(sinkRecovery([second]).committables).toMatchObject([{ id: 'T1' }, { id: 'T2' }]);
    h.notifyComplete(2);
    expect(outside.rows).toEqual([1, 2]);
  });

  it('SK7 news of a checkpoint does not commit what belongs to the one after it', () => {
    const outside = new Outside();
    const h = harness(outside).rows(rows(1));
    h.snapshot(1);
    h.rows(rows(2)).snapshot(2);
    h.notifyComplete(1);
    expect(outside.rows).toEqual([1]);
  });

  it('SK8 P4 a commit is retried ten times; once more, and the job fails', () => {
    for (const refusals of [COMMIT_RETRIES, COMMIT_RETRIES + 1]) {
      const outside = new Outside();
      const h = harness(outside).rows(rows(1));
      h.snapshot(1);
      let left = refusals;
      outside.answer = (all) => (left-- > 0 ? all : []);
      if (refusals === COMMIT_RETRIES) {
        h.notifyComplete(1);
        expect([outside.rows, outside.calls.length]).toEqual([[1], 11]);
      } else {
        expect(() => h.notifyComplete(1)).toThrow(
          /^operator: 1 of 1 pieces of output could not be committed in 11 attempts/,
        );
        expect([outside.rows, outside.calls.length]).toEqual([[], 11]);
      }
    }
  });

  it('SK8 only what is given back is tried again, and a commit that fails later fails the job by name', async () => {
    const outside = new Outside();
    const failures: string[] = [];
    const h = harness(outside, { fail: (error) => failures.push(error.message) }).rows(rows(1));
    h.snapshot(1);
    h.notifyAborted(1).rows(rows(2)).snapshot(2);
    let calls = 0;
    outside.answer = async (all) => (calls++ === 0 ? all : []);
    h.notifyComplete(2);
    await settled();
    expect(outside.calls).toEqual([['T1'], ['T1'], ['T2']]);
    outside.answer = async () => {
      throw new Error('the table is gone');
    };
    h.rows(rows(3)).snapshot(3);
    h.notifyComplete(3);
    await settled();
    expect(failures).toEqual(['operator: the table is gone']);
    outside.answer = () => {
      throw new Error('the table is gone');
    };
    const other = harness(outside).rows(rows(1));
    other.snapshot(1);
    expect(() => other.notifyComplete(1)).toThrow('operator: the table is gone');
  });

  it('SK9 until a commit has succeeded every snapshot holds what it commits', async () => {
    const outside = new Outside();
    const h = harness(outside).rows(rows(1));
    h.snapshot(1);
    const commit = later<readonly Transaction[]>();
    outside.answer = () => commit.promise;
    h.notifyComplete(1).rows(rows(2));
    const during = h.snapshot(2);
    expect(h.awaiting).toBe(true);
    expect(sinkRecovery([during]).committables).toMatchObject([{ id: 'T1' }, { id: 'T2' }]);
    commit.resolve([]);
    await settled();
    expect(h.awaiting).toBe(false);
    const behind = h.rows(rows(3)).snapshot(3);
    expect(sinkRecovery([behind]).committables).toMatchObject([{ id: 'T2' }, { id: 'T3' }]);
  });

  it('SK9 commits come one after the other, however slow they are and however fast the news', async () => {
    const outside = new Outside();
    const h = harness(outside);
    const commits: (() => void)[] = [];
    outside.answer = () => {
      const one = later<readonly Transaction[]>();
      commits.push(() => one.resolve([]));
      return one.promise;
    };
    for (const n of [1, 2, 3]) {
      h.rows(rows(n)).snapshot(n);
      h.notifyComplete(n);
    }
    for (const expected of [['T1'], ['T1', 'T2'], ['T1', 'T2', 'T3']]) {
      expect(outside.calls.flat()).toEqual(expected);
      commits.shift()?.();
      await settled();
    }
    expect([outside.rows, h.awaiting]).toEqual([[1, 2, 3], false]);
  });

  it('SK9 restored output that is still being committed is in the next snapshot too', async () => {
    const outside = new Outside();
    const first = harness(outside, { attempt: 'old' }).rows(rows(1)).snapshot(1);
    const commit = later<readonly Transaction[]>();
    outside.answer = () => commit.promise;
    const h = harness(outside, { attempt: 'new', restore: [first] }).rows(rows(2));
    const second = h.snapshot(2);
    expect(sinkRecovery([second]).committables).toMatchObject([{ id: 'old1' }, { id: 'new1' }]);
    commit.resolve([]);
    await settled();
    h.notifyComplete(2);
    await settled();
    expect(outside.rows).toEqual([1, 2]);
  });

  it('SK10 a snapshot waits for a slow writer; rows written meanwhile are no part of it', async () => {
    const outside = new Outside();
    const prepared = [later<Transaction[]>(), later<Transaction[]>()];
    let asked = 0;
    outside.prepare = (one) => (prepared[asked++] as ReturnType<typeof later<Transaction[]>>).promise.then(() => [one]);
    const h = harness(outside).rows(rows(1));
    const first = h.snapshotLater(1);
    h.rows(rows(2));
    const second = h.snapshotLater(2);
    expect(h.awaiting).toBe(true);
    // The second is ready before the first; it holds both all the same.
    prepared[1]?.resolve([]);
    await settled();
    prepared[0]?.resolve([]);
    expect(sinkRecovery([await first])).toEqual({ committables: [{ id: 'T1', rows: [1] }], states: [2] });
    expect(sinkRecovery([await second])).toMatchObject({ committables: [{ id: 'T1' }, { id: 'T2' }], states: [3] });
    h.notifyComplete(1);
    expect([outside.rows, h.awaiting]).toEqual([[1], false]);
  });

  it('SK10 what a writer cannot hand over fails the job, whatever becomes of the checkpoint: those rows are nowhere else', async () => {
    const outside = new Outside();
    const failures: string[] = [];
    const h = harness(outside, { fail: (error) => failures.push(error.message) }).rows(rows(1));
    outside.prepare = async () => {
      throw new Error('no fsync');
    };
    await expect(h.snapshotLater(1)).rejects.toThrow('no fsync');
    outside.prepare = () => {
      throw new Error('no disk');
    };
    await expect(h.rows(rows(2)).snapshotLater(2)).rejects.toThrow('no disk');
    expect(failures).toEqual(['operator: no fsync', 'operator: no disk']);
  });

  it('SK11 a writer that is full holds the batch, and with it the barrier; it goes on where it was', () => {
    const outside = new Outside();
    const h = harness(outside).rows(rows(1));
    outside.full = true;
    h.rows(rows(2, 3));
    expect([h.pending, h.awaiting]).toEqual([true, true]);
    expect(() => h.snapshot(1)).toThrow(/not ready/);
    h.resume();
    expect(h.pending).toBe(true);
    outside.full = false;
    h.resume();
    expect([h.pending, h.awaiting]).toEqual([false, false]);
    h.snapshot(1);
    h.notifyComplete(1);
    expect(outside.rows).toEqual([1, 2, 3]);
  });

  it('SK12 at another parallelism each piece is committed once, and every writer knows what all of them knew', () => {
    const outside = new Outside();
    const saved: OperatorSnapshot[] = [];
    for (const subtask of [0, 1, 2]) {
      const h = harness(outside, { attempt: `old${subtask}-`, subtask, parallelism: 3 }).rows(rows(subtask));
      saved.push(h.snapshot(1));
    }
    for (const subtask of [0, 1]) {
      harness(outside, { attempt: 'new', subtask, parallelism: 2, restore: saved });
      expect(outside.restored).toEqual([2, 2, 2]);
    }
    expect(outside.calls.flat().sort()).toEqual(['old0-1', 'old1-1', 'old2-1']);
  });

  it('SK12 output that is not committed is refused by a sink that commits nothing', () => {
    const saved = harness(new Outside()).rows(rows(1)).snapshot(1);
    const sink = { ...new Outside().sink(), createCommitter: () => null } as Sink;
    expect(
      () =>
        new OperatorHarness(new SinkOperator(sink, 1000), {
          input: S,
          output: S,
          checkpointing: true,
          restore: [saved],
        }),
    ).toThrow(/not committed yet/);
  });

  it('SK13 after its end nothing is tried again, and nobody is told', async () => {
    const outside = new Outside();
    const failures: Error[] = [];
    const h = harness(outside, { fail: (error) => failures.push(error) }).rows(rows(1));
    h.snapshot(1);
    const commit = later<readonly Transaction[]>();
    outside.answer = () => commit.promise;
    h.notifyComplete(1);
    h.close();
    commit.resolve([{ id: 'T1', rows: [1] }]);
    await settled();
    expect([outside.calls.length, failures]).toEqual([1, []]);
    outside.writers[0]?.fail(new Error('connection closed'));
    expect(failures).toEqual([]);
  });

  it('SK3 without checkpoints the end waits for a writer and a committer that are slow', async () => {
    const outside = new Outside();
    outside.prepare = async (one) => [one];
    outside.answer = async () => [];
    const h = harness(outside, { checkpointing: false }).rows(rows(1));
    h.advance(1000);
    h.rows(rows(2)).end();
    expect([h.pending, h.take()]).toEqual([true, []]);
    for (let turn = 0; turn < 5; turn++) {
      await settled();
      h.resume();
    }
    expect([h.pending, h.take(), outside.rows]).toEqual([false, ['end'], [1, 2]]);
  });
});
