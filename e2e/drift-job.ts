/**
 * Two sources, one of which goes through event time ten times as fast, into windows: for the test of watermark alignment between threads. A reader
 * asks before each batch; what it is told, and when, is up to whoever has the source on the main thread. So no clock plays a part.
 */

import { makeRowWriter } from '#engine/batch/cursor.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { f64, schema, string } from '#engine/batch/schema.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import {
  type Enumerator,
  type EnumeratorContext,
  Poll,
  type ReaderContext,
  type Source,
  type SourceReader,
  type Split,
} from '#engine/io/source.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { count } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink } from '#testing/collect.ts';

export const WINDOW_MS = 10_000;
export const DRIFT_MS = 50_000;
export const UPDATE_MS = 5;
export const BATCH_MS = { fast: 100_000, slow: 10_000 } as const;
export const END_MS = 1_000_000;
export const KEYS = ['fast', 'slow'] as const;

const S = schema({ key: string(), v: f64() });

/** A batch holds a row for each window of as much event time as it goes through. */
export class AskedSource implements Source<typeof S.fields> {
  readonly schema = S;
  readonly bounded = true;
  readonly #key: (typeof KEYS)[number];
  readonly #subtask: number;
  /** Called on the main thread whenever the reader, which has read up to `time` (ms), wants more. */
  onAsk: (time: number, grant: () => void) => void = (_time, grant) => grant();

  /** `subtask`: that reads it; the others have nothing to read. */
  constructor(key: (typeof KEYS)[number], subtask: number) {
    this.#key = key;
    this.#subtask = subtask;
  }

  createEnumerator(context: EnumeratorContext<Split>): Enumerator {
    return {
      start: () => {
        context.assign(this.#subtask, { id: this.#key });
        for (let subtask = 0; subtask < context.parallelism; subtask++) context.noMoreSplits(subtask);
      },
      onSplitRequest: () => {},
      onReaderEvent: (subtask, time) => this.onAsk(time as number, () => context.send(subtask, 'go on')),
      snapshot: () => null,
      close: () => {},
    };
  }

  createReader(context: ReaderContext): SourceReader {
    const write = makeRowWriter(S, this.#key);
    const step = BATCH_MS[this.#key];
    let split = -1;
    let time = 0;
    let asked = false;
    let granted = false;
    let complete = false;
    return {
      wakeAt: Number.POSITIVE_INFINITY,
      addSplit: (_split, index) => {
        split = index;
        context.wake();
      },
      noMoreSplits: () => {
        complete = true;
        context.wake();
      },
      onEvent: () => {
        granted = true;
        context.wake();
      },
      poll: (batch: RecordBatch) => {
        if (split < 0 || time === END_MS) return complete ? Poll.END : Poll.WAIT;
        if (!granted) {
          if (!asked) context.send(time);
          asked = true;
          return Poll.WAIT;
        }
        asked = granted = false;
        for (const to = time + step; time < to; time += WINDOW_MS) {
          write(batch, batch.size, { key: this.#key, v: 1 });
          batch.time[batch.size++] = time;
        }
        batch.split = split;
        if (time === END_MS) context.splitFinished(split);
        return Poll.MORE;
      },
      snapshot: () => [],
      close: () => {},
    };
  }
}

/** `sources`: those of the graph, in order of `KEYS`. */
export function buildDriftJob(): { graph: JobGraph; sources: readonly AskedSource[] } {
  const env = new StreamExecutionEnvironment({ name: 'drift', parallelism: 2 });
  const strategy = boundedOutOfOrderness(0, { emit: 'on-event' }).withWatermarkAlignment('both', DRIFT_MS, UPDATE_MS);
  const sources = KEYS.map((key, subtask) => new AskedSource(key, subtask));
  const [fast, slow] = KEYS.map((_, i) =>
    env.fromSource(sources[i] as AskedSource, KEYS[i] as string).assignTimestampsAndWatermarks(strategy),
  );
  (fast as DataStream<typeof S.fields>)
    .union(slow as DataStream<typeof S.fields>)
    .keyBy('key')
    .window(TumblingEventTimeWindows.of(WINDOW_MS))
    .aggregate({ n: count() })
    .uid('windows')
    .sinkTo(new CollectSink(), 'results')
    .uid('results');
  return { graph: env.jobGraph(), sources };
}

export const driftGraph = (): JobGraph => buildDriftJob().graph;
