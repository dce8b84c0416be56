/**
 * The command line. Each command is a file of its own that declares its flags here and loads its work only when it is called.
 * Wrong usage is one line on standard error and exit code 2; what fails later is one line and exit code 1.
 */

import { Command, CommanderError } from 'commander';
import { messageOf, UsageError, WeirError } from '#base/errors.ts';
import { addBench } from './bench.ts';
import { addControl } from './control.ts';
import { addJobs } from './jobs.ts';
import { addRun } from './run.ts';
import { addSavepoints } from './savepoints.ts';
import { addServe } from './serve.ts';
import { addUpgrade } from './upgrade.ts';

export const EXIT = { DONE: 0, FAILED: 1, USAGE: 2 } as const;

/** Runs one command and gives its exit code. `args` without interpreter and script. Never throws. */
export async function runCommand(args: readonly string[]): Promise<number> {
  let code: number = EXIT.DONE;
  const program = makeProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return explain(error);
  }
}

function makeProgram(done: (code: number) => void): Command {
  const program = new Command('weir')
    .description('A stream processor you can watch.')
    .addHelpText('after', EXAMPLES)
    .usage('<command> [options]')
    .argument('[command]')
    .action((name: string | undefined) => {
      throw new UsageError(
        name === undefined
          ? 'Say what to do: weir serve, or weir run JOB. `weir --help` tells more.'
          : `There is no command "${name}"; there are serve, run, jobs, checkpoints, checkpoint, savepoint, savepoints, stop, cancel, rescale, upgrade and bench.`,
      );
    })
    .showSuggestionAfterError();
  addServe(program, done);
  addRun(program, done);
  addJobs(program, done);
  addControl(program, done);
  addSavepoints(program, done);
  addUpgrade(program, done);
  addBench(program, done);
  for (const command of allOf(program)) {
    command.exitOverride().configureOutput({
      // Commander may add a suggestion on a line of its own.
      outputError: (text, write) =>
        write(
          `weir: ${text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')}\n`,
        ),
    });
  }
  return program;
}

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    // It has been told already.
    return error.exitCode === 0 ? EXIT.DONE : EXIT.USAGE;
  }
  process.stderr.write(`weir: ${oneLine(error)}\n`);
  if (!(error instanceof WeirError) && error instanceof Error && error.stack) process.stderr.write(`${error.stack}\n`);
  return error instanceof UsageError ? EXIT.USAGE : EXIT.FAILED;
}

const oneLine = (error: unknown): string =>
  messageOf(error)
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');

const EXAMPLES = `
Examples:
  weir serve                                          a simulated job, live in the browser
  weir run iot --input readings.ndjson                a file, from its first line to its last
  weir jobs --available                               what else can be run
  weir run iot --help                                 all flags of the job`;
