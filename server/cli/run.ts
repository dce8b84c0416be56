/** `weir run JOB` */

import type { Command } from 'commander';
import { UsageError } from '#base/errors.ts';
import { addIotFlags } from './iot-options.ts';
import type { RunFlags } from './run-iot.ts';

export function addRun(program: Command, done: (code: number) => void): void {
  const run = program
    .command('run')
    .description('run a job to the end of its input')
    .usage('iot [options]')
    .argument('[job]')
    .addHelpText('after', EXAMPLES)
    .action((job: string | undefined) => {
      throw new UsageError(
        job === undefined
          ? 'Say which job to run: weir run iot. `weir jobs --available` lists them.'
          : `There is no job "${job}". There is: iot.`,
      );
    });
  const iot = run
    .command('iot')
    .description('readings of devices: validated, averaged per device and window; errors and late events apart');
  addIotFlags(iot)
    .option('--explain', 'print the tasks and exchanges of the job instead of running it')
    .option('--json', 'one JSON object with the summary on standard output, and nothing else')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RunFlags) => {
      const { runIot } = await import('./run-iot.ts');
      done(await runIot(flags));
    });
}

const EXAMPLES = `
Examples:
  weir run iot --input readings.ndjson
  weir run iot --input data/ --output results --window 1m --parallelism 2
  zcat big.csv.gz | weir run iot --input - --format csv --output results --json
  weir run iot --simulate devices=1000,events=10M,disorder=exp:2s,late=0.01 --output results
  weir run iot --simulate --parallelism 4 --explain

Without --output results go to standard output. Ctrl-C stops reading, finishes what was read and commits it.
Exit codes: 0 done, 1 failed, 2 bad usage, 130 stopped before the end of an input that has one.`;
