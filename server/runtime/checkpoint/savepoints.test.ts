import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { CheckpointingJob, OPERATOR, processNamed, readAll, statesAt } from '#testing/stored-checkpoints.ts';
import { type CompletedCheckpoint, decodeMetadata, METADATA } from './checkpoint-metadata.ts';
import type { Disk } from './disk.ts';
import { planRestore } from './restore-plan.ts';
import { disposeSavepoint, listSavepoints, openSavepoint } from './savepoints.ts';

/** Runs what a process does with a new disk. */
async function onDisk(task: (disk: Disk, machine: SimulatedDisk) => Promise<void>): Promise<void> {
  const machine = new SimulatedDisk({ random: new Random(1) });
  await machine.run(task(machine.mount(), machine));
}

/** A job of one vertex with these operators. */
function graphOf(operators: readonly (readonly [id: string, name: string])[], maxParallelism = 8): JobGraph {
  const chain = operators.map(([id, name]) => ({ id, name }));
  return { vertices: [{ operators: chain, maxParallelism }] } as unknown as JobGraph;
}

const ids = (job: CheckpointingJob): number[] => job.store.list().map(({ id }) => id);
const begun = (next: CheckpointingJob): Promise<CompletedCheckpoint> => next.take(next.store.nextCheckpoint);

describe('savepoints and where a job begins', () => {
  it('CS15 what a job began from stands in until it has enough of its own; claimed, it goes then', async () => {
    for (const mode of ['claim', 'no-claim'] as const) {
      await onDisk(async (disk, machine) => {
        const before = await CheckpointingJob.open(disk, { directory: '/before' });
        const { path } = await before.take(5, 'savepoint');
        const job = await CheckpointingJob.open(disk);
        await job.store.startFrom(await openSavepoint(disk, path), mode);
        expect(job.store.nextCheckpoint).toBe(6);
        expect((await job.store.latest()).checkpoint?.path).toBe(path);
        const first = await begun(job);
        expect(first.origin).toEqual({ path, claimed: mode === 'claim' });
        await job.store.close();
        // The next process knows of it too, and falls back on it.
        const next = await CheckpointingJob.open(disk, { process: processNamed('2') });
        machine.flip(`${first.path}/0-0.state`);
        const { checkpoint, skipped } = await next.store.latest();
        expect(checkpoint?.path).toBe(path);
        expect(skipped.map(({ id }) => id)).toEqual([6]);
        for (let n = 0; n < 2; n++) await begun(next);
        await next.store.settled();
        expect((await listSavepoints(disk, '/before')).map((one) => one.path)).toEqual(mode === 'claim' ? [] : [path]);
      });
    }
  });

  it('CS4 whichever bit of its frame is another one, `_metadata` is damaged, and never of another format', async () => {
    await onDisk(async (disk) => {
      const job = await CheckpointingJob.open(disk);
      const { path } = await job.take(1);
      const bytes = await disk.read(`${path}/${METADATA}`);
      const frame = new TextDecoder().decode(bytes).indexOf('{', 1);
      expect(frame).toBeGreaterThan(50);
      for (let bit = 0; bit < 8 * frame; bit++) {
        const flipped = bytes.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(() => decodeMetadata(flipped, METADATA), `bit ${bit}`).toThrow('is damaged');
      }
    });
  });

  it('CS30 what another version of Weir wrote in another format is refused by its name and that of the format, and left as it is', async () => {
    await onDisk(async (disk) => {
      const job = await CheckpointingJob.open(disk);
      const { path } = await job.take(1);
      await job.store.close();
      const file = `${path}/${METADATA}`;
      const { format, version, checkpoint } = JSON.parse(new TextDecoder().decode(await disk.read(file)));
      const first = { format, version: 1, crc32: crc32(JSON.stringify(checkpoint)), checkpoint };
      const older = new TextEncoder().encode(JSON.stringify(first));
      await disk.remove(file);
      await disk.write(file, [older]);
      const refused = `${file} has format weir-checkpoint 1; this version of Weir reads weir-checkpoint ${version}. Resume with the version that wrote it.`;
      await expect(openSavepoint(disk, path)).rejects.toThrow(refused);
      await expect(CheckpointingJob.open(disk, { process: processNamed('2') })).rejects.toThrow(refused);
      expect(await disk.read(file)).toEqual(older);
    });
  });

  it('CS15 a claimed checkpoint of another job takes along only files that no other one needs', async () => {
    await onDisk(async (disk, machine) => {
      const before = await CheckpointingJob.open(disk, { directory: '/before', incremental: true });
      for (let id = 1; id <= 2; id++) await before.take(id);
      await before.store.close();
      const job = await CheckpointingJob.open(disk, { retained: 1 });
      await job.store.startFrom(await openSavepoint(disk, '/before/readings/chk-2'), 'claim');
      await begun(job);
      await job.store.settled();
      const left = machine.files().filter((path) => path.startsWith('/before/'));
      expect(left.some((path) => path.includes('-2/') || path.includes('shared/2-'))).toBe(false);
      expect(
        isDeepStrictEqual(await readAll(disk, await openSavepoint(disk, '/before/readings/chk-1')), statesAt(1)),
      ).toBe(true);
    });
  });

  it('CS16 a job that begins anew, or further back, gives up what came later, and one can still go back to it', async () => {
    await onDisk(async (disk) => {
      const job = await CheckpointingJob.open(disk, { retained: 3 });
      for (let id = 1; id <= 3; id++) await job.take(id);
      await job.store.startFrom(await openSavepoint(disk, '/data/readings/chk-2'));
      expect(ids(job)).toEqual([1, 2]);
      await job.store.startFrom(null);
      expect(ids(job)).toEqual([]);
      expect(await job.store.latest()).toEqual({ checkpoint: null, skipped: [] });
      await begun(job);
      const third = await openSavepoint(disk, '/data/readings/chk-3');
      await job.store.startFrom(third);
      expect(ids(job)).toEqual([3]);
      expect((await job.store.latest()).checkpoint?.id).toBe(3);
      expect(isDeepStrictEqual(await job.read(third), statesAt(3))).toBe(true);
      await job.store.close();
    });
  });

  it('CS17 savepoints are listed, opened and removed; what is none is refused', async () => {
    await onDisk(async (disk, machine) => {
      const job = await CheckpointingJob.open(disk);
      const one = await job.take(1, 'savepoint');
      const two = await job.take(2, 'stop');
      machine.flip(`${two.path}/0-0.state`);
      const all = await listSavepoints(disk, '/data');
      expect(all.map(({ savepoint }) => savepoint?.kind).sort()).toEqual(['savepoint', 'stop']);
      await expect(openSavepoint(disk, two.path)).rejects.toThrow(`${two.path}/0-0.state is damaged`);
      // What somebody has put beside it stays.
      await disk.write(`${one.path}/notes.txt`, []);
      for (const { path } of all) await disposeSavepoint(disk, path);
      expect(machine.files().filter((path) => path.includes('savepoint-'))).toEqual([`${one.path}/notes.txt`]);
      await expect(openSavepoint(disk, '/data')).rejects.toThrow(
        '/data is no savepoint: there is no file _metadata in it',
      );
      expect(await listSavepoints(disk, '/nowhere')).toEqual([]);
    });
  });

  it('CS17 a savepoint goes to another file system where that is asked for', async () => {
    await onDisk(async (disk, machine) => {
      const job = await CheckpointingJob.open(disk);
      machine.faults.refuse = (operation, path) => (operation === 'rename' && /chk-1$/.test(path) ? 'EXDEV' : null);
      const savepoint = await job.store.complete(await job.write(1, 'savepoint'), '/backup');
      expect(savepoint.path).toMatch(/^\/backup\/savepoint-readings-/);
      expect(isDeepStrictEqual(await readAll(disk, await openSavepoint(disk, savepoint.path)), statesAt(1))).toBe(true);
      expect(machine.files().filter((path) => path.includes('chk-1'))).toEqual([]);
    });
  });

  it('CS18 state finds its operator by id; what finds none is refused by name, unless that is allowed', async () => {
    await onDisk(async (disk) => {
      const job = await CheckpointingJob.open(disk);
      const checkpoint = await job.take(1);
      const plan = planRestore(
        graphOf([
          ['new', 'fresh one'],
          [OPERATOR, 'renamed'],
        ]),
        checkpoint,
        { allowNonRestoredState: false },
      );
      expect(plan).toMatchObject({ fresh: ['fresh one'], dropped: [] });
      expect(plan.operators.get(OPERATOR)).toMatchObject({ name: 'renamed', root: '/data/readings' });
      expect(plan.enumerators.get(OPERATOR)).toEqual({ next: 1 });
      const without = graphOf([['new', 'fresh one']]);
      expect(() => planRestore(without, checkpoint, { allowNonRestoredState: false })).toThrow(
        `${checkpoint.path} cannot be restored: it has state of "count by device", which the job does not have any more.`,
      );
      expect(planRestore(without, checkpoint, { allowNonRestoredState: true }).dropped).toEqual(['count by device']);
      const wider = graphOf([[OPERATOR, 'count by device']], 256);
      expect(() => planRestore(wider, checkpoint, { allowNonRestoredState: true })).toThrow(
        'count by device had 8 and now has 256. Set it to what it was.',
      );
    });
  });

  it('CS19 whoever restores reads the key groups that are its own, of all subtasks, and no others', async () => {
    await onDisk(async (disk, machine) => {
      const job = await CheckpointingJob.open(disk);
      const checkpoint = await job.take(1);
      const whole = statesAt(1);
      const some = await readAll(disk, checkpoint, [3, 4]);
      expect(some.map(({ keyed }) => keyed.map(([group]) => group))).toEqual([[3], [4]]);
      expect(
        isDeepStrictEqual(
          some[0]?.keyed,
          whole[0]?.keyed.filter(([group]) => group === 3),
        ),
      ).toBe(true);
      expect(some.map(({ watermark, operator }) => ({ watermark, operator }))).toEqual(
        whole.map(({ watermark, operator }) => ({ watermark, operator })),
      );
      // A damaged group troubles only those who need it, who are told which and where.
      machine.flip(`${checkpoint.root}/chk-1/0-0.state`, 500);
      await expect(readAll(disk, checkpoint, [0, 0])).rejects.toThrow(
        /State of count by device \(1\), key group 0: \/data\/readings\/chk-1\/0-0\.state is damaged near byte \d+/,
      );
      expect((await readAll(disk, checkpoint, [3, 3]))[0]?.keyed.length).toBe(1);
    });
  });

  it('CS20 a disk that is full, read-only or forbidden is told with what could not be done, where, and what to do', async () => {
    await onDisk(async (disk, machine) => {
      const job = await CheckpointingJob.open(disk);
      await job.take(1);
      machine.faults.capacity = machine.files().reduce((sum, path) => sum + machine.contentOf(path).length, 0) + 5000;
      await expect(job.write(2)).rejects.toThrow(
        /^State of checkpoint 2 could not be written in \/data\/readings\/chk-2\/0-[01]\.state \(ENOSPC\)\. The disk is full: free some space/,
      );
      await job.store.discard(2);
      machine.faults.capacity = Number.POSITIVE_INFINITY;
      const third = await job.write(3);
      machine.faults.refuse = (operation) => (operation === 'write' || operation === 'rename' ? 'EROFS' : null);
      await expect(job.store.complete(third)).rejects.toThrow(
        'Checkpoint 3 of readings could not be completed in /data/readings (EROFS). The file system is read-only',
      );
      machine.faults.refuse = () => null;
      await job.store.discard(3);
      await job.take(4);
      expect(ids(job)).toEqual([1, 4]);
      expect(machine.files().filter((path) => /chk-[23]/.test(path))).toEqual([]);
      machine.faults.refuse = (operation) => (operation === 'makeDirectory' ? 'EACCES' : null);
      await expect(CheckpointingJob.open(disk, { job: 'other' })).rejects.toThrow(
        'Checkpoints of other cannot be kept in /data/other (EACCES). Permission is missing',
      );
    });
  });

  it('CS20 old files that cannot be removed fail nothing, are told, and go later', async () => {
    await onDisk(async (disk, machine) => {
      const problems: string[] = [];
      const job = await CheckpointingJob.open(disk, { retained: 1, warn: ({ message }) => problems.push(message) });
      await job.take(1);
      machine.faults.refuse = (operation) => (operation === 'remove' ? 'EACCES' : null);
      await job.take(2);
      await job.store.settled();
      expect(problems).toEqual([
        expect.stringContaining('Old checkpoints could not be removed in /data/readings/chk-1 (EACCES)'),
      ]);
      machine.faults.refuse = () => null;
      await job.take(3);
      await job.store.settled();
      expect(machine.files().filter((path) => /chk-[12]/.test(path))).toEqual([]);
    });
  });
});
