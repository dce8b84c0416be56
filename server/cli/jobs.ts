/** `weir jobs --available` */

import type { Command } from 'commander';
import { UsageError } from '#base/errors.ts';

interface JobsFlags {
  available?: true;
  json?: true;
}

export function addJobs(program: Command, done: (code: number) => void): void {
  program
    .command('jobs')
    .description('list jobs')
    .option('--available', 'the jobs that ship with Weir')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  weir jobs --available\n  weir jobs --available --json')
    .action(async ({ available, json }: JobsFlags) => {
      if (available !== true) throw new UsageError('Say which jobs: weir jobs --available.');
      const { availableJobs } = await import('#jobs/registry.ts');
      if (json === true) process.stdout.write(`${JSON.stringify(availableJobs)}\n`);
      else
        for (const { name, description } of availableJobs) process.stdout.write(`${name.padEnd(12)}${description}\n`);
      done(0);
    });
}
