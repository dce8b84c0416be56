/** A job of four pipelines that share nothing but their source's splits, for the test of failover regions between threads. */

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FileSink } from '#connectors/file/file-sink.ts';
import { NdjsonFormat } from '#connectors/file/ndjson-format.ts';
import { f64, schema } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Sink } from '#engine/io/sink.ts';
import { fromRows } from '#testing/collect.ts';

export const PIPELINES = 4;
export const ROWS = 6000;
const Row = schema({ v: f64() });

/** Of a subtask that is to throw once. */
export const throwFile = (work: string, subtask: number): string => join(work, `throw-${subtask}`);

/** `work`: directory of its output and of the files that tell it to throw. Rows come for about two seconds. */
export function buildRegionsJob(work: string): JobGraph {
  const rows = Array.from({ length: ROWS }, (_, v) => ({ row: { v }, time: null }));
  const env = new StreamExecutionEnvironment({ name: 'regions', parallelism: PIPELINES });
  env
    .fromSource(fromRows(Row, rows, { splits: 24, cut: () => 4, everyMs: 5, deal: 'one-by-one' }), 'rows')
    .uid('rows')
    .process('check', {
      output: Row,
      create: (subtask) => {
        const file = throwFile(work, subtask);
        return (_, __, out) => {
          if (existsSync(file)) {
            rmSync(file);
            throw new Error('told to throw');
          }
          out.forward();
        };
      },
    })
    .startNewChain()
    .uid('check')
    .sinkTo(new FileSink({ directory: join(work, 'out'), format: new NdjsonFormat() }) as Sink, 'out')
    .uid('out');
  return env.jobGraph();
}
