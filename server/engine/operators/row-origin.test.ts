import { describe, expect, it } from 'vitest';
import { OperatorHarness } from '#testing/harness.ts';
import { bool, f64, i32, nullable, schema, string } from '../batch/schema.ts';
import { StreamExecutionEnvironment } from '../graph/data-stream.ts';
import { boundedOutOfOrderness, forGenerator, type WatermarkStrategy } from '../time/watermark-strategy.ts';
import type { SplitReport, WatermarkReport } from './watermark-report.ts';
import { WatermarksOperator } from './watermarks.ts';

const S = schema({ device: nullable(string()), line: i32(), mark: bool(), v: f64() });
type S = typeof S.fields;
/** Device, timestamp, and whether it is a mark. */
type Given = readonly [device: string | null, time: number, mark?: boolean];

const harness = (strategy: WatermarkStrategy<S>, restore: OperatorHarness[] = []): OperatorHarness => {
  const h = new OperatorHarness(new WatermarksOperator(strategy as unknown as WatermarkStrategy), {
    input: S,
    output: S,
    restore: restore.map((before) => before.snapshot()),
  });
  h.splits.add('a');
  h.splits.add('b');
  return h.resume();
};

const feed = (h: OperatorHarness, rows: readonly Given[], split = 0): OperatorHarness =>
  h.rows(
    rows.map(([device, , mark = false]) => ({ device, line: (device ?? '').length, mark, v: 0 })),
    { times: rows.map(([, time]) => time), split },
  );

const splits = (h: OperatorHarness): readonly SplitReport[] => (h.inspect({}) as WatermarkReport).splits;
const origin = (h: OperatorHarness, split = 0): string | null => splits(h)[split]?.origin ?? null;

const bounded = (emit: 'on-event' | number) => boundedOutOfOrderness(10, { emit }).withOrigin<S>('device');
const marked = (emit: 'on-event' | number): WatermarkStrategy<S> =>
  forGenerator<S>(
    () => ({
      onEvent: (row, time, output) => {
        if (row.mark) output.emitWatermark(time);
      },
      onPeriodicEmit: () => {},
    }),
    { emit },
  ).withOrigin('device');

describe('who the row was from that raised the watermark of a split', () => {
  it.each(['on-event', 100] as const)('WH6 is the one with the largest timestamp, split by split, made %s', (emit) => {
    const h = harness(bounded(emit));
    expect(splits(h).map((split) => split.origin)).toEqual([null, null]);
    feed(h, [
      ['one', 100],
      ['two', 300],
      ['three', 200],
    ]);
    feed(h, [['other', 50]], 1);
    expect(splits(h).map((split) => split.origin)).toEqual(['two', 'other']);
    // Nothing that comes behind it counts, until it is passed.
    feed(h, [['four', 299]]);
    feed(h, [['five', 300]]);
    expect(origin(h)).toBe('two');
    feed(h, [[null, 301]]);
    expect(origin(h)).toBeNull();
  });

  it('WH6 is the one of the row behind which a generator of one’s own said it', () => {
    const h = harness(marked('on-event'));
    feed(h, [
      ['one', 100],
      ['two', 50, true],
      ['three', 200],
    ]);
    expect(origin(h)).toBe('two');
    feed(h, [['four', 40, true]]);
    expect(origin(h)).toBe('two');
    const asked = forGenerator<S>(
      () => {
        let largest = 0;
        return {
          onEvent: (_row, time) => {
            largest = Math.max(largest, time);
          },
          onPeriodicEmit: (output) => output.emitWatermark(largest),
        };
      },
      { emit: 100 },
    ).withOrigin('device');
    const periodic = feed(harness(asked), [
      ['one', 100],
      ['two', 90],
    ]);
    expect(origin(periodic)).toBeNull();
    expect(origin(periodic.advance(100))).toBe('one');
  });

  it('WH6 is still known behind a checkpoint, also to one of before there were origins', () => {
    const h = feed(harness(bounded('on-event')), [['one', 100]]);
    expect(origin(harness(bounded('on-event'), [h]))).toBe('one');
    const plain = feed(harness(boundedOutOfOrderness(10, { emit: 'on-event' }) as unknown as WatermarkStrategy<S>), [
      ['one', 100],
    ]);
    expect(origin(plain)).toBeNull();
    expect(origin(harness(bounded('on-event'), [plain]))).toBeNull();
  });

  it('WH6 may be a whole number; a long text is cut to 256 characters', () => {
    const numbers = boundedOutOfOrderness(0).withOrigin<S>('line');
    expect(origin(feed(harness(numbers), [['four', 1]]))).toBe('4');
    expect(origin(feed(harness(bounded(100)), [['x'.repeat(1000), 1]]))).toBe('x'.repeat(256));
  });

  it('WH6 a column that is not there, or says nothing of that kind, is refused when the job is built', () => {
    const job = (column: string) => () =>
      new StreamExecutionEnvironment({ name: 'x', parallelism: 1 })
        .fromSource({ schema: S } as never, 'rows')
        .assignTimestampsAndWatermarks(boundedOutOfOrderness(0).withOrigin(column as never), 'marks');
    expect(job('devise')).toThrow('marks, withOrigin: unknown field "devise"; the stream has device, line, mark, v.');
    expect(job('v')).toThrow('marks: withOrigin("v") needs a string or i32 column, but it is f64.');
  });
});
