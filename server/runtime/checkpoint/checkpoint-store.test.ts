import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { CheckpointingJob, processNamed, readAll, statesAt } from '#testing/stored-checkpoints.ts';
import { damageOfCheckpoint, openSavepoint } from './savepoints.ts';

const ROOT = '/data/readings';

function newDisk(seed = 1): SimulatedDisk {
  return new SimulatedDisk({ random: new Random(seed) });
}

/** Runs what a process does with the disk. */
function onDisk<T>(machine: SimulatedDisk, task: (disk: ReturnType<SimulatedDisk['mount']>) => Promise<T>): Promise<T> {
  return machine.run(task(machine.mount()));
}

describe('the store of checkpoints', () => {
  it('CS1 a completed checkpoint gives back, in the next process, what was written, bit by bit', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk);
      const checkpoint = await job.take(1);
      expect(checkpoint).toMatchObject({ id: 1, kind: 'checkpoint', path: `${ROOT}/chk-1`, origin: null });
      await job.store.close();
    });
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk);
      const { checkpoint, skipped } = await job.store.latest();
      expect(skipped).toEqual([]);
      expect(checkpoint).toMatchObject({ id: 1, triggeredAt: 100, job: { name: 'readings', params: { seed: 7 } } });
      expect(checkpoint && (await job.read(checkpoint))).toEqual(statesAt(1));
      expect(job.store.nextCheckpoint).toBe(2);
    });
  });

  it('CS2 as many are kept as were asked for, and nothing of the others', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk);
      for (let id = 1; id <= 4; id++) await job.take(id);
      await job.store.close();
      expect(job.store.list().map(({ id }) => id)).toEqual([3, 4]);
    });
    expect(machine.files().filter((path) => !/chk-[34]|shared/.test(path))).toEqual([]);
  });

  it('CS20 one that cannot be read when a process begins is gone on from as soon as it can be', async () => {
    for (const incremental of [false, true]) {
      const machine = newDisk();
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { incremental });
        await job.take(1);
        await job.take(2);
        await job.store.close();
      });
      machine.faults.refuse = (operation, path) => (operation === 'read' && path.endsWith('_metadata') ? 'EIO' : null);
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { incremental });
        machine.faults.refuse = () => null;
        const { checkpoint, skipped } = await job.store.latest();
        expect(skipped).toEqual([]);
        expect(checkpoint && (await job.read(checkpoint))).toEqual(statesAt(2));
      });
    }
  });

  it('CS27 what a process goes on from is not lost when the machine crashes, though who wrote it was killed before the last sync', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      for (const kind of ['checkpoint', 'savepoint'] as const) {
        const machine = newDisk(seed);
        await onDisk(machine, async (disk) => {
          const job = await CheckpointingJob.open(disk);
          let renamed = '';
          machine.faults.refuse = (operation, path) => {
            if (operation === 'rename' && path.endsWith('_metadata.tmp'))
              renamed = path.slice(0, path.lastIndexOf('/'));
            return renamed !== '' && operation !== 'rename' ? 'EIO' : null;
          };
          await expect(job.take(1, kind)).rejects.toThrow(/could not be completed/);
          machine.faults.refuse = () => null;
          machine.kill();
          const next = await CheckpointingJob.open(machine.mount(), { process: processNamed('2') });
          if (kind === 'checkpoint') expect((await next.store.latest()).checkpoint?.id).toBe(1);
          else await next.store.startFrom(await openSavepoint(machine.mount(), renamed));
          machine.crash();
          expect([seed, kind, machine.files()]).toEqual([seed, kind, expect.arrayContaining([`${renamed}/_metadata`])]);
        });
      }
    }
  });

  it('CS27 nor is the directory that it lies in, though who made that was killed before it had synced its name', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const machine = newDisk(seed);
      void CheckpointingJob.open(machine.mount());
      machine.kill();
      await onDisk(machine, async (disk) => {
        await (await CheckpointingJob.open(disk, { process: processNamed('2') })).take(1);
      });
      machine.crash();
      expect([seed, machine.files()]).toEqual([seed, expect.arrayContaining([`${ROOT}/chk-1/_metadata`])]);
    }
  });

  it('CS5 where none can be restored, all are named and none is given up', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk);
      for (let id = 1; id <= 2; id++) await job.take(id);
      for (let id = 1; id <= 2; id++) machine.flip(`${ROOT}/chk-${id}/0-0.state`, 5);
      const { checkpoint, skipped } = await job.store.latest();
      expect(checkpoint).toBeNull();
      expect(skipped.map(({ id }) => id)).toEqual([2, 1]);
      expect(job.store.list().map(({ id }) => id)).toEqual([1, 2]);
    });
  });

  it('CS22 one against which something is said is skipped as a damaged one is; CS23 where that is an error nothing is given up', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk, { retained: 3 });
      for (let id = 1; id <= 3; id++) await job.take(id);
      machine.flip(`${ROOT}/chk-3/0-0.state`, 5);
      const ids = (): number[] => job.store.list().map(({ id }) => id);
      const refuse = job.store.latest(async (_, skipped) => {
        throw new Error(`not behind ${skipped.map(({ id }) => id)}`);
      });
      await expect(refuse).rejects.toThrow('not behind 3');
      expect(ids()).toEqual([1, 2, 3]);
      const { checkpoint, skipped } = await job.store.latest(async ({ id }) =>
        id === 2 ? 'its output is gone' : null,
      );
      expect([checkpoint?.id, skipped.map(({ id }) => id)]).toEqual([1, [3, 2]]);
      expect(skipped[1]?.reason).toBe('its output is gone');
      expect(ids()).toEqual([1]);
    });
  });

  it('CS25 a savepoint with which the job was being stopped is the newest, until a checkpoint is or it is damaged', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk, { retained: 3 });
      const latest = async (): Promise<[number | undefined, number[]]> => {
        const { checkpoint, skipped } = await job.store.latest();
        return [checkpoint?.id, skipped.map(({ id }) => id)];
      };
      await job.take(1);
      await job.take(2, 'savepoint');
      expect(await latest()).toEqual([1, []]);
      const { path } = await job.take(3, 'stop');
      expect(await latest()).toEqual([3, []]);
      machine.flip(`${path}/0-0.state`, 5);
      expect(await latest()).toEqual([1, [3]]);
      await job.take(4);
      expect(await latest()).toEqual([4, []]);
    });
  });

  it('CS7 what was written for a checkpoint that is given up goes, also what comes late', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk);
      await job.take(1);
      await job.write(2);
      await job.store.discard(2);
      expect(machine.files().filter((path) => path.includes('chk-2'))).toEqual([]);
      await job.write(2);
      await job.take(3);
      await job.store.settled();
      expect(machine.files().filter((path) => path.includes('chk-2'))).toEqual([]);
      expect(job.store.list().map(({ id }) => id)).toEqual([1, 3]);
    });
  });

  it('CS8 a savepoint is whole in itself, appears when it is complete, and counts for nothing else', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk, { retained: 1 });
      await job.take(1);
      const savepoint = await job.take(2, 'savepoint');
      expect(savepoint.path).toMatch(/^\/data\/savepoint-readings-[0-9a-f]{12}$/);
      expect(job.store.list().map(({ id }) => id)).toEqual([1]);
      for (let id = 3; id <= 4; id++) await job.take(id);
      await job.store.close();
      // Moved by its owner to somewhere else.
      await disk.rename(savepoint.path, '/elsewhere');
      const opened = await openSavepoint(disk, '/elsewhere');
      expect(opened).toMatchObject({ id: 2, kind: 'savepoint', root: '/elsewhere' });
      expect(isDeepStrictEqual(await readAll(disk, opened), statesAt(2))).toBe(true);
    });
  });

  it('CS9 two processes do not use one directory; one that has died does not hold it', async () => {
    const machine = newDisk();
    await onDisk(machine, async (disk) => {
      const first = await CheckpointingJob.open(disk, { process: processNamed('11') });
      await expect(CheckpointingJob.open(disk, { process: processNamed('12', ['11']) })).rejects.toThrow(
        `${ROOT} is used by process 11. Stop it first, or give this job another directory for its checkpoints.`,
      );
      await expect(CheckpointingJob.open(disk, { process: processNamed('11') })).rejects.toThrow(
        'another job of this process',
      );
      await first.take(1);
      machine.kill();
    });
    await onDisk(machine, async (disk) => {
      const next = await CheckpointingJob.open(disk, { process: processNamed('12', ['13']) });
      expect(next.store.list().map(({ id }) => id)).toEqual([1]);
      await next.store.close();
    });
    expect(machine.files().filter((path) => path.includes('lock'))).toEqual([]);
  });
});

describe.each([false, true])('checkpoints on a disk that fails, incremental: %s', (incremental) => {
  it('CS3 wherever the machine stops, what completed last is there, whole, or the one before it', async () => {
    const fates = new Map<number, number>();
    let stops = 0;
    for (let stop = 0, ended = false; !ended; stop++) {
      const machine = newDisk(stop + 1);
      let told = 0;
      const life = async (): Promise<void> => {
        const job = await CheckpointingJob.open(machine.mount(), { retained: 1, incremental });
        for (let id = 1; id <= 3; id++) {
          await job.take(id);
          told = id;
        }
        await job.store.close();
        ended = true;
      };
      void life();
      while (machine.operations < stop) {
        await new Promise((resolve) => setImmediate(resolve));
        if (!machine.step()) break;
      }
      await new Promise((resolve) => setImmediate(resolve));
      machine.crash();
      stops++;
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { retained: 1, incremental, process: processNamed('2') });
        const { checkpoint, skipped } = await job.store.latest();
        expect({ stop, skipped }).toEqual({ stop, skipped: [] });
        // Nor is one among those that are kept of which only half is there.
        for (const { path } of job.store.list()) expect(await damageOfCheckpoint(disk, path)).toBeNull();
        const id = checkpoint?.id ?? 0;
        expect([told, told + 1]).toContain(id);
        fates.set(id, (fates.get(id) ?? 0) + 1);
        if (checkpoint !== null) expect(isDeepStrictEqual(await job.read(checkpoint), statesAt(id))).toBe(true);
        await job.take(job.store.nextCheckpoint);
        await job.store.close();
      });
      // Nothing is left lying about: the next checkpoint removes all others.
      const numbers = new Set(machine.files().map((path) => /(?:chk-|shared\/)(\d+)/.exec(path)?.[1] ?? path));
      expect({ stop, checkpoints: numbers.size }).toEqual({ stop, checkpoints: 1 });
    }
    expect(stops).toBeGreaterThan(50);
    expect([...fates.keys()].sort()).toEqual([0, 1, 2, 3]);
  });

  it('CS4 a damaged or missing file is found, and the one before is taken and named', async () => {
    for (const spoil of ['flip', 'remove', 'shorten', 'metadata', 'format'] as const) {
      const machine = newDisk();
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { incremental });
        for (let id = 1; id <= 2; id++) await job.take(id);
        await job.store.close();
      });
      const path = `${ROOT}/${incremental ? 'shared/2-0-1' : 'chk-2/0-1'}.state`;
      if (spoil === 'flip') machine.flip(path);
      if (spoil === 'metadata') machine.flip(`${ROOT}/chk-2/_metadata`, 300);
      if (spoil === 'format') {
        await onDisk(machine, async (disk) => {
          const text = Buffer.from(await disk.read(`${ROOT}/chk-2/_metadata`)).toString();
          await disk.remove(`${ROOT}/chk-2/_metadata`);
          await disk.write(`${ROOT}/chk-2/_metadata`, [
            Buffer.from(text.replace('weir-checkpoint', 'weir-checkpnint')),
          ]);
        });
      }
      if (spoil === 'remove') await onDisk(machine, (disk) => disk.remove(path));
      if (spoil === 'shorten') {
        await onDisk(machine, async (disk) => {
          const bytes = await disk.read(path);
          await disk.remove(path);
          await disk.write(path, [bytes.subarray(0, -1)]);
        });
      }
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { incremental, process: processNamed('2') });
        const { checkpoint, skipped } = await job.store.latest();
        expect(checkpoint?.id).toBe(1);
        expect(skipped).toMatchObject([{ id: 2, path: `${ROOT}/chk-2` }]);
        expect(skipped[0]?.reason).toContain(
          spoil === 'metadata' || spoil === 'format' ? 'chk-2/_metadata is damaged' : `${path} `,
        );
        // It is not tried again, even where it would be whole by then: the job has gone on from another one.
        expect(job.store.list().map(({ id }) => id)).toEqual([1]);
        expect(job.store.nextCheckpoint).toBe(3);
        await job.take(3);
        await job.store.close();
      });
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { incremental, process: processNamed('3') });
        expect(job.store.list().map(({ id }) => id)).toEqual([1, 3]);
        expect(machine.files().filter((file) => /chk-2|shared\/2-/.test(file))).toEqual([]);
      });
    }
  });

  it('CS6 a disk that lies about what it has synced ends in the checkpoint before, and a word about it', async () => {
    let fallen = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const machine = newDisk(seed);
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { retained: 3, incremental });
        await job.take(1);
        machine.faults.lies = 0.5;
        for (let id = 2; id <= 3; id++) await job.take(id);
      });
      machine.crash();
      machine.faults.lies = 0;
      await onDisk(machine, async (disk) => {
        const job = await CheckpointingJob.open(disk, { retained: 3, incremental, process: processNamed('2') });
        const { checkpoint, skipped } = await job.store.latest();
        const id = checkpoint?.id as number;
        expect(isDeepStrictEqual(await job.read(checkpoint as NonNullable<typeof checkpoint>), statesAt(id))).toBe(
          true,
        );
        expect(skipped.every((one) => one.id > id && one.reason.includes(ROOT))).toBe(true);
        if (skipped.length > 0) fallen++;
      });
    }
    expect(fallen).toBeGreaterThan(5);
  });

  it('CS29 the newest is given to a part of the job as it is; where it is damaged nothing is changed', async () => {
    const machine = newDisk(1);
    await onDisk(machine, async (disk) => {
      const job = await CheckpointingJob.open(disk, { retained: 3, incremental });
      expect(await job.store.newest()).toEqual({ checkpoint: null, skipped: [] });
      for (let id = 1; id <= 2; id++) await job.take(id);
      expect((await job.store.newest())?.checkpoint?.id).toBe(2);
      // Writers that are not told of anything go on building on what they know.
      await job.take(3);
      machine.flip(`${ROOT}/chk-3/_metadata`, 300);
      expect(await job.store.newest()).toBeNull();
      expect(job.store.list().map(({ id }) => id)).toEqual([1, 2, 3]);
      expect((await job.store.latest()).checkpoint?.id).toBe(2);
    });
  });
});
