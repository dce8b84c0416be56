/** `weir savepoints`: what lies in a directory, what is in a savepoint and whether it is whole, and away with it. Works on the disk, without a server. */

import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { CompletedCheckpoint } from '#runtime/checkpoint/checkpoint-metadata.ts';
import { whole } from './words.ts';

interface SavepointFlags {
  json?: true;
}

export function addSavepoints(program: Command, done: (code: number) => void): void {
  const savepoints = program
    .command('savepoints')
    .description('list, inspect and dispose of savepoints on this machine')
    .addHelpText(
      'after',
      '\nExamples:\n  weir savepoints list results/checkpoints\n  weir savepoints inspect results/checkpoints/savepoint-iot-…\n  weir savepoints dispose results/checkpoints/savepoint-iot-…',
    );
  const add = (usage: string, description: string, work: (path: string) => Promise<Said>): void => {
    savepoints
      .command(usage)
      .description(description)
      .addOption(new Option('--json', 'as JSON'))
      .action(async (path: string, { json }: SavepointFlags) => {
        const { text, data } = await work(resolve(path));
        process.stdout.write(json === true ? `${JSON.stringify(data)}\n` : `${text}\n`);
        done(0);
      });
  };
  add('list <directory>', 'savepoints of a directory, those that came by themselves included', list);
  add('inspect <path>', 'what a savepoint or kept checkpoint holds; every byte is checked', inspect);
  add('dispose <path>', 'remove a savepoint, or a checkpoint that a job has left', dispose);
}

interface Said {
  readonly text: string;
  readonly data: unknown;
}

interface Line {
  readonly path: string;
  readonly job: string | null;
  /** ms since the epoch. */
  readonly takenAt: number | null;
  readonly bytes: number | null;
  /** What is wrong with it; null: nothing that can be seen without reading all of it. */
  readonly problem: string | null;
}

async function list(directory: string): Promise<Said> {
  const { listSavepoints } = await import('#runtime/checkpoint/savepoints.ts');
  const { SCHEDULED } = await import('#runtime/checkpoint/kept-savepoints.ts');
  const { NodeDisk } = await import('#runtime/checkpoint/node-disk.ts');
  const disk = new NodeDisk();
  const found = [];
  for (const place of [directory, `${directory}/${SCHEDULED}`]) found.push(...(await listSavepoints(disk, place)));
  const lines = found
    .map(
      ({ path, savepoint, problem }): Line => ({
        path,
        job: savepoint?.job.name ?? null,
        takenAt: savepoint?.triggeredAt ?? null,
        bytes: savepoint?.full ?? null,
        problem,
      }),
    )
    .sort((a, b) => (a.takenAt ?? 0) - (b.takenAt ?? 0));
  const text = lines.map(({ path, job, takenAt, bytes, problem }) =>
    takenAt === null
      ? `${path}  cannot be read: ${problem}`
      : `${new Date(takenAt).toISOString()}  ${job}  ${whole(bytes ?? 0)} bytes  ${path}`,
  );
  return { data: lines, text: text.length === 0 ? `No savepoints in ${directory}.` : text.join('\n') };
}

async function inspect(path: string): Promise<Said> {
  const { openSavepoint } = await import('#runtime/checkpoint/savepoints.ts');
  const { NodeDisk } = await import('#runtime/checkpoint/node-disk.ts');
  const { id, kind, job, triggeredAt, completedAt, full, vertices } = await openSavepoint(new NodeDisk(), path);
  const tasks = vertices.map(({ name, parallelism, maxParallelism, operators, subtasks }) => ({
    name,
    parallelism,
    maxParallelism,
    bytes: subtasks.reduce((sum, handle) => sum + (handle?.full ?? 0), 0),
    finished: subtasks.filter((handle) => handle === null).length,
    operators: operators.map((operator) => ({
      ...operator,
      keyed: has(subtasks, operator.id, 'keyed'),
      stateful: has(subtasks, operator.id, 'stateful'),
    })),
  }));
  const data = { path, id, kind, job, triggeredAt, completedAt, bytes: full, tasks };
  const lines = [
    path,
    `  ${kind} ${id} of job ${job.name}, taken ${new Date(triggeredAt).toISOString()} in ${completedAt - triggeredAt} ms`,
    `  ${whole(full)} bytes of state, whole: every byte is as it was written`,
    ...tasks.flatMap(({ name, parallelism, maxParallelism, bytes, operators }) => [
      `  ${name}: ${parallelism} of at most ${maxParallelism} subtasks, ${whole(bytes)} bytes`,
      ...operators.map(({ id: uid, name: operator, keyed, stateful }) => {
        const holds = keyed ? 'state per key' : stateful ? 'state' : 'a watermark only';
        return `    ${uid}${uid === operator ? '' : ` (${operator})`}: ${holds}`;
      }),
    ]),
  ];
  return { data, text: lines.join('\n') };
}

function has(
  subtasks: CompletedCheckpoint['vertices'][number]['subtasks'],
  operator: string,
  what: 'keyed' | 'stateful',
): boolean {
  return subtasks.some((handle) => handle?.operators.some((entry) => entry.id === operator && entry[what]) ?? false);
}

async function dispose(path: string): Promise<Said> {
  const { disposeKept } = await import('#runtime/checkpoint/kept-savepoints.ts');
  const { thisProcess } = await import('#runtime/checkpoint/node-process.ts');
  const { NodeDisk } = await import('#runtime/checkpoint/node-disk.ts');
  await disposeKept(new NodeDisk(), path, thisProcess());
  return { data: { disposed: path }, text: `Disposed of ${path}` };
}
