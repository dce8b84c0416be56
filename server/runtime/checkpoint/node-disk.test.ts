import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { CheckpointingJob, readAll, statesAt } from '#testing/stored-checkpoints.ts';
import { NodeDisk } from './node-disk.ts';
import { thisProcess } from './node-process.ts';
import { openSavepoint } from './savepoints.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-checkpoints-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('checkpoints on the disk of this machine', () => {
  it('CS1 are written, kept, restored, verified and removed as on the simulated one', async () => {
    const disk = new NodeDisk();
    const options = { directory: join(directory, 'a/b'), incremental: true, process: thisProcess() };
    const job = await CheckpointingJob.open(disk, options);
    for (let id = 1; id <= 4; id++) await job.take(id);
    const savepoint = await job.take(5, 'savepoint');
    await job.store.close();
    const next = await CheckpointingJob.open(disk, options);
    const { checkpoint, skipped } = await next.store.latest();
    expect([checkpoint?.id, skipped]).toEqual([4, []]);
    expect(checkpoint && isDeepStrictEqual(await next.read(checkpoint), statesAt(4))).toBe(true);
    const opened = await openSavepoint(disk, savepoint.path);
    expect(isDeepStrictEqual(await readAll(disk, opened), statesAt(5))).toBe(true);
    expect((await disk.list(next.store.root)).filter((name) => name.startsWith('chk-'))).toEqual(['chk-3', 'chk-4']);
    await next.store.close();
  });

  it('CS9 a process is known by its number and when it began', async () => {
    const disk = new NodeDisk();
    const options = { directory: join(directory, 'c'), process: thisProcess() };
    const { self, alive } = thisProcess();
    const job = await CheckpointingJob.open(disk, options);
    await expect(CheckpointingJob.open(disk, options)).rejects.toThrow('is used by another job of this process');
    await job.store.close();
    expect(alive(self)).toBe(true);
    // Another one that had the number, and one that has ended: what they left holds nothing.
    for (const gone of [`${process.pid}-00000000-1`, '999999999-00000000-1']) {
      expect([gone, alive(gone)]).toEqual([gone, process.platform !== 'linux' && gone.startsWith(`${process.pid}-`)]);
    }
    await disk.write(`${job.store.root}/lock-999999999-00000000-1`, []);
    await (await CheckpointingJob.open(disk, options)).store.close();
    expect((await disk.list(job.store.root)).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  it('writes many pieces in order, and reads parts', async () => {
    const disk = new NodeDisk();
    const pieces = Array.from({ length: 3000 }, (_, i) => Uint8Array.of(i & 255, i >> 8, 7));
    const path = join(directory, 'pieces');
    await disk.write(path, [...pieces, new Uint8Array(5 << 20).fill(9)]);
    const [middle, end] = await disk.readRanges(path, [
      { offset: 3 * 2000, length: 3 },
      { offset: 9000 + (5 << 20) - 2, length: 10 },
    ]);
    expect([middle, end]).toEqual([Uint8Array.of(2000 & 255, 2000 >> 8, 7), Uint8Array.of(9, 9)]);
    expect((await disk.read(path)).constructor).toBe(Uint8Array);
    await expect(disk.write(path, [])).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(disk.read(`${path}/x`)).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect([await disk.exists(path), await disk.exists(`${path}2`)]).toEqual([true, false]);
  });
});
