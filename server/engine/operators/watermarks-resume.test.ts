import { describe, expect, it } from 'vitest';
import { type HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { f64, schema } from '../batch/schema.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { boundedOutOfOrderness, forGenerator, type WatermarkStrategy } from '../time/watermark-strategy.ts';
import { MAX_WATERMARK } from './operator.ts';
import { WatermarksOperator } from './watermarks.ts';

const S = schema({ v: f64() });
const onEvent = boundedOutOfOrderness(10, { emit: 'on-event' });

interface Given extends Pick<HarnessOptions, 'subtask' | 'parallelism' | 'restore' | 'clock'> {
  readonly strategy?: WatermarkStrategy;
  /** Ids of the splits that the source reads. */
  readonly splits?: readonly string[];
}

/** Splits are there before the first element, as those of a source are. */
function open({ strategy = onEvent, splits = [], ...options }: Given = {}): OperatorHarness {
  const h = new OperatorHarness(new WatermarksOperator(strategy), { input: S, output: S, ...options });
  for (const id of splits) h.splits.add(id);
  return h.resume();
}

const feed = (h: OperatorHarness, split: number, ...times: number[]): OperatorHarness =>
  h.rows(
    times.map(() => ({ v: 0 })),
    { times, split },
  );
/** Watermarks and statuses. */
const marks = (h: OperatorHarness): string[] => h.take().filter((line) => !line.startsWith('{'));

describe('watermarks that go on from a checkpoint', () => {
  it('SR11 what had been emitted is emitted again before the first row, and waits for credits', () => {
    const before = feed(open({ splits: ['a'] }), 0, 100).snapshot();
    const h = new OperatorHarness(new WatermarksOperator(onEvent), { input: S, output: S, restore: [before] });
    h.splits.add('a');
    h.credits(0).resume();
    expect([h.pending, h.take()]).toEqual([true, []]);
    h.credits(1).resume();
    expect([h.pending, h.take()]).toEqual([false, ['watermark 89']]);
    expect(marks(feed(h.credits(9), 0, 50, 101))).toEqual(['watermark 90']);
  });

  it('SR11 each split finds its own watermark, in whichever subtask it is read; those gone hold nothing back', () => {
    const [one, two] = [open({ splits: ['a', 'b'] }), open({ splits: ['c'] })];
    feed(feed(one, 0, 100), 1, 300);
    feed(two, 0, 200);
    const restore = [one.snapshot(), two.snapshot()];
    expect([one, two].map(marks)).toEqual([['watermark 89'], ['watermark 189']]);
    const same = open({ restore, parallelism: 2, subtask: 1, splits: ['c'] });
    expect(marks(same)).toEqual(['watermark 189']);
    const alone = open({ restore, splits: ['c', 'b'] });
    expect(marks(alone)).toEqual(['watermark 89']);
    // Of a, which had only 100, nothing is left; c is still at 200.
    expect(marks(feed(alone, 1, 301))).toEqual(['watermark 189']);
    expect(marks(feed(alone, 0, 250))).toEqual(['watermark 239']);
  });

  it('SR11 a split that had no row yet holds back, and a new one does', () => {
    const before = feed(open({ splits: ['a', 'b'] }), 0, 100).snapshot();
    const h = open({ restore: [before], splits: ['b', 'a', 'new'] });
    expect(marks(feed(h, 1, 500))).toEqual([]);
    expect(marks(feed(h, 0, 400))).toEqual([]);
    expect(marks(feed(h, 2, 300))).toEqual(['watermark 289']);
  });

  it('SR11 idle splits and an idle stream stay so, until a row comes', () => {
    const strategy = boundedOutOfOrderness(10, { emit: 'on-event', idleTimeoutMs: 1000 });
    const h = feed(feed(open({ strategy, splits: ['a', 'b'] }), 0, 100), 1, 50).advance(2000);
    expect(marks(h)).toEqual(['watermark 39', 'idle']);
    const again = open({ strategy, restore: [h.snapshot()], splits: ['a', 'b'] });
    expect(marks(again)).toEqual(['watermark 39', 'idle']);
    expect(marks(feed(again, 0, 200))).toEqual(['active', 'watermark 189']);
  });

  it('SR11 a generator goes on with what it had learned, if it says what that is', () => {
    // Every third row.
    const strategy = forGenerator(
      () => {
        let rows = 0;
        return {
          onEvent: (_row, timestamp, output) => {
            if (++rows % 3 === 0) output.emitWatermark(timestamp);
          },
          onPeriodicEmit: () => {},
          snapshot: () => rows,
          restore: (state) => {
            rows = state as number;
          },
        };
      },
      { emit: 'on-event' },
    );
    const h = feed(open({ strategy, splits: ['a'] }), 0, 1, 2, 3, 4, 5);
    expect(marks(h)).toEqual(['watermark 3']);
    const again = open({ strategy, restore: [h.snapshot()], splits: ['a'] });
    expect(marks(feed(again, 0, 6))).toEqual(['watermark 3', 'watermark 6']);
  });

  it('SR11 where rows come through channels a subtask goes on as it was; at another parallelism from the one furthest behind', () => {
    const one = feed(open(), -1, 100);
    const two = feed(open(), -1, 200);
    const restore: OperatorSnapshot[] = [one.snapshot(), two.snapshot()];
    expect(marks(feed(open({ restore, parallelism: 2, subtask: 1 }), -1, 150, 201))).toEqual([
      'watermark 189',
      'watermark 190',
    ]);
    expect(marks(feed(open({ restore }), -1, 150))).toEqual(['watermark 89', 'watermark 139']);
  });

  it('SR11 behind the end of the input it is the last one', () => {
    const h = feed(open({ splits: ['a'] }), 0, 100).watermark(MAX_WATERMARK);
    const again = open({ restore: [h.snapshot()] });
    expect(marks(again)).toEqual(['watermark Infinity']);
    expect(marks(again.watermark(MAX_WATERMARK).end())).toEqual(['end']);
  });
});
