import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { CollectingConsumer, type Emission } from '#testing/harness.ts';
import { makeRowWriter } from '../batch/cursor.ts';
import { f64, schema } from '../batch/schema.ts';
import { Poll, type ReaderContext, type Source, type SourceReader, type Split } from '../io/source.ts';
import { OPERATOR_CELLS, OperatorCell } from '../metrics/cells.ts';
import { Output } from './output.ts';
import { SourceOperator, Splits } from './source.ts';

const S = schema({ v: f64() });
const write = makeRowWriter(S, 'test');

/** A source whose reader does at each poll what the next step says. */
function open(steps: ((batch: Parameters<SourceReader['poll']>[0], context: ReaderContext) => Poll)[]) {
  const log: Emission[] = [];
  const told: string[] = [];
  const splits = new Splits();
  const consumer = new CollectingConsumer('main', S, log);
  const cells = new Float64Array(OPERATOR_CELLS);
  const source: Source<typeof S.fields, Split> = {
    schema: S,
    bounded: true,
    createEnumerator: () => ({ start() {}, onSplitRequest() {}, snapshot: () => null, close() {} }),
    createReader: (context) => ({
      addSplit: (split, index) => told.push(`${split.id}=${index}`),
      noMoreSplits: () => told.push('no more'),
      poll: (batch) => (steps.shift() ?? (() => Poll.WAIT))(batch, context),
      wakeAt: 77,
      snapshot: () => [{ id: 'a', next: 7 } as Split],
      onEvent: (event) => told.push(`event ${event}`),
      onDictionarySwept: () => told.push('swept'),
      close: () => told.push('close'),
    }),
  };
  const operator = new SourceOperator(source, splits, {
    requestSplit: () => told.push('request'),
    send: (event) => told.push(`sent ${event}`),
  });
  const output = new Output([consumer], cells);
  operator.open({
    subtask: 0,
    parallelism: 1,
    maxParallelism: 128,
    name: 'test',
    stateBackend: () => {
      throw new Error('No state here.');
    },
    clock: new ManualClock(),
    inputSchema: null,
    secondSchema: null,
    cells,
    output,
    sideOutput: () => output,
    splits,
    own: () => {},
    report: () => {},
    checkpointing: false,
    fail: () => {},
    wake: () => told.push('wake'),
  });
  return { operator, splits, consumer, told, log, cells };
}

describe('the source operator', () => {
  const row =
    (v: number, split: number, then?: (context: ReaderContext) => void) =>
    (batch: Parameters<SourceReader['poll']>[0], context: ReaderContext): Poll => {
      write(batch, 0, { v });
      batch.time[0] = v;
      batch.size = 1;
      batch.split = split;
      then?.(context);
      return Poll.MORE;
    };

  it('SP1 emits what was polled, counts it as read, and nothing for an empty poll', () => {
    const { operator, log, cells, consumer } = open([row(1, 0), () => Poll.WAIT, row(2, 0)]);
    expect([operator.poll(), operator.poll(), operator.poll()]).toEqual([Poll.MORE, Poll.WAIT, Poll.MORE]);
    expect(log.map((e) => e.kind === 'row' && [e.row.v, e.time])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect([consumer.batches, cells[OperatorCell.RECORDS_IN], cells[OperatorCell.RECORDS_OUT]]).toEqual([2, 2, 2]);
    expect(operator.wakeAt).toBe(77);
  });

  it('SP2 splits are numbered in the order in which they come, and are active until they are finished', () => {
    const { operator, splits, told } = open([row(1, 0, (c) => c.splitFinished(0)), row(2, 1)]);
    operator.addSplit({ id: 'a' });
    operator.addSplit({ id: 'b' });
    operator.noMoreSplits();
    expect([told, [...splits.active], splits.version]).toEqual([['a=0', 'b=1', 'no more'], [0, 1], 2]);
    operator.poll();
    expect([[...splits.active], splits.version]).toEqual([[1], 3]);
  });

  it('SP3 a split is finished only when its last rows are through the chain', () => {
    const { operator, splits, consumer } = open([row(1, 0, (c) => c.splitFinished(0)), row(2, 1)]);
    operator.addSplit({ id: 'a' });
    operator.addSplit({ id: 'b' });
    consumer.credits = 1;
    operator.poll();
    expect([...splits.active]).toEqual([0, 1]);
    consumer.credits = 1;
    operator.poll();
    expect([...splits.active]).toEqual([1]);
  });

  it('SP4 what reader and enumerator tell each other arrives', () => {
    const { operator, told } = open([
      (_batch, context) => {
        context.requestSplit();
        context.send(7);
        context.wake();
        return Poll.WAIT;
      },
    ]);
    operator.poll();
    operator.onEvent('x');
    operator.onSwept();
    operator.close();
    expect(told).toEqual(['request', 'sent 7', 'wake', 'event x', 'swept', 'close']);
  });

  it('SP5 the end comes with the maximum watermark, and a stopped source ends where it is', () => {
    const { operator, log } = open([row(1, 0), row(2, 0)]);
    operator.poll();
    operator.stop();
    expect([operator.poll(), operator.ended]).toEqual([Poll.END, true]);
    operator.endInput();
    expect(log.map((e) => e.kind)).toEqual(['row', 'watermark']);
  });

  it('WA8 asks again when a split has ended that others waited for', () => {
    const { operator, splits } = open([
      (_, context) => {
        expect([...context.paused]).toEqual([1]);
        context.splitFinished(0);
        return Poll.WAIT;
      },
      (_, context) => {
        expect([...context.paused]).toEqual([]);
        return Poll.WAIT;
      },
    ]);
    const watermarks = [100, 900];
    for (const _ of watermarks) operator.addSplit({ id: 'split' });
    splits.limits.join('group', {
      maxDriftMs: 10,
      reached: () => Math.min(...[...splits.active].map((index) => watermarks[index] as number)),
      splits: () => [...splits.active].map((index) => ({ index, watermark: watermarks[index] as number, idle: false })),
      drifts: () => {},
    });
    expect([operator.poll(), operator.poll()]).toEqual([Poll.MORE, Poll.WAIT]);
  });

  it('SR13 a snapshot holds what the reader still has, and a restored reader gets it back before its first poll', () => {
    const { operator, consumer, splits } = open([row(1, 0, (c) => c.splitFinished(0))]);
    operator.addSplit({ id: 'done' });
    consumer.credits = 1;
    operator.poll();
    expect([...splits.active]).toEqual([0]);
    consumer.credits = 1;
    const snapshot = operator.snapshot();
    // Its last rows are through, so that nothing behind the operator counts it any more.
    expect([...splits.active]).toEqual([]);
    const again = open([]);
    again.operator.restore([snapshot]);
    expect(again.told).toEqual([]);
    again.operator.start();
    expect([again.told, again.operator.snapshot()]).toEqual([['a=0'], snapshot]);
  });

  it('SR10 a stopped source has no splits, and ends again at once; at another parallelism if all had', () => {
    const [stopped, running] = [open([]).operator, open([]).operator];
    stopped.stop();
    const states = [stopped.snapshot(), running.snapshot()];
    const restored = (snapshots: typeof states) => {
      const { operator, told } = open([]);
      operator.restore(snapshots);
      operator.start();
      return [operator.poll(), told];
    };
    expect(restored(states.slice(0, 1))).toEqual([Poll.END, []]);
    expect(restored(states)).toEqual([Poll.WAIT, ['a=0']]);
    expect(restored([stopped.snapshot(), stopped.snapshot()])).toEqual([Poll.END, []]);
  });

  it('SP5 rows of the poll that says it is the end count', () => {
    const { operator, log } = open([
      (batch, context) => {
        row(3, 0)(batch, context);
        return Poll.END;
      },
    ]);
    expect([operator.poll(), operator.ended, log.length]).toEqual([Poll.END, true, 1]);
  });
});
