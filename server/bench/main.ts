/** Entry of the benches: `npm run bench -- [names…] [--json]`. What each asks is told in README.md beside this file. */

import { messageOf, UsageError } from '#base/errors.ts';
import { checkpointsBench } from './checkpoints.ts';
import { flatBench } from './flat.ts';
import { generatorBench } from './generator.ts';
import { ndjsonBench } from './ndjson.ts';
import { type BenchOptions, readCommand } from './options.ts';
import { recoveryBench } from './recovery.ts';
import { describeMachine, describeReport, machine, type Report } from './report.ts';
import { stagesBench } from './stages.ts';
import { stateBench } from './state.ts';
import { stateSizeBench } from './state-size.ts';
import { windowsBench } from './windows.ts';
import { yardstickBench } from './yardstick-bench.ts';

/** In the order in which they run. */
const BENCHES: Record<string, (options: BenchOptions) => Promise<Report>> = {
  yardstick: yardstickBench,
  generator: generatorBench,
  windows: windowsBench,
  state: stateBench,
  'state-size': stateSizeBench,
  checkpoints: checkpointsBench,
  recovery: recoveryBench,
  ndjson: ndjsonBench,
  stages: stagesBench,
  flat: flatBench,
};

const HELP = `Usage: npm run bench -- [names…] [options]

Benches: ${Object.keys(BENCHES).join(', ')} (default: all)

  --json           one JSON object on standard output
  --runs <n>       runs that count, of each side (default: 5)
  --seconds <s>    length of a run of generator, windows and yardstick (default: 2.5)
  --lines <n>      lines of the files of ndjson (default: 1500000)
  --keys <n>       keys of state-size (default: 10000000)
  --minutes <m>    length of flat (default: 0.5)
  --churn          flat with device ids that are never seen again
`;

async function run(args: readonly string[]): Promise<number> {
  const say = (line: string): void => {
    process.stderr.write(`bench: ${line}\n`);
  };
  const { names, help, options } = readCommand(args, say);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const unknown = names.find((name) => BENCHES[name] === undefined);
  if (unknown !== undefined) {
    throw new UsageError(`There is no bench "${unknown}"; there are ${Object.keys(BENCHES).join(', ')}.`);
  }
  const on = machine();
  const reports: Report[] = [];
  if (!options.json) process.stdout.write(`${describeMachine(on)}\n\n`);
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const report = await bench(options);
    reports.push(report);
    if (!options.json) process.stdout.write(`${describeReport(report)}\n`);
  }
  if (options.json) {
    const benches = Object.fromEntries(
      reports.map(({ bench, question, notes, data }) => [bench, { question, notes, data }]),
    );
    process.stdout.write(`${JSON.stringify({ machine: on, benches }, null, 2)}\n`);
  }
  return 0;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
