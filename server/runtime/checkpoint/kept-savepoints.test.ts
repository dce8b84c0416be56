import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { CheckpointingJob, processNamed } from '#testing/stored-checkpoints.ts';
import type { Disk } from './disk.ts';
import { disposeKept, retainSavepoints, SCHEDULED } from './kept-savepoints.ts';
import { listSavepoints } from './savepoints.ts';

async function onDisk(task: (disk: Disk, machine: SimulatedDisk) => Promise<void>): Promise<void> {
  const machine = new SimulatedDisk({ random: new Random(1) });
  await machine.run(task(machine.mount(), machine));
}

const DIRECTORY = `/data/${SCHEDULED}`;

/** Takes savepoints into the directory of those that come by themselves. */
async function scheduled(job: CheckpointingJob, ...ids: number[]): Promise<string[]> {
  const paths = [];
  for (const id of ids) paths.push((await job.store.complete(await job.write(id, 'savepoint'), DIRECTORY)).path);
  return paths;
}

const left = async (disk: Disk, directory = DIRECTORY): Promise<string[]> =>
  (await listSavepoints(disk, directory)).map(({ path }) => path);

describe('savepoints that are kept', () => {
  it('CS21 of those that come by themselves the newest are kept, those of other jobs and those that people took stay', async () => {
    await onDisk(async (disk, machine) => {
      const job = await CheckpointingJob.open(disk);
      const [damaged, ...paths] = await scheduled(job, 2, 4, 3, 10);
      const mine = (await job.take(1, 'savepoint')).path;
      machine.flip(`${damaged}/_metadata`);
      await retainSavepoints(disk, DIRECTORY, 'others', 1);
      expect(await left(disk)).toHaveLength(4);
      await retainSavepoints(disk, DIRECTORY, 'readings', 2);
      const [four, , ten] = paths;
      expect(new Set(await left(disk))).toEqual(new Set([damaged, four, ten]));
      expect(await left(disk, '/data')).toEqual([mine]);
      await retainSavepoints(disk, '/nowhere', 'readings', 2);
    });
  });

  it('CS17 a checkpoint of a job that runs is not disposed of; one that a job has left is, savepoints always are', async () => {
    await onDisk(async (disk) => {
      const job = await CheckpointingJob.open(disk);
      const checkpoint = await job.take(1);
      const savepoint = await job.take(2, 'savepoint');
      const who = processNamed('2', ['1']);
      await expect(disposeKept(disk, checkpoint.path, who)).rejects.toThrow(
        `${checkpoint.path} belongs to a job that is running`,
      );
      await disposeKept(disk, savepoint.path, who);
      expect(await disk.exists(savepoint.path)).toBe(false);
      await job.store.close();
      await disposeKept(disk, checkpoint.path, who);
      expect(await disk.exists(checkpoint.path)).toBe(false);
      for (const path of ['/data/readings/chk-1', '/nowhere/chk-1', '/data'])
        await expect(disposeKept(disk, path, who)).rejects.toThrow(`${path} is no savepoint`);
    });
  });
});
