/** Bench `ndjson`: a file of readings to CSV files of results, against the script anyone would write. Both results are compared. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeirError } from '#base/errors.ts';
import { prepareOutputDirectory } from '#connectors/file/output-directory.ts';
import type { TaskManagers } from '#runtime/job/task-managers.ts';
import { firstDifference, readResults } from './csv-results.ts';
import { collectGarbage } from './garbage.ts';
import { IOT, iotParams } from './iot-params.ts';
import { type Comparison, compare, cpuText, millions, type Pass, ratioText } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { Rival } from './rival.ts';
import { expectCount, newTaskManagers, runJob, WORKER, warmUp } from './run-job.ts';
import { type Digits, ensureFile, malformedOf } from './text-input.ts';

/** What must hold, and what is hoped for, with readings of two decimals. */
const GOALS = [
  { parallelism: 1, least: 2, goal: 2.5 },
  { parallelism: 2, least: 3.5, goal: 4.5 },
];

interface Row extends Comparison {
  readonly digits: Digits;
  readonly parallelism: number;
  readonly least: number;
  readonly goal: number;
}

export async function ndjsonBench({ runs, lines, say }: BenchOptions): Promise<Report> {
  const work = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const rows: Row[] = [];
  let results = 0;
  try {
    for (const { parallelism, least, goal } of GOALS) {
      const rival = new Rival(WORKER);
      const taskManagers = newTaskManagers(parallelism);
      try {
        say(`parallelism ${parallelism}: other jobs first …`);
        await warmUp(taskManagers);
        for (const digits of ['short', 'long'] as const) {
          const input = join(tmpdir(), `weir-bench-readings-v1-${digits}-${lines}.ndjson`);
          ensureFile(input, lines, digits);
          const own = join(work, 'weir');
          const other = join(work, 'script.csv');
          await collectGarbage();
          say(`parallelism ${parallelism}, ${digits} numbers: ${runs} runs of ${lines / 1e6} M lines …`);
          const found = await compare(
            runs,
            () => runEngine(taskManagers, parallelism, input, own, lines),
            () => runRival(rival, input, other, lines),
            1,
          );
          results = expectSame(join(own, 'windows'), other);
          rows.push({ digits, parallelism, least, goal, ...found });
        }
      } finally {
        await Promise.all([taskManagers.close(), rival.close()]);
      }
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return report(rows, runs, lines, results);
}

/** One run, to the commit of its last file. */
async function runEngine(
  taskManagers: TaskManagers,
  parallelism: number,
  path: string,
  output: string,
  lines: number,
): Promise<Pass> {
  prepareOutputDirectory(output, { overwrite: true });
  const run = await runJob(taskManagers, {
    name: 'iot',
    params: iotParams({ kind: 'file', options: { path } }, parallelism, { output }),
  });
  const what = `ndjson, parallelism ${parallelism}`;
  expectCount(`${what}, lines`, run.totals.events, lines);
  expectCount(`${what}, errors`, run.totals.errors, malformedOf(lines));
  expectCount(`${what}, late events`, run.totals.late, 0);
  expectCount(`${what}, events into ${IOT.windows}`, run.recordsIn(IOT.windows), lines - malformedOf(lines));
  return { units: lines, rate: lines / run.seconds };
}

async function runRival(rival: Rival, input: string, output: string, lines: number): Promise<Pass> {
  const pass = await rival.script({ input, output });
  expectCount('ndjson, lines of the script', pass.lines, lines);
  expectCount('ndjson, errors of the script', pass.errors, malformedOf(lines));
  return { units: pass.lines, rate: pass.lines / pass.seconds };
}

/** Throws unless both give the same results; how many they are. */
function expectSame(directory: string, script: string): number {
  const ours = readResults(directory);
  const difference = firstDifference(ours, readResults(script));
  if (difference !== null)
    throw new WeirError('BENCH_RESULTS', `ndjson: the results differ from the script's: ${difference}`);
  return ours.size;
}

function report(rows: readonly Row[], runs: number, lines: number, results: number): Report {
  return {
    bench: 'ndjson',
    question: 'NDJSON file -> windows -> CSV files, against the script anyone would write',
    columns: ['parallelism, numbers', 'M lines/s', 'script', 'ratio', 'at least', 'goal', '', 'CPU ns / line'],
    rows: rows.map((row) => [
      `${row.parallelism}, ${row.digits === 'short' ? '2 decimals' : '17 digits'}`,
      millions(row.subject),
      millions(row.yardstick),
      ratioText(row),
      row.digits === 'short' ? row.least.toFixed(1) : '',
      row.digits === 'short' ? row.goal.toFixed(1) : '',
      row.digits === 'long' ? '' : row.ratio >= row.goal ? 'goal' : row.ratio >= row.least ? 'holds' : 'FAILS',
      cpuText(row),
    ]),
    notes: [
      `Medians [min..max] of ${runs} runs each, in turns; ${lines / 1e6} M lines of 1000 devices, 0.1 % malformed, ${results} results.`,
      'The script reads the file as a whole, JSON.parse, a Map of accumulators; one thread, warm. Both results are equal (averages to 1e-9).',
    ],
    data: { lines, results, rows },
  };
}
