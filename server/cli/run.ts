/** `weir run JOB` */

import type { Command } from 'commander';
import { UsageError } from '#base/errors.ts';
import { RUNNABLE, type RunFlags } from './runnable-jobs.ts';

export function addRun(program: Command, done: (code: number) => void): void {
  const names = RUNNABLE.map(({ name }) => name).join(', ');
  const run = program
    .command('run')
    .description('run a job to the end of its input')
    .usage('<job> [options]')
    .argument('[job]')
    .addHelpText('after', help(RUNNABLE.flatMap(({ examples }) => examples.slice(0, 2))))
    .action((job: string | undefined) => {
      throw new UsageError(
        job === undefined
          ? `Say which job to run: ${names}. \`weir jobs --available\` tells what they do.`
          : `There is no job "${job}"; there are: ${names}.`,
      );
    });
  for (const job of RUNNABLE) {
    job
      .addFlags(run.command(job.name).description(job.description))
      .option('--explain', 'print the tasks and exchanges of the job instead of running it')
      .option('--json', 'one JSON object with the summary on standard output, and nothing else')
      .addHelpText('after', help(job.examples))
      .action(async (flags: RunFlags) => {
        const { runJob } = await import('./run-job.ts');
        done(await runJob(job, flags));
      });
  }
}

const help = (examples: readonly string[]): string => `
Examples:
${examples.map((example) => `  ${example}`).join('\n')}

Without --output results go to standard output. Ctrl-C stops reading, finishes what was read and commits it.
Exit codes: 0 done, 1 failed, 2 bad usage, 130 stopped before the end of an input that has one.`;
