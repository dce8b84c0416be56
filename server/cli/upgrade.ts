/** `weir upgrade`: has the running server make way for the newest build, and waits for how that turns out. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { WeirError } from '#base/errors.ts';
import { isSettled, type UpgradeView } from '#shared/upgrade.ts';
import { duration } from './flags.ts';
import { Remote, type RemoteFlags } from './remote.ts';

interface UpgradeFlags extends RemoteFlags {
  within: number;
  json?: true;
}

const POLL_MS = 100;
/** Beyond the time that the new version has: for the savepoint, and for the version before where that has to come back. */
const PATIENCE_MS = 120_000;

export function addUpgrade(program: Command, done: (code: number) => void): void {
  program
    .command('upgrade')
    .description(
      'savepoint, start the newest build from it, see that it gets on; where it does not, the version before goes on',
    )
    .argument('[flags...]', 'behind --: flags of weir serve that are to change, such as --parallelism 4')
    .option('--url <url>', 'address of the running server', 'http://127.0.0.1:8080')
    .option('--token-file <file>', 'file with the token of a server that asks for one')
    .option(
      '--within <duration>',
      'how long the new version may take to read rows and complete a checkpoint',
      duration({ min: 1000, max: 86_400_000, says: 'from 1s to 1d' }),
      60_000,
    )
    .option('--json', 'as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: string[], { within, json, ...remote }: UpgradeFlags) => {
      const view = await upgrade(new Remote(remote), flags, within);
      process.stdout.write(json === true ? `${JSON.stringify(view)}\n` : `${told(view)}\n`);
      done(view.phase === 'upgraded' ? 0 : 1);
    });
}

async function upgrade(remote: Remote, flags: readonly string[], withinMs: number): Promise<UpgradeView> {
  await remote.ask('POST', '/api/upgrade', { flags, withinMs });
  const end = Date.now() + withinMs + PATIENCE_MS;
  for (;;) {
    await sleep(POLL_MS);
    try {
      const view = (await remote.ask('GET', '/api/upgrade')) as UpgradeView;
      if (isSettled(view)) return view;
    } catch (error) {
      // One server has ended, the next does not listen yet.
      const away = error instanceof WeirError && error.code === 'NO_SERVER';
      if (!away || Date.now() > end) throw error;
    }
    if (Date.now() > end)
      throw new WeirError('UPGRADE', 'The upgrade is not decided yet; the log of the supervisor says what it does.');
  }
}

function told({ phase, savepoint, reason }: UpgradeView): string {
  if (phase === 'upgraded') return `Upgraded. The job goes on from ${savepoint}`;
  if (phase === 'rolled-back')
    return `Rolled back, because of the new version: ${reason}. The job goes on from ${savepoint}`;
  return `Not upgraded; the job goes on as it was. ${reason}`;
}

const EXAMPLES = `
Examples:
  git pull && npm ci && npx weir upgrade
  weir upgrade -- --parallelism 4
  weir upgrade --within 5m --token-file token.txt --url http://weir.example:8080

The server must be supervised, as it is with npm start and weir serve --supervise.`;
