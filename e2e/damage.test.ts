/**
 * A run that was killed goes on although somebody, or the disk, has damaged what its newest checkpoint needs: from an older one, with every row once.
 */

import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { StagedPart } from '#connectors/file/part-files.ts';
import { sinkRecovery } from '#engine/operators/sink.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import { openSavepoint } from '#runtime/checkpoint/savepoints.ts';
import { readOperator } from '#runtime/checkpoint/state-reader.ts';
import { MAIN, scratchPath, weir } from './weir.ts';

const run = (output: string): string[] => [
  ...['run', 'iot', '--simulate', 'devices=100,rate=100k,events=300k,seed=5,disorder=uniform:2s,malformed=0.01'],
  ...['--output', output, '--checkpoint-interval', '50ms', '--retained-checkpoints', '3'],
];
const resume = (output: string) => weir([...run(output), '--resume', 'latest']);

/** Completed checkpoints, from the oldest to the newest. */
function completed(output: string): number[] {
  const root = join(output, 'checkpoints/iot');
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => name.startsWith('chk-') && existsSync(join(root, name, '_metadata')))
    .map((name) => Number(name.slice(4)))
    .sort((a, b) => a - b);
}

const pathOf = (output: string, id: number): string => join(output, `checkpoints/iot/chk-${id}`);

/** Parts of refused lines that a checkpoint has handed over for its commit. */
async function partsOf(output: string, id: number): Promise<string[]> {
  const disk = new NodeDisk();
  const { vertices, root } = await openSavepoint(disk, pathOf(output, id));
  const names: string[] = [];
  for (const { operators, subtasks } of vertices) {
    for (const { id: operator, name } of operators) {
      const snapshots = await readOperator(disk, { operator, name, root, subtasks }, [0, -1]);
      for (const part of sinkRecovery(snapshots).committables) names.push((part as StagedPart).name);
    }
  }
  const directory = join(output, 'errors');
  return names.flatMap((name) =>
    [name, `.${name}.inprogress`]
      .filter((file) => existsSync(join(directory, file)))
      .map((file) => join(directory, file)),
  );
}

/** Sorted, by output; without the time at which a refused line arrived. Parts that are hidden do not count. */
function visibleRows(output: string): Record<string, string[]> {
  const rowsOf = (name: string): string[] =>
    readdirSync(join(output, name))
      .filter((file) => !file.startsWith('.'))
      .flatMap((file) =>
        readFileSync(join(output, name, file), 'utf8')
          .trimEnd()
          .split('\n'),
      )
      .map((row) => row.replace(/"ingested_at":\d+/, ''))
      .filter((row) => !row.startsWith('device_id,'))
      .sort();
  return { windows: rowsOf('windows'), errors: rowsOf('errors'), late: rowsOf('late') };
}

const flip = (path: string): void => {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  writeFileSync(path, bytes);
};
const shorten = (path: string): void => truncateSync(path, readFileSync(path).length - 1);
const lose = (path: string): void => rmSync(path);

describe('a checkpoint that is damaged', () => {
  let undisturbed: Record<string, string[]>;
  const output = scratchPath('killed');
  const kept = scratchPath('kept');
  beforeAll(async () => {
    const other = scratchPath('undisturbed');
    expect((await weir(run(other))).code).toBe(0);
    undisturbed = visibleRows(other);
    const child = spawn(process.execPath, [MAIN, ...run(output)], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    // By then there are three, and each has handed over refused lines.
    while ((completed(output).at(-1) ?? 0) < 6) await sleep(5);
    child.kill('SIGKILL');
    await ended;
    expect(completed(output).length).toBeGreaterThanOrEqual(3);
    cpSync(output, kept, { recursive: true });
  });

  /** The run as it was killed. */
  const again = (): { newest: number; before: number } => {
    rmSync(output, { recursive: true });
    cpSync(kept, output, { recursive: true });
    const [before = 0, newest = 0] = completed(output).slice(-2);
    return { newest, before };
  };

  for (const [what, file, damage] of [
    ['state of which the end is missing', '1-0.state', shorten],
    ['state with another bit', '1-0.state', flip],
    ['state that is gone', '0-0.state', lose],
    ['a list of its files with another bit', '_metadata', flip],
  ] as const) {
    it(`CS4 ${what}: the one before is taken, it is said which file and why, and every row is there once`, async () => {
      const { newest, before } = again();
      const path = join(pathOf(output, newest), file);
      damage(path);
      const { code, stderr } = await resume(output);
      expect([code, stderr]).toEqual([0, expect.stringContaining(`going on from checkpoint ${before}`)]);
      const [line] = stderr.split('\n').filter((one) => one.includes(`checkpoint ${newest} cannot be used: `));
      expect(line).toContain(path);
      expect(visibleRows(output)).toEqual(undisturbed);
    });
  }

  for (const [what, damage] of [
    ['shorter', shorten],
    ['not what was written', flip],
    ['gone', lose],
  ] as const) {
    it(`CS22 a part of the output that it still has to commit, or has just committed, is ${what}: so it is with that`, async () => {
      const { newest, before } = again();
      // What was not committed by then is in the one before as well.
      const older = await partsOf(output, before);
      const [part = ''] = (await partsOf(output, newest)).filter((one) => !older.includes(one));
      damage(part);
      const { code, stderr } = await resume(output);
      expect([code, stderr]).toEqual([0, expect.stringContaining(`going on from checkpoint ${before}`)]);
      const [line] = stderr.split('\n').filter((one) => one.includes(`checkpoint ${newest} cannot be used: `));
      expect(line).toContain(basename(part).replace(/^\.|\.inprogress$/g, ''));
      expect(visibleRows(output)).toEqual(undisturbed);
    });
  }

  it('CS24 where none is left the job does not begin, says what is damaged in each, and goes on once one is put back', async () => {
    const { newest } = again();
    const rows = visibleRows(output);
    for (const id of completed(output)) flip(join(pathOf(output, id), '1-0.state'));
    const refused = await resume(output);
    expect(refused.code).not.toBe(0);
    for (const id of completed(output)) expect(refused.stderr).toContain(join(pathOf(output, id), '1-0.state'));
    expect(refused.stderr).toContain('none of its checkpoints is left');
    expect(visibleRows(output)).toEqual(rows);
    flip(join(pathOf(output, newest), '1-0.state'));
    const { code, stderr } = await resume(output);
    expect([code, stderr]).toEqual([0, expect.stringContaining(`going on from checkpoint ${newest}`)]);
    expect(visibleRows(output)).toEqual(undisturbed);
  });
});
