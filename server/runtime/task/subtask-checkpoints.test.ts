import { describe, expect, it } from 'vitest';
import { i32, schema } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink } from '#engine/io/sink.ts';
import { type EnumeratorContext, Poll, type Source, type SourceReader, type Split } from '#engine/io/source.ts';
import { count } from '#engine/window/aggregates.ts';
import { TumblingProcessingTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink } from '#testing/collect.ts';
import { LocalExecutor } from '../local/local-executor.ts';

const S = schema({ v: i32() });

interface Numbers extends Split {
  readonly first: number;
  readonly count: number;
}

/** Gives the numbers of the splits that `control` hands to it, one to a batch. */
class NumbersOnDemand implements Source<typeof S.fields, Numbers> {
  readonly schema = S;
  readonly bounded = false;

  createEnumerator(context: EnumeratorContext<Numbers>) {
    return {
      start: () => {},
      onSplitRequest: () => {},
      onControl: (event: unknown) => {
        if (event === 'end') context.noMoreSplits(0);
        else context.assign(0, event as Numbers);
      },
      snapshot: () => null,
      close: () => {},
    };
  }

  createReader(): SourceReader<Numbers> {
    const left: number[] = [];
    let more = true;
    return {
      wakeAt: Number.POSITIVE_INFINITY,
      addSplit: ({ first, count: n }) => left.push(...Array.from({ length: n }, (_, i) => first + i)),
      noMoreSplits: () => {
        more = false;
      },
      poll: (batch) => {
        const next = left.shift();
        if (next === undefined) return more ? Poll.WAIT : Poll.END;
        (batch.columns[0] as Int32Array)[0] = next;
        batch.time[0] = next;
        batch.split = -1;
        batch.size = 1;
        return Poll.MORE;
      },
      snapshot: () => [],
      close: () => {},
    };
  }
}

/** Notes what is written, and where it was cut; takes nothing while `open` is false. */
class Notebook implements Sink<never, string> {
  readonly lines: string[] = [];
  open = true;
  #wake = (): void => {};

  createWriter({ wake }: { wake(): void }) {
    this.#wake = wake;
    return {
      ready: () => this.open,
      write: (batch: { columns: readonly unknown[] }) => {
        this.lines.push(`${(batch.columns[0] as Int32Array)[0]}`);
      },
      prepareCommit: () => {
        this.lines.push('cut');
        return [];
      },
      snapshot: () => '',
      close: () => {},
    };
  }

  createCommitter() {
    return null;
  }

  unblock(): void {
    this.open = true;
    this.#wake();
  }
}

function job(sink: Sink): LocalExecutor {
  const env = new StreamExecutionEnvironment({ name: 'test', parallelism: 1 });
  env.fromSource(new NumbersOnDemand(), 'numbers').sinkTo(sink, 'out');
  return new LocalExecutor(env.jobGraph(), { checkpoints: 'exactly-once' });
}

describe('a subtask in a checkpoint', () => {
  it('BA11 a split that is assigned behind the trigger is read behind the barrier, also where the barrier has to wait', async () => {
    const sink = new Notebook();
    const executor = job(sink as Sink);
    sink.open = false;
    executor.control(0, { id: 'a', first: 1, count: 1 });
    executor.settle();
    executor.trigger();
    executor.control(0, { id: 'b', first: 10, count: 2 });
    executor.settle();
    expect(sink.lines).toEqual([]);
    await expect(executor.collect()).rejects.toThrow('Only 0 of 1 subtasks');
    sink.unblock();
    executor.settle();
    expect(sink.lines).toEqual(['1', 'cut', '10', '11']);
  });

  it('UA8 what a sink holds because its writer takes nothing counts in the bytes in flight', async () => {
    const sink = new Notebook();
    const executor = job(sink as Sink);
    executor.control(0, { id: 'a', first: 1, count: 1 });
    executor.settle();
    executor.trigger('checkpoint', 0);
    executor.settle();
    expect((await executor.collect()).persistedBytes).toBe(0);
    sink.open = false;
    executor.control(0, { id: 'b', first: 10, count: 3 });
    executor.settle();
    executor.trigger('checkpoint', 0);
    executor.settle();
    const { operators, persistedBytes } = await executor.collect();
    const held = [...operators.values()].flat().flatMap(({ operator }) => operator.held?.items ?? []);
    expect(held).toHaveLength(1);
    expect(persistedBytes).toBeGreaterThan(0);
    expect(persistedBytes).toBeLessThanOrEqual(held[0]?.length ?? 0);
  });

  it('BA12 behind a stop nothing is read, and no timer fires, until the savepoint has failed', async () => {
    const env = new StreamExecutionEnvironment({ name: 'test', parallelism: 1 });
    const sink = new CollectSink();
    env
      .fromSource(new NumbersOnDemand(), 'numbers')
      .keyBy('v')
      .window(TumblingProcessingTimeWindows.of(1000))
      .aggregate({ n: count() })
      .sinkTo(sink as Sink, 'out');
    const executor = new LocalExecutor(env.jobGraph(), { checkpoints: 'exactly-once' });
    executor.control(0, { id: 'a', first: 1, count: 1 });
    executor.settle();
    await executor.checkpoint('stop');
    executor.control(0, { id: 'b', first: 2, count: 1 });
    executor.advance(5000);
    expect(sink.rows).toEqual([]);
    executor.command({ type: 'go-on' });
    executor.settle();
    executor.advance(5000);
    expect(sink.rows.map(({ row }) => row.v)).toEqual([1, 2]);
  });

  it('BA10 behind the end of its input a subtask waits for the last checkpoint, and finishes when it is told to', async () => {
    const sink = new CollectSink();
    const executor = job(sink as Sink);
    executor.control(0, { id: 'a', first: 1, count: 3 });
    executor.control(0, 'end');
    executor.settle();
    expect([executor.inputEnded, executor.finished, sink.rows.length, sink.committed.length]).toEqual([
      true,
      false,
      3,
      0,
    ]);
    await executor.checkpoint();
    executor.completed();
    expect([executor.finished, sink.committed.length]).toEqual([false, 3]);
    executor.command({ type: 'finish' });
    executor.settle();
    expect(executor.finished).toBe(true);
  });

  it('BA13 a source that is told to finish does so, though barriers wait for credits of a task that has finished', async () => {
    const sink = new CollectSink();
    const env = new StreamExecutionEnvironment({ name: 'test', parallelism: 1 });
    env
      .fromSource(new NumbersOnDemand(), 'numbers')
      .rebalance()
      .sinkTo(sink as Sink, 'out');
    const executor = new LocalExecutor(env.jobGraph(), { checkpoints: 'exactly-once', channels: 'ring' });
    executor.control(0, { id: 'a', first: 1, count: 3 });
    executor.control(0, 'end');
    executor.settle();
    await executor.checkpoint();
    // More than the ring between them holds.
    for (let i = 0; i < 100; i++) executor.trigger();
    executor.command({ type: 'checkpoint-complete', checkpoint: 1 });
    executor.command({ type: 'finish' });
    executor.settle();
    expect([executor.finished, sink.committed.length]).toEqual([true, 3]);
  });
});
