import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { CheckpointingJob } from './stored-checkpoints.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** What became of a promise so far. */
async function fate(promise: Promise<unknown>): Promise<string> {
  await new Promise((resolve) => setImmediate(resolve));
  const now = Promise.resolve('waits');
  return Promise.race([
    promise.then(
      () => 'done',
      (error: { code: string }) => error.code,
    ),
    now.then((w) => w),
  ]);
}

describe('the simulated disk', () => {
  it('gives one history for one seed, crashes and lies included', async () => {
    const history = async (seed: number): Promise<string[]> => {
      const machine = new SimulatedDisk({ random: new Random(seed) });
      await machine.run(
        (async () => {
          const job = await CheckpointingJob.open(machine.mount(), { incremental: true });
          machine.faults.lies = 0.4;
          for (let id = 1; id <= 4; id++) await job.take(id);
          void job.take(5);
        })(),
      );
      machine.crash();
      return machine.files().map((path) => `${path} ${Buffer.from(machine.contentOf(path)).toString('base64')}`);
    };
    const histories = await Promise.all([3, 3, 4].map(history));
    expect(histories[0]?.length).toBeGreaterThan(1);
    expect(histories[1]).toEqual(histories[0]);
    expect(histories[2]).not.toEqual(histories[0]);
  });

  it('keeps what was synced, contents and names each by themselves; of the rest anything may be missing', async () => {
    const lost = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const machine = new SimulatedDisk({ random: new Random(seed) });
      const disk = machine.mount();
      await machine.run(
        (async () => {
          await disk.makeDirectory('/d');
          await disk.write('/d/named', [bytes(1, 2), bytes(3)]);
          await disk.syncDirectory('/d');
          await disk.write('/d/unnamed', [bytes(4)]);
          await disk.rename('/d/named', '/d/renamed');
        })(),
      );
      machine.crash();
      const files = machine.files();
      expect(files.filter((path) => path.endsWith('named') && !path.endsWith('unnamed')).length).toBe(1);
      for (const path of files)
        expect(machine.contentOf(path)).toEqual(path === '/d/unnamed' ? bytes(4) : bytes(1, 2, 3));
      lost.add(files.sort().join());
    }
    expect([...lost].sort()).toEqual(['/d/named', '/d/named,/d/unnamed', '/d/renamed', '/d/renamed,/d/unnamed']);
  });

  it('does nothing until it is stepped, waits as long as its delays, and never answers the dead', async () => {
    const clock = new ManualClock();
    const machine = new SimulatedDisk({ random: new Random(1), clock, delay: () => 5 });
    const disk = machine.mount();
    const made = disk.makeDirectory('/d');
    expect([machine.pending, machine.nextAt, machine.step(), await fate(made)]).toEqual([1, 5, false, 'waits']);
    clock.advance(5);
    expect([machine.step(), await fate(made), machine.nextAt]).toEqual([true, 'done', Number.POSITIVE_INFINITY]);
    const before = disk.list('/d');
    machine.kill();
    const after = disk.list('/d');
    clock.advance(5);
    expect([machine.step(), await fate(before), await fate(after)]).toEqual([false, 'waits', 'waits']);
  });

  it('is full, refuses and forgets as disks do, with their codes', async () => {
    const machine = new SimulatedDisk({ random: new Random(1) });
    const disk = machine.mount();
    const code = (task: Promise<unknown>): Promise<string> =>
      machine.run(
        task.then(
          () => 'done',
          (error: { code: string }) => error.code,
        ),
      );
    machine.faults.capacity = 4;
    expect(await code(disk.write('/a', [bytes(1, 2, 3)]))).toBe('done');
    expect(await code(disk.write('/b', [bytes(1, 2, 3)]))).toBe('ENOSPC');
    expect(machine.contentOf('/b')).toEqual(bytes(1));
    machine.faults.refuse = (operation) => (operation === 'read' ? 'EIO' : null);
    expect(await code(disk.read('/a'))).toBe('EIO');
    machine.faults.refuse = () => null;
    expect(await code(disk.write('/a', []))).toBe('EEXIST');
    expect(await code(disk.write('/nowhere/a', []))).toBe('ENOENT');
    expect(await code(disk.list('/a'))).toBe('ENOTDIR');
    await machine.run(disk.makeDirectory('/d/e'));
    expect(await code(disk.removeDirectory('/d'))).toBe('ENOTEMPTY');
    machine.flip('/a', 1);
    expect(machine.contentOf('/a')).not.toEqual(bytes(1, 2, 3));
  });

  it('kills who mounted it and nobody else, and lets one stand still', async () => {
    const clock = new ManualClock();
    const machine = new SimulatedDisk({ random: new Random(1), clock });
    const [one, two, three] = [machine.mount(), machine.mount(), machine.mount()];
    const asked = [one, two, three].map((disk, i) => disk.write(`/${i}`, [bytes(i)]));
    machine.kill(one);
    machine.freeze(three, 50);
    while (machine.step());
    expect(await Promise.all(asked.map(fate))).toEqual(['waits', 'done', 'waits']);
    expect(await fate(one.exists('/1'))).toBe('waits');
    expect(machine.nextAt).toBe(50);
    clock.set(50);
    while (machine.step());
    expect(await fate(asked[2] as Promise<void>)).toBe('done');
  });
});
