/** Commands for the job of a running server: what it has kept, and what it is to do. */

import type { Command } from 'commander';
import { UsageError } from '#base/errors.ts';
import { formatDuration } from '#shared/quantities.ts';
import { Remote, type RemoteFlags } from './remote.ts';

type Done = (code: number) => void;
type Work = (remote: Remote, flags: ControlFlags, argument: string | undefined) => Promise<unknown>;

interface ControlFlags extends RemoteFlags {
  json?: true;
  drain?: true;
}

interface CheckpointLine {
  readonly id: number;
  readonly status: string;
  readonly is_savepoint: boolean;
  readonly trigger_timestamp: number;
  readonly end_to_end_duration: number;
  readonly checkpointed_size: number;
  readonly state_size: number;
  readonly external_path?: string | null;
  readonly failure_message?: string | null;
}

export function addControl(program: Command, done: Done): void {
  const add = (usage: string, description: string, examples: readonly string[], work: Work): Command =>
    program
      .command(usage)
      .description(description)
      .option('--url <url>', 'address of the running server', 'http://127.0.0.1:8080')
      .option('--token-file <file>', 'file with the token of a server that asks for one')
      .option('--json', 'as JSON')
      .addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`)
      .action(async (first: string | ControlFlags | undefined, second: ControlFlags | Command) => {
        const [argument, flags] = typeof first === 'object' ? [undefined, first] : [first, second as ControlFlags];
        const said = await work(new Remote(flags), flags, argument);
        if (flags.json === true) process.stdout.write(`${JSON.stringify(said)}\n`);
        else process.stdout.write(`${typeof said === 'string' ? said : (said as { text: string }).text}\n`);
        done(0);
      });

  add(
    'checkpoints',
    'list the checkpoints of the running job',
    ['weir checkpoints', 'weir checkpoints --json'],
    async (remote) => {
      const { jid } = await remote.job();
      const all = (await remote.ask('GET', `/v1/jobs/${jid}/checkpoints`)) as { history: readonly CheckpointLine[] };
      return { ...all, text: all.history.length === 0 ? 'No checkpoint yet.' : all.history.map(line).join('\n') };
    },
  );
  add('checkpoint', 'take a checkpoint now', ['weir checkpoint'], async (remote) => {
    const { jid } = await remote.job();
    const path = `/v1/jobs/${jid}/checkpoints`;
    const { checkpointId } = await remote.finish(path, { checkpointType: 'CONFIGURED' }, path);
    return { checkpoint: checkpointId, text: `Checkpoint ${checkpointId} is complete.` };
  });
  add(
    'savepoint [directory]',
    'take a savepoint: whole in itself, and kept until you remove it',
    ['weir savepoint', 'weir savepoint /backups/weir'],
    async (remote, _, directory) => {
      const { jid } = await remote.job();
      const path = `/v1/jobs/${jid}/savepoints`;
      const { location } = await remote.finish(path, { 'target-directory': absolute(directory) }, path);
      return { savepoint: location, text: `Savepoint ${location}` };
    },
  );
  add(
    'stop [directory]',
    'take a savepoint behind which nothing is read, and end the job: weir run … --resume SAVEPOINT goes on from there',
    ['weir stop', 'weir stop /backups/weir', 'weir stop --drain'],
    async (remote, { drain = false }, directory) => {
      const { jid } = await remote.job();
      const body = { drain, targetDirectory: absolute(directory) };
      const { location } = await remote.finish(`/v1/jobs/${jid}/stop`, body, `/v1/jobs/${jid}/savepoints`);
      return { savepoint: location, text: `Stopped. Savepoint ${location}` };
    },
  ).option('--drain', 'fire all windows first; nobody should go on from such a savepoint');
  add('cancel', 'end the job at once; its checkpoints stay', ['weir cancel'], async (remote) => {
    const { jid } = await remote.job();
    await remote.ask('PATCH', `/v1/jobs/${jid}?mode=cancel`, {});
    return { cancelled: jid, text: 'Cancelled.' };
  });
  add(
    'rescale [changes]',
    'give tasks other numbers of subtasks while the job runs; without changes, say what they have',
    ['weir rescale', 'weir rescale windows=4', 'weir rescale readings=1,windows=2'],
    async (remote, _, text) => {
      const { jid } = await remote.job();
      const path = `/api/jobs/${jid}/parallelism`;
      if (text !== undefined) await remote.ask('PATCH', path, changes(text));
      const { tasks } = (await remote.ask('GET', path)) as {
        tasks: readonly { operators: readonly string[]; parallelism: number; maxParallelism: number }[];
      };
      const lines = tasks.map(
        ({ operators, parallelism, maxParallelism }) =>
          `${String(parallelism).padStart(4)} of at most ${maxParallelism}   ${operators.join(', ')}`,
      );
      return { tasks, text: lines.join('\n') };
    },
  );
}

/** `windows=4,readings=1` */
function changes(text: string): Record<string, number> {
  const entries = text.split(',').map((part): [string, number] => {
    const [, operator = '', count = ''] = /^\s*(.+?)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    if (operator === '')
      throw new UsageError(`"${part}" says no number of subtasks: give OPERATOR=N, as in windows=4.`);
    return [operator, Number(count)];
  });
  return Object.fromEntries(entries);
}

function absolute(directory: string | undefined): string | null {
  if (directory === undefined) return null;
  if (!directory.startsWith('/')) throw new UsageError(`${directory}: the server needs an absolute path.`);
  return directory;
}

function line(one: CheckpointLine): string {
  const kind = one.is_savepoint ? 'savepoint' : 'checkpoint';
  const what = `${String(one.id).padStart(5)}  ${kind.padEnd(10)}  ${one.status.toLowerCase().padEnd(11)}`;
  const took = `${formatDuration(one.end_to_end_duration)}, ${one.checkpointed_size} bytes of ${one.state_size}`;
  const rest = one.failure_message ?? one.external_path ?? '';
  return `${what}  ${new Date(one.trigger_timestamp).toISOString()}  ${took}  ${rest}`.trimEnd();
}
