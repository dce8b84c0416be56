import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import { DiskSeam } from './disk-seam.ts';

const WORK = mkdtempSync(join(tmpdir(), 'weir-disk-seam-'));
afterAll(() => rmSync(WORK, { recursive: true }));
const PIECES = [Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5, 6)];
const seam = (): DiskSeam => new DiskSeam(new NodeDisk());
let files = 0;
/** A disk writes no file twice. */
const another = (): string => join(WORK, `file-${files++}`);

describe('a disk with faults in front', () => {
  it('writes and reads as the real one while there is none', async () => {
    const disk = seam();
    const path = another();
    await disk.write(path, PIECES);
    expect([...(await disk.read(path))]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('refuses with the code of the fault, named, and as soon as it is over no more', async () => {
    const disk = seam();
    const path = another();
    disk.begin(3, { type: 'refuse', code: 'ENOSPC', says: 'no space left on device' });
    await expect(disk.write(path, PIECES)).rejects.toMatchObject({
      code: 'ENOSPC',
      message: 'ENOSPC: no space left on device, write (fault #3)',
    });
    await expect(disk.exists(path)).resolves.toBe(false);
    disk.end(3);
    await disk.write(path, PIECES);
  });

  it('turns a byte of what is written, not of what was to be', async () => {
    const disk = seam();
    const path = another();
    disk.begin(1, { type: 'corrupt' });
    await disk.write(path, PIECES);
    expect([...(await disk.read(path))]).toEqual([1, 2, 3, 4, 5 ^ 0xff, 6]);
    expect([...(PIECES[1] as Uint8Array)]).toEqual([3, 4, 5, 6]);
  });

  it('has all faults at once, each for as long as it lasts', async () => {
    const disk = seam();
    const path = another();
    disk.begin(1, { type: 'corrupt' });
    disk.begin(2, { type: 'delay', ms: 20 });
    disk.begin(4, { type: 'refuse', code: 'EIO', says: 'i/o error' });
    await expect(disk.write(path, PIECES)).rejects.toMatchObject({ code: 'EIO' });
    disk.end(4);
    let written = false;
    const writing = disk.write(path, PIECES).then(() => {
      written = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toBe(false);
    await writing;
    expect((await disk.read(path))[4]).toBe(5 ^ 0xff);
    disk.end(1);
    const next = another();
    await disk.write(next, PIECES);
    expect((await disk.read(next))[4]).toBe(5);
  });
});
