/** Savepoints on the command line: taken by themselves, listed, looked into, gone on from, disposed of. */

import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scratchPath, weir } from './weir.ts';

interface Line {
  readonly path: string;
  readonly job: string;
  readonly takenAt: number;
  readonly bytes: number;
  readonly problem: string | null;
}

const savepoints = async (...args: string[]) => {
  const { code, stdout, stderr } = await weir(['savepoints', ...args, '--json']);
  return { code, said: stdout === '' ? null : JSON.parse(stdout), stderr };
};

it('come by themselves, as many as are retained; each is whole, can be gone on from, and goes when it is told to', async () => {
  const output = scratchPath('output');
  const directory = join(output, 'checkpoints');
  const flags = [
    '--simulate',
    'devices=50,rate=20k,events=60k,seed=3',
    '--output',
    output,
    '--checkpoint-interval',
    '1s',
  ];
  const run = await weir(['run', 'iot', ...flags, '--savepoint-interval', '300ms', '--retained-savepoints', '2']);
  expect(run.code).toBe(0);
  const { said: lines } = (await savepoints('list', directory)) as { said: Line[] };
  // The last one may have come while the one before the others was going.
  expect(lines.length).toBeGreaterThanOrEqual(2);
  expect(lines.length).toBeLessThanOrEqual(3);
  expect(lines.map(({ takenAt }) => takenAt)).toEqual(lines.map(({ takenAt }) => takenAt).sort());
  const newest = lines.at(-1) as Line;
  expect(newest).toMatchObject({ job: 'iot', problem: null });
  expect(newest.path).toContain(join(directory, 'scheduled-savepoints', 'savepoint-iot-'));

  const { said: inside } = await savepoints('inspect', newest.path);
  expect(inside).toMatchObject({ kind: 'savepoint', job: { name: 'iot' }, bytes: newest.bytes });
  const operators = inside.tasks.flatMap(({ operators }: { operators: { id: string; keyed: boolean }[] }) => operators);
  expect(operators).toContainEqual(expect.objectContaining({ id: 'readings', stateful: true }));

  const again = await weir(['run', 'iot', ...flags, '--resume', newest.path]);
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('going on from')]);

  expect(await savepoints('dispose', newest.path)).toMatchObject({ code: 0, said: { disposed: newest.path } });
  expect(existsSync(newest.path)).toBe(false);
  const damaged = (lines[0] as Line).path;
  appendFileSync(join(damaged, '_metadata'), 'x');
  const broken = await weir(['savepoints', 'inspect', damaged]);
  expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining(`${damaged} cannot be restored.`)]);
  const nothing = await weir(['savepoints', 'dispose', newest.path]);
  expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining(`${newest.path} is no savepoint`)]);
  expect((await weir(['savepoints', 'list', scratchPath('nowhere')])).stdout).toMatch(/^No savepoints in /);
});
