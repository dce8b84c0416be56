/** `weir serve` */

import { type Command, Option } from 'commander';
import { count } from './flags.ts';
import { addIotFlags } from './iot-options.ts';
import type { ServeFlags } from './serve-iot.ts';
import { ordersOf, underOrders } from './supervised.ts';

export function addServe(program: Command, done: (code: number) => void): void {
  const serve = program
    .command('serve')
    .description('run a job and show it live in the browser')
    .option('--host <address>', 'address to listen on; others than this machine need a token', '127.0.0.1')
    .option('--port <number>', 'port to listen on, 0 for any free one', count({ min: 0, max: 65_535 }), 8080)
    .addOption(new Option('--job <name>', 'job to run').choices(['iot']).default('iot'))
    .option('--no-job', 'the dashboard only')
    .option('--token-file <file>', 'file with the token (16 characters or more) that lets somebody change things')
    .option('--token-read', 'the token is needed for reading, too')
    .option('--supervise', 'start the server again when it dies; the job goes on from its latest checkpoint')
    .option('--verbose', 'tell on standard error what happens');
  addIotFlags(serve)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ServeFlags) => {
      const orders = ordersOf(process.env);
      if (flags.supervise === true && orders === null) {
        const { supervise } = await import('./supervise.ts');
        done(await supervise(flags));
        return;
      }
      const { serve: run } = await import('./serve-iot.ts');
      done(await run(orders === null ? flags : underOrders(flags, orders), orders));
    });
}

const EXAMPLES = `
Examples:
  weir serve
  weir serve --port 9000 --simulate devices=200,rate=5k,disorder=lognormal:500ms,1
  weir serve --input readings.ndjson --output results
  weir serve --host 0.0.0.0 --token-file token.txt
  weir serve --supervise --checkpoint-dir checkpoints

Without --input and --simulate a small simulation runs. Ctrl-C stops it.`;
