import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { CheckpointingJob, OPERATOR, statesAt } from '#testing/stored-checkpoints.ts';
import { chunkEnd, MAX_CHUNK_BYTES } from './chunks.ts';
import type { Disk } from './disk.ts';
import type { SubtaskStateHandle } from './state-handle.ts';
import { readOperator } from './state-reader.ts';
import { StateWriter } from './state-writer.ts';

const newDisk = (seed = 1): SimulatedDisk => new SimulatedDisk({ random: new Random(seed) });

/** A subtask by itself: writes key groups, and every checkpoint completes at once unless it says otherwise. */
class Subtask {
  readonly #disk: Disk;
  readonly writer: StateWriter;

  private constructor(disk: Disk) {
    this.#disk = disk;
    const subtask = { vertex: 0, index: 0 };
    this.writer = new StateWriter({ disk, root: '/r', subtask, incremental: true, seed: 5, pause: async () => {} });
  }

  static async open(disk: Disk): Promise<Subtask> {
    await disk.makeDirectory('/r/shared');
    return new Subtask(disk);
  }

  async take(
    checkpoint: number,
    keyed: ReadonlyMap<number, Uint8Array>,
    completes = true,
  ): Promise<SubtaskStateHandle> {
    const snapshot = { watermark: checkpoint, keyed: [...keyed], operator: {} };
    const handle = await this.writer.write({ checkpoint, kind: 'checkpoint' }, [{ operator: OPERATOR, snapshot }]);
    if (completes) this.writer.completed(checkpoint);
    return handle;
  }

  async read(handle: SubtaskStateHandle, range: [number, number] = [0, 1000]): Promise<OperatorSnapshot> {
    const state = { operator: OPERATOR, name: 'count', root: '/r', subtasks: [handle] };
    return (await readOperator(this.#disk, state, range))[0] as OperatorSnapshot;
  }
}

/** Records of one length, as keyed state has them: key and value. */
class Records {
  readonly #random = new Random(3);
  readonly #records: Uint8Array[] = [];

  constructor(count: number) {
    for (let i = 0; i < count; i++) this.#records.push(this.#record());
  }

  change(share: number): void {
    for (let n = 0; n < this.#records.length * share; n++) {
      this.#records[this.#random.below(this.#records.length)] = this.#record();
    }
  }

  /** Dealt out to groups; `more`: that many new ones in front of all others. */
  groups(groups: number, more = 0): Map<number, Uint8Array> {
    for (let i = 0; i < more; i++) this.#records.unshift(this.#record());
    const dealt = Array.from({ length: groups }, (_, g) => this.#records.filter((_r, i) => i % groups === g));
    return new Map(dealt.map((records, g) => [g, new Uint8Array(Buffer.concat(records))]));
  }

  #record(): Uint8Array {
    return Uint8Array.from({ length: 50 }, () => this.#random.below(256));
  }
}

describe('incremental checkpoints', () => {
  it('CS26 the full size is what a whole checkpoint of the same state would have written, never less than was written', async () => {
    const machine = newDisk();
    await machine.run(
      (async () => {
        const subtask = await Subtask.open(machine.mount());
        const records = new Records(4000);
        for (let checkpoint = 1; checkpoint <= 4; checkpoint++) {
          const state = records.groups(4);
          const whole = await (await Subtask.open(machine.mount())).take(100 + checkpoint, state);
          expect(whole.full).toBe(whole.file.bytes);
          const { full, file } = await subtask.take(checkpoint, state);
          expect(full).toBeGreaterThanOrEqual(file.bytes);
          expect(full / whole.full).toBeGreaterThan(0.99);
          expect(full / whole.full).toBeLessThan(1.2);
          if (checkpoint > 1) expect(file.bytes).toBeLessThan(full / 3);
          records.change(0.01);
        }
      })(),
    );
  });

  it('CS10 what is written is in proportion to what changed', async () => {
    const machine = newDisk();
    await machine.run(
      (async () => {
        const subtask = await Subtask.open(machine.mount());
        const records = new Records(8_000);
        const first = await subtask.take(1, records.groups(16));
        expect(first).toMatchObject({ base: 0, shared: [] });
        expect(first.full).toBeGreaterThan(8_000 * 50);
        expect(first.file.bytes).toBeLessThan(first.full * 1.01);
        records.change(0.01);
        const second = await subtask.take(2, records.groups(16));
        expect(second).toMatchObject({ base: 1, shared: [first.file] });
        expect(second.file.bytes).toBeLessThan(second.full * 0.06);
        records.change(0.001);
        expect((await subtask.take(3, records.groups(16))).file.bytes).toBeLessThan(second.full * 0.015);
        // Nothing has changed: only the index is written.
        const groups = records.groups(16);
        await subtask.take(4, groups);
        const { file, operators } = await subtask.take(5, groups);
        expect(file.bytes).toBeLessThan((operators[0]?.length ?? 0) + 100);
        // Groups that did not change are not looked into; what moved within one is found where it went.
        const moved = await subtask.take(6, new Map([...groups].map(([g, b]) => [g, g === 3 ? rotated(b) : b])));
        expect(moved.file.bytes - (moved.operators[0]?.length ?? 0)).toBeLessThan(1000);
        expect(new Map((await subtask.read(moved)).keyed).get(3)).toEqual(rotated(groups.get(3) as Uint8Array));
      })(),
    );
  });

  it('CS11 files of which too little is needed are left, and so are files when they are too many', async () => {
    const machine = newDisk();
    await machine.run(
      (async () => {
        const subtask = await Subtask.open(machine.mount());
        const records = new Records(2000);
        let written = 0;
        for (let n = 1; n <= 100; n++) {
          records.change(0.01);
          const groups = records.groups(4);
          const handle = await subtask.take(n, groups);
          const bytes = handle.shared.reduce((sum, file) => sum + file.bytes, handle.file.bytes);
          expect(handle.shared.length).toBeLessThanOrEqual(33);
          expect(bytes).toBeLessThan(handle.full * 2.2);
          written += handle.file.bytes;
          if (n % 30 === 0) expect(isDeepStrictEqual((await subtask.read(handle)).keyed, [...groups])).toBe(true);
        }
        // Writing everything each time would have been 100 times as much as there is.
        expect(written).toBeLessThan(2000 * 50 * 20);
      })(),
    );
  });

  it('CS12 a checkpoint builds on the last one that is known to be complete, and on no other', async () => {
    const machine = newDisk();
    await machine.run(
      (async () => {
        const subtask = await Subtask.open(machine.mount());
        const records = new Records(1000);
        await subtask.take(1, records.groups(2));
        await subtask.take(2, records.groups(2, 10), false);
        subtask.writer.aborted(2);
        const third = await subtask.take(3, records.groups(2), false);
        expect(third.base).toBe(1);
        expect(third.shared.map(({ path }) => path)).toEqual(['shared/1-0-0.state']);
        const fourth = await subtask.take(4, records.groups(2), false);
        expect(fourth.base).toBe(1);
        // News of the fourth covers the third, and what is told later changes nothing.
        subtask.writer.completed(4);
        subtask.writer.completed(3);
        const fifth = await subtask.take(5, records.groups(2), false);
        expect(fifth.base).toBe(4);
        expect(isDeepStrictEqual((await subtask.read(fifth)).keyed, [...records.groups(2)])).toBe(true);
      })(),
    );
  });

  it('CS13 a file goes when no checkpoint needs it and no writer may still build on it', async () => {
    const machine = newDisk();
    await machine.run(
      (async () => {
        const disk = machine.mount();
        const job = await CheckpointingJob.open(disk, { retained: 1, incremental: true });
        await job.take(1);
        // The second completes, and no writer has heard of it. The third is built on the first, which is not kept any more, and needs what
        // the second does not.
        await job.store.complete(await job.write(2, 'checkpoint', 1000));
        await job.store.settled();
        expect(job.store.list().map(({ id }) => id)).toEqual([2]);
        const third = await job.store.complete(await job.write(3, 'checkpoint', 1));
        expect(third.vertices[0]?.subtasks[0]?.shared.map(({ path }) => path)).toEqual(['shared/1-0-0.state']);
        await job.store.settled();
        expect(isDeepStrictEqual(await job.read(third), statesAt(1))).toBe(true);
        for (let id = 4; id <= 60; id++) {
          const checkpoint = await job.take(id);
          await job.store.settled();
          if (id % 10 === 0) expect(isDeepStrictEqual(await job.read(checkpoint), statesAt(id))).toBe(true);
        }
        const needed = new Set(job.store.list().flatMap(({ vertices }) => vertices[0]?.subtasks ?? []));
        const files = [...needed].flatMap((handle) => (handle === null ? [] : [handle.file, ...handle.shared]));
        const there = machine.files().filter((path) => path.includes('/shared/'));
        // The one before may still be built on.
        expect(there.length).toBeLessThanOrEqual(files.length + 4);
        await job.store.close();
      })(),
    );
    await machine.run(
      (async () => {
        const job = await CheckpointingJob.open(machine.mount(), { retained: 1, incremental: true });
        const { checkpoint } = await job.store.latest();
        expect(checkpoint && (await job.read(checkpoint))).toEqual(statesAt(60));
        const needed =
          checkpoint?.vertices[0]?.subtasks.flatMap((h) => (h === null ? [] : [h.file, ...h.shared])) ?? [];
        const there = machine.files().filter((path) => path.includes('/shared/'));
        expect(there.sort()).toEqual([...new Set(needed.map(({ path }) => `/data/readings/${path}`))].sort());
      })(),
    );
  });

  it('CS14 whatever is written, completed, lost and restarted, each kept checkpoint reads back as it was', async () => {
    const group = fc.uint8Array({ maxLength: 600 });
    const change = fc.record({ at: fc.nat(2000), remove: fc.nat(300), insert: group });
    const step = fc.record({
      changes: fc.array(change, { maxLength: 3 }),
      fate: fc.constantFrom('done', 'late', 'lost'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), fc.nat(), async (steps, seed) => {
        const machine = newDisk(seed);
        await machine.run(
          (async () => {
            const subtask = await Subtask.open(machine.mount());
            let bytes = new Records(60).groups(1).get(0) as Uint8Array;
            const kept: [SubtaskStateHandle, Uint8Array][] = [];
            for (const [n, { changes, fate }] of steps.entries()) {
              for (const { at, remove, insert } of changes)
                bytes = spliced(bytes, at % (bytes.length + 1), remove, insert);
              const handle = await subtask.take(n + 1, new Map([[7, bytes]]), fate === 'done');
              if (fate === 'lost') subtask.writer.aborted(n + 1);
              else kept.push([handle, bytes]);
            }
            for (const [handle, expected] of kept)
              expect(new Map((await subtask.read(handle)).keyed).get(7)).toEqual(expected);
          })(),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('CS10 chunks end where their contents say, wherever they are', () => {
    const [bytes] = [...new Records(400).groups(1).values()] as [Uint8Array];
    const ends = (from: number): number[] => {
      const all: number[] = [];
      for (let at = from; at < bytes.length; ) {
        at = chunkEnd(bytes, at);
        all.push(at);
      }
      return all;
    };
    const whole = ends(0);
    expect(Math.max(...whole.map((end, i) => end - (whole[i - 1] ?? 0)))).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
    // Begun anywhere, they soon fall together.
    for (const from of [1, 50, 333]) {
      const other = new Set(ends(from));
      expect(whole.filter((end) => !other.has(end)).length).toBeLessThan(whole.length / 10);
    }
  });
});

function rotated(bytes: Uint8Array): Uint8Array {
  const half = bytes.length >> 1;
  return new Uint8Array(Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)]));
}

function spliced(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]));
}
