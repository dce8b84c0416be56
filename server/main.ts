/** Entry of the main process: the command line. Together with `worker.ts` the only file that may know every room. */

import { runCommand } from '#cli/program.ts';

// A reader that has gone (`weir … | head`) is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exit(await runCommand(process.argv.slice(2)));
