/** A job with an operator that, at one of its rows and once only, keeps more than a thread's heap can hold. */

import { existsSync, writeFileSync } from 'node:fs';
import { i32, schema, string } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { fromRows } from '#testing/collect.ts';
import { HeldSink } from './held-job.ts';

export const ROWS = 300_000;
const S = schema({ k: string(), v: i32() });

/** It leaves the file `eaten` in the directory, and commits into it (`HeldSink`). */
export function buildHungryJob(directory: string): JobGraph {
  const env = new StreamExecutionEnvironment({ name: 'hungry', parallelism: 2 });
  const rows = Array.from({ length: ROWS }, (_, i) => ({ row: { k: `k${i % 97}`, v: i }, time: i }));
  env
    .fromSource(fromRows(S, rows, { splits: 2, cut: () => 500 }), 'rows')
    .uid('rows')
    .keyBy('k')
    .process('hungry', {
      output: S,
      create: () => ({
        processElement: (row, _ctx, out) => {
          if (row.v === ROWS / 2 && !existsSync(`${directory}/eaten`)) {
            writeFileSync(`${directory}/eaten`, '');
            eat();
          }
          out.collect({ k: row.k, v: row.v });
        },
      }),
    })
    .uid('hungry')
    .sinkTo(new HeldSink(directory), 'out')
    .uid('out');
  return env.jobGraph();
}

function eat(): never {
  const kept: object[] = [];
  for (;;) kept.push({ of: kept.length, no: 'use' });
}
