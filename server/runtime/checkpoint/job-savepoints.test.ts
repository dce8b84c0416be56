import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { EMPTY_SNAPSHOT, type OperatorSnapshot } from '#engine/state/snapshot.ts';
import { ByteWriter } from '#engine/state/value-codec.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { CheckpointingJob, OPERATOR } from '#testing/stored-checkpoints.ts';
import type { Disk } from './disk.ts';
import { JobSavepoints } from './job-savepoints.ts';
import { disposeSavepoint } from './savepoints.ts';

/** Of a sink that has yet to commit "checkpoint.subtask". */
function sinkAt(checkpoint: number, subtask: number): OperatorSnapshot {
  const item = new ByteWriter();
  item.value(`${checkpoint}.${subtask}`);
  return { ...EMPTY_SNAPSHOT, operator: { committables: { redistribute: 'split', items: [item.take()] } } };
}

async function onDisk(task: (disk: Disk, machine: SimulatedDisk) => Promise<void>): Promise<void> {
  const machine = new SimulatedDisk({ random: new Random(1) });
  await machine.run(task(machine.mount(), machine));
}

const open = (disk: Disk, job = 'readings') =>
  new JobSavepoints(disk, '/data/readings', job, ['/data', '/data/scheduled']);

describe('savepoints that a job has taken', () => {
  it('FS12 what they have yet to commit is known as long as they are there, in whatever directory, to the next process too', async () => {
    await onDisk(async (disk) => {
      const job = await CheckpointingJob.open(disk, { state: sinkAt });
      const savepoints = open(disk);
      expect(await savepoints.committables(OPERATOR)).toEqual([]);
      await job.take(1);
      const second = await job.take(2, 'savepoint');
      await job.take(3, 'savepoint', '/data/scheduled');
      await savepoints.willPutInto('/elsewhere');
      await savepoints.willPutInto('/far');
      await savepoints.willPutInto('/elsewhere');
      await job.take(4, 'savepoint', '/elsewhere');
      for (const process of [savepoints, open(disk)]) {
        expect(await process.committables(OPERATOR)).toEqual(['2.0', '2.1', '3.0', '3.1', '4.0', '4.1']);
        expect(await process.committables('another')).toEqual([]);
      }
      expect(await open(disk, 'other').committables(OPERATOR)).toEqual([]);
      await disposeSavepoint(disk, second.path);
      expect(await savepoints.committables(OPERATOR)).toEqual(['3.0', '3.1', '4.0', '4.1']);
    });
  });

  it('FS12 a damaged one holds nothing any more; while the disk refuses to read one nothing is known', async () => {
    await onDisk(async (disk, machine) => {
      const job = await CheckpointingJob.open(disk, { state: sinkAt });
      const { path } = await job.take(2, 'savepoint');
      await job.take(3, 'savepoint');
      machine.faults.refuse = (operation, path) => (operation === 'read' && path.endsWith('_metadata') ? 'EIO' : null);
      expect(await open(disk).committables(OPERATOR)).toBeNull();
      machine.faults.refuse = () => null;
      machine.flip(`${path}/0-0.state`);
      expect(await open(disk).committables(OPERATOR)).toEqual(['3.0', '3.1']);
    });
  });
});
