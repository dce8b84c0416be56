/**
 * A job on readings in one thread: readings go in through a file, as they do from the command line, and what it wrote is read back.
 *
 *   await runReadings((params) => buildSessions({ ...params, gapMs: 1000 }), 'sessions', [reading('a', 0), reading('a', 500)]);
 *   // ['a,0,1500,2,20,20']
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { ReadingsParams } from '#jobs/readings.ts';
import { LocalExecutor } from '#runtime/local/local-executor.ts';

export interface PlainReading {
  readonly device_id: string;
  readonly event_timestamp: number;
  readonly temperature: number;
  readonly humidity: number;
  readonly pressure: number;
}

/** Whatever is not told is as on a mild day. */
export function reading(device: string, time: number, values: Partial<PlainReading> = {}): PlainReading {
  return { device_id: device, event_timestamp: time, temperature: 20, humidity: 50, pressure: 1000, ...values };
}

/** Lines of the results in `directory`, without header, subtask by subtask. */
export async function runReadings(
  build: (params: ReadingsParams) => JobGraph,
  directory: string,
  readings: readonly PlainReading[],
  changes: Partial<ReadingsParams> = {},
): Promise<string[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'weir-job-'));
  try {
    const path = join(scratch, 'readings.ndjson');
    writeFileSync(path, readings.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const output = join(scratch, 'out');
    const graph = build({
      source: { kind: 'file', options: { path } },
      outOfOrdernessMs: 0,
      idleTimeoutMs: null,
      alignmentMs: null,
      watermarkEmit: 'on-event',
      parallelism: { source: 1, window: 1 },
      output,
      console: null,
      rollIntervalMs: 10_000,
      ...changes,
    });
    await new LocalExecutor(graph).runAsync();
    return linesOf(join(output, directory));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Rows of all CSV parts in a directory; none if there is none. */
export function linesOf(directory: string): string[] {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n').slice(1));
}
