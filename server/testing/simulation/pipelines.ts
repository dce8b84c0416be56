/**
 * A job of several regions: rows go straight from the source through two functions to the sinks, and no subtask hears of another one. What fails
 * takes its own pipeline away, and no other.
 */

import type { Random } from '#base/random.ts';
import { Reading } from '#connectors/iot/reading.ts';
import { f64, schema, string, timestamp } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Sink } from '#engine/io/sink.ts';
import { fromRows, type RowsOptions } from '../collect.ts';
import type { Fault } from './draw.ts';
import { checkedReadings, type Parallelism, pick, type ReadingRow, type Trouble } from './readings.ts';
import type { SimulatedJob } from './simulated-jobs.ts';

const Doubled = schema({ device_id: string(), event_timestamp: timestamp(), twice: f64() });

export interface Pipelines {
  /** Both functions in one subtask; else a channel is between them. */
  readonly chained: boolean;
  readonly deal: NonNullable<RowsOptions['deal']>;
}

/** The same rows in another job, and more splits of them. */
export function drawPipelines(random: Random, job: SimulatedJob): SimulatedJob {
  const pipelines = { chained: random.below(2) === 0, deal: pick(random, ['together', 'one-by-one'] as const) };
  return { ...job, kind: 'pipelines', pipelines, splits: 1 + random.below(6), late: false };
}

/** Pipelines fail one by one, most of all. */
export function drawPipelineFaults(random: Random, spanMs: number): { at: number; fault: Fault }[] {
  return Array.from({ length: 1 + random.below(4) }, () => {
    const type = pick(random, ['throw', 'throw', 'kill'] as const);
    const fault: Fault = type === 'kill' ? { type, taskManager: random.below(3) } : { type };
    return { at: random.below(spanMs), fault };
  });
}

/** As many subtasks in each: else there is one region only. */
export function inPipelines({ main }: Parallelism): Parallelism {
  return { source: main, main, sink: main };
}

export function buildPipelines(
  { rows, splits, batch, everyMs, pipelines }: SimulatedJob,
  { source: sources, main }: Parallelism,
  files: (name: string) => Sink,
  trouble: Trouble,
): JobGraph {
  const { chained = true, deal = 'together' } = pipelines ?? {};
  const env = new StreamExecutionEnvironment({ name: 'simulated', parallelism: main });
  const timed = rows.map((row) => ({ row, time: row.event_timestamp }));
  const first = chained ? main : sources;
  const source = fromRows(Reading, timed, { splits, cut: () => batch, everyMs, deal });
  const at = { source: first, sink: first };
  const valid = checkedReadings(env, source, 'readings', at, files, trouble);
  const doubled = valid
    .process('main', {
      output: Doubled,
      create: () => (row, _, out) => {
        trouble.row();
        const { device_id, event_timestamp, temperature } = row;
        out.collect({ device_id, event_timestamp, twice: 2 * temperature });
      },
    })
    .setParallelism(main)
    .uid('main');
  if (!chained) doubled.startNewChain();
  doubled.sinkTo(files('results'), 'results').setParallelism(main).uid('results-files');
  return env.jobGraph();
}

/** Rows of the results. */
export function doubled(rows: readonly ReadingRow[]): unknown[][] {
  return rows.map(({ device_id, event_timestamp, temperature }) => [device_id, event_timestamp, 2 * temperature]);
}
