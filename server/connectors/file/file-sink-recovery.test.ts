import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { f64, schema } from '#engine/batch/schema.ts';
import { NO_OBSTACLES, type Sink } from '#engine/io/sink.ts';
import { SinkOperator, sinkRecovery } from '#engine/operators/sink.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import { OperatorHarness } from '#testing/harness.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { CsvFormat } from '../csv/csv-format.ts';
import { FileSink } from './file-sink.ts';
import type { OutputFormat } from './format.ts';
import { NdjsonFormat } from './ndjson-format.ts';
import { partOf, type StagedPart } from './part-files.ts';
import type { PartWriterState } from './written-parts.ts';

const S = schema({ v: f64() });
const DIRECTORY = '/out/windows';
const ROWS = 14;
type Recovery = Parameters<FileSink['recover']>[0];
const NO_SAVEPOINTS = () => Promise.resolve([]);
/** A checkpoint is taken behind so many rows. */
const EVERY = 4;

interface Checkpoint {
  readonly id: number;
  /** Rows that were read. */
  readonly offset: number;
  readonly snapshots: readonly OperatorSnapshot[];
}

/** A job that writes the rows 0, 1, 2 … to files, over as many attempts as it takes. Checkpoints are kept by somebody reliable. */
class CountingJob {
  readonly disk: SimulatedDisk;
  readonly checkpoints: Checkpoint[] = [];
  /** Those that still exist. */
  savepoints: Checkpoint[] = [];
  /** So many are taken for each row. */
  savepointShare = 0;
  readonly notes: string[] = [];
  readonly #format: OutputFormat;
  readonly #random: Random;
  #nextId = 1;
  #failure: Error | null = null;

  constructor(random: Random, format: OutputFormat = new CsvFormat()) {
    this.disk = new SimulatedDisk({ random });
    this.#random = random;
    this.#format = format;
  }

  /** Goes on from the last checkpoint. News of every third one is lost. Throws where the disk refuses. */
  async attempt(parallelism: number): Promise<void> {
    this.#failure = null;
    const sink = new FileSink({ directory: DIRECTORY, format: this.#format, disk: this.disk.mount() });
    const from = this.checkpoints.at(-1) ?? null;
    const recovery = from === null ? null : sinkRecovery(from.snapshots);
    this.notes.push(...(await this.disk.run(sink.recover(recovery as Recovery, () => this.#staged()))));
    const subtasks = Array.from(
      { length: parallelism },
      (_, subtask) =>
        new OperatorHarness(new SinkOperator(sink as Sink, 1000), {
          input: S,
          output: S,
          checkpointing: true,
          subtask,
          parallelism,
          ...(from === null ? {} : { restore: from.snapshots }),
          fail: (error) => {
            this.#failure ??= error;
          },
        }),
    );
    for (let v = from?.offset ?? 0; v < ROWS; v++) {
      const subtask = subtasks[v % parallelism] as OperatorHarness;
      await this.#until(() => !subtask.resume().pending);
      subtask.rows([{ v }]);
      if (this.savepointShare > 0 && this.#random.next() < this.savepointShare)
        this.savepoints.push(await this.#snapshot(subtasks, v + 1, this.#nextId++));
      if (v % EVERY === EVERY - 1) await this.#checkpoint(subtasks, v + 1, this.#nextId % 3 !== 0);
    }
    await this.#checkpoint(subtasks, ROWS, true);
    await this.#until(() => subtasks.every((subtask) => !subtask.awaiting));
    for (const subtask of subtasks) subtask.close();
  }

  async #checkpoint(subtasks: readonly OperatorHarness[], offset: number, told: boolean): Promise<void> {
    const id = this.#nextId++;
    this.checkpoints.push(await this.#snapshot(subtasks, offset, id));
    if (told) for (const subtask of subtasks) subtask.notifyComplete(id);
  }

  async #snapshot(subtasks: readonly OperatorHarness[], offset: number, id: number): Promise<Checkpoint> {
    await this.#until(() => subtasks.every((subtask) => !subtask.resume().pending));
    const snapshots = await this.disk.run(Promise.all(subtasks.map((subtask) => subtask.snapshotLater(id))));
    return { id, offset, snapshots };
  }

  async #staged(): Promise<readonly StagedPart[]> {
    return this.savepoints.flatMap(({ snapshots }) => sinkRecovery(snapshots).committables as StagedPart[]);
  }

  async #until(holds: () => boolean): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#failure !== null) throw this.#failure;
      if (holds()) return;
      this.disk.step();
    }
  }

  /** An attempt in which the disk takes nothing any more after so many operations: there the process, or the machine, stops. */
  async dies(after: number, how: 'kill' | 'crash', parallelism: number): Promise<boolean> {
    const { disk } = this;
    disk.faults.refuse = () => (disk.operations > after ? 'EIO' : null);
    let died = false;
    try {
      await this.attempt(parallelism);
    } catch {
      died = true;
    }
    disk.faults.refuse = () => null;
    disk[how]();
    return died;
  }

  /** Contents by name. */
  parts(): Map<string, string> {
    const found = this.disk.files().map((path) => path.slice(DIRECTORY.length + 1));
    const visible = found.filter((name) => partOf(name)?.state === 'visible');
    return new Map(visible.map((name) => [name, Buffer.from(this.disk.contentOf(`${DIRECTORY}/${name}`)).toString()]));
  }

  rows(): number[] {
    const numbers = [...this.parts().values()].flatMap((text) => text.match(/\d+/g) ?? []);
    return numbers.map(Number).sort((a, b) => a - b);
  }

  hidden(): string[] {
    return this.disk
      .files()
      .map((path) => path.slice(DIRECTORY.length + 1))
      .filter((name) => name.startsWith('.'))
      .sort();
  }
}

const ALL = Array.from({ length: ROWS }, (_, v) => v);

describe('the file sink after a failure', () => {
  for (const [how, format] of [
    ['kill', new CsvFormat()],
    ['crash', new NdjsonFormat()],
  ] as const) {
    it(`FS2 wherever it stops (${how}), each row is visible once in the end, and no part ever changes`, async () => {
      let died = true;
      for (let after = 0; died; after++) {
        const job = new CountingJob(new Random(after), format);
        died = await job.dies(after, how, 2);
        const seen = job.parts();
        await job.attempt(2);
        expect([after, job.rows()]).toEqual([after, ALL]);
        expect([job.hidden(), job.notes]).toEqual([[], []]);
        for (const [name, text] of seen) expect([name, job.parts().get(name)]).toEqual([name, text]);
      }
    });
  }

  it('FS3 a checkpoint that is lost takes its parts along: withdrawn, said, and never under the same name again', async () => {
    let withdrawn = 0;
    let died = true;
    for (let after = 0; died; after++) {
      const job = new CountingJob(new Random(after));
      died = await job.dies(after, 'crash', 2);
      const seen = job.parts();
      const lost = job.checkpoints.pop();
      await job.attempt(2);
      expect([after, job.rows()]).toEqual([after, ALL]);
      const now = job.parts();
      const gone = [...seen.keys()].filter((name) => !now.has(name));
      for (const [name, text] of seen) if (now.has(name)) expect(now.get(name)).toBe(text);
      expect(job.hidden()).toEqual(gone.map((name) => `.${name}.withdrawn`).sort());
      expect(job.notes.length).toBe(gone.length > 0 ? 1 : 0);
      for (const name of gone) expect(job.notes[0]).toContain(name);
      if (gone.length > 0) expect(lost).toBeDefined();
      withdrawn += gone.length;
    }
    expect(withdrawn).toBeGreaterThan(10);
  });

  it('FS3 a part that was withdrawn does not come back, if the machine stops right behind it', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const disk = new SimulatedDisk({ random: new Random(seed) });
      const mounted = disk.mount();
      await disk.run(mounted.makeDirectory(DIRECTORY));
      mounted.create(`${DIRECTORY}/part-0-0.csv`);
      await disk.run(mounted.syncDirectory(DIRECTORY));
      await disk.run(
        new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: mounted }).recover(null, NO_SAVEPOINTS),
      );
      disk.crash();
      expect([seed, disk.files()]).toEqual([seed, [`${DIRECTORY}/.part-0-0.csv.withdrawn`]]);
    }
  });

  it('FS2 nor does it matter that the directory was made by a process that was killed before it had synced its name', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const job = new CountingJob(new Random(seed));
      const killed = new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: job.disk.mount() });
      void killed.recover(null, NO_SAVEPOINTS);
      job.disk.kill();
      await job.attempt(1);
      job.disk.crash();
      expect([seed, job.rows()]).toEqual([seed, ALL]);
    }
  });

  it('FS4 so at any parallelism, after any number of crashes and lost checkpoints', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const job = new CountingJob(random);
      for (let failures = random.below(5); failures > 0; failures--) {
        await job.dies(
          job.disk.operations + random.below(60),
          random.next() < 0.5 ? 'kill' : 'crash',
          1 + random.below(4),
        );
        if (random.next() < 0.2) job.checkpoints.pop();
      }
      await job.attempt(1 + random.below(4));
      expect([seed, job.rows()]).toEqual([seed, ALL]);
    }
  });

  it('FS12 what a savepoint has to commit stays as long as it does: the job can go back to it from any other history, with every row once', async () => {
    let wentBack = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed);
      const job = new CountingJob(random);
      job.savepointShare = 0.2;
      for (let failures = 1 + random.below(6); failures > 0; failures--) {
        const how = random.next() < 0.5 ? 'kill' : 'crash';
        await job.dies(job.disk.operations + random.below(90), how, 1 + random.below(4));
        if (random.next() < 0.2) job.checkpoints.pop();
        if (random.next() < 0.5 || job.savepoints.length === 0) continue;
        job.checkpoints.splice(0, Infinity, job.savepoints[random.below(job.savepoints.length)] as Checkpoint);
        wentBack++;
      }
      job.savepointShare = 0;
      await job.attempt(1 + random.below(4));
      expect([seed, job.rows()]).toEqual([seed, ALL]);
      job.savepoints = [];
      await job.attempt(1);
      expect([seed, job.rows(), job.hidden().filter((name) => name.endsWith('.inprogress'))]).toEqual([seed, ALL, []]);
    }
    expect(wentBack).toBeGreaterThan(100);
  });

  it('FS12 where it cannot be known what savepoints hold everything staged stays', async () => {
    const disk = new SimulatedDisk({ random: new Random(1) });
    const mounted = disk.mount();
    const staged = `${DIRECTORY}/.part-0-0.csv.inprogress`;
    await disk.run(mounted.makeDirectory(DIRECTORY));
    mounted.create(staged);
    const sink = new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: mounted });
    await disk.run(sink.recover(null, () => Promise.resolve(null)));
    expect(disk.files()).toEqual([staged]);
    await disk.run(sink.recover(null, NO_SAVEPOINTS));
    expect(disk.files()).toEqual([]);
  });

  it('FS5 parts of subtasks that no longer are stay known, also over two rescalings', async () => {
    const job = new CountingJob(new Random(1));
    await job.dies(60, 'kill', 3);
    expect(job.checkpoints.length).toBeGreaterThan(0);
    await job.dies(job.disk.operations + 60, 'kill', 1);
    await job.attempt(2);
    expect([job.rows(), job.notes]).toEqual([ALL, []]);
    expect(new Set([...job.parts().keys()].map((name) => partOf(name)?.subtask))).toEqual(new Set([0, 1, 2]));
  });

  it('FS6 what the checkpoint knows and the disk has lost is an error, before anything is changed', async () => {
    const job = new CountingJob(new Random(1));
    await job.attempt(1);
    const sink = new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: job.disk.mount() });
    const { states } = sinkRecovery(job.checkpoints.at(-1)?.snapshots ?? []) as { states: readonly PartWriterState[] };
    const recover = (committables: StagedPart[]) => job.disk.run(sink.recover({ committables, states }, NO_SAVEPOINTS));
    const [name = ''] = job.parts().keys();
    const text = job.parts().get(name) ?? '';
    const part = { name, bytes: text.length, checksum: crc32(text) };
    await expect(recover([part])).resolves.toEqual([]);
    await expect(recover([{ ...part, bytes: part.bytes + 1 }])).rejects.toThrow(
      `has ${part.bytes} bytes instead of ${part.bytes + 1}`,
    );
    await expect(recover([{ ...part, name: 'part-0-77.csv' }])).rejects.toThrow(/does not exist.*rows are lost/);
    expect(job.rows()).toEqual(ALL);
  });

  it('FS10 before it goes on a new process tells which part of a checkpoint is gone, cut short or not what was written, on a real disk too', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'weir-parts-'));
    try {
      const rows = 'v\n1\n';
      const part = { name: 'part-0-0.csv', bytes: rows.length, checksum: crc32(rows) };
      const restored = { committables: [part], states: [{ numbers: [[0, 1]], parts: [part] }] } as const;
      const check = async () => new FileSink({ directory, format: new CsvFormat() }).check(restored);
      for (const file of ['.part-0-0.csv.inprogress', 'part-0-0.csv']) {
        const path = join(directory, file);
        writeFileSync(path, rows);
        expect(await check()).toEqual(NO_OBSTACLES);
        for (const [content, damage] of [
          ['v\n2\n', `${path} is not what was written`],
          ['v\n1', `${path} has 3 bytes instead of 4`],
        ] as const) {
          writeFileSync(path, content);
          expect(await check()).toEqual({ ...NO_OBSTACLES, damage: expect.stringContaining(damage) });
        }
        rmSync(path);
        expect((await check()).damage).toMatch(/part-0-0\.csv does not exist, and .* is gone/);
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('FS9 a new process names committed parts that are not as they were written, at another parallelism too', async () => {
    const job = new CountingJob(new Random(1));
    await job.attempt(3);
    const [name = ''] = job.parts().keys();
    const path = `${DIRECTORY}/${name}`;
    job.disk.flip(path);
    await job.attempt(1);
    expect(job.notes).toEqual([expect.stringMatching(`^${path} is not what was written.*do not come again`)]);
    await job.disk.run(job.disk.mount().remove(path));
    await job.attempt(2);
    expect(job.notes[1]).toContain(`${path} is gone`);
    await job.attempt(2);
    expect(job.notes).toHaveLength(3);
  });

  it('FS9 a part that waits for its rename and is damaged keeps the job from going on', async () => {
    const disk = new SimulatedDisk({ random: new Random(1) });
    const mounted = disk.mount();
    await disk.run(mounted.makeDirectory(DIRECTORY));
    mounted.create(`${DIRECTORY}/.part-0-0.csv.inprogress`).write(Buffer.from('v\n1\n'));
    const sink = new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: mounted });
    const part = { name: 'part-0-0.csv', bytes: 4, checksum: crc32('v\n2\n') };
    const states = [{ numbers: [[0, 1]], parts: [part] }] as const;
    await expect(disk.run(sink.recover({ committables: [part], states }, NO_SAVEPOINTS))).rejects.toThrow(
      /inprogress is not what was written.*older checkpoint/,
    );
  });

  it('FS7 touches nothing that is not its own', async () => {
    const disk = new SimulatedDisk({ random: new Random(1) });
    const mine = ['mine.csv', '.hidden', 'part-0-0.ndjson', 'other-0-0.csv', 'part-0-00.csv', '.part-0-1.csv.tmp'];
    const own = ['part-0-0.csv', '.part-0-1.csv.inprogress', '.part-0-2.csv.withdrawn'];
    const mounted = disk.mount();
    await disk.run(mounted.makeDirectory(DIRECTORY));
    for (const name of [...mine, ...own]) mounted.create(`${DIRECTORY}/${name}`);
    const sink = new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: mounted });
    const notes = await disk.run(sink.recover(null, NO_SAVEPOINTS));
    expect(notes).toEqual([
      '/out/windows: 1 part withdrawn, because the job begins anew: part-0-0.csv; kept as .….withdrawn. Their rows come again in later parts.',
    ]);
    const left = disk.files().map((path) => path.slice(DIRECTORY.length + 1));
    expect(left.sort()).toEqual([...mine, '.part-0-0.csv.withdrawn', '.part-0-2.csv.withdrawn'].sort());
  });

  it('FS13 where some writers go back what the others have staged, and are making visible, is not touched', async () => {
    const disk = new SimulatedDisk({ random: new Random(1) });
    const mounted = disk.mount();
    await disk.run(mounted.makeDirectory(DIRECTORY));
    const others = ['.part-0-5.csv.inprogress', 'part-0-4.csv', '.part-0-3.csv.inprogress', 'part-0-3.csv'];
    const dealt = '.part-2-0.csv.inprogress';
    const failed = ['.part-2-3.csv.inprogress', '.part-2-4.csv.inprogress', '.part-2-5.csv.inprogress', 'part-2-2.csv'];
    for (const name of [...others, dealt, ...failed]) mounted.create(`${DIRECTORY}/${name}`).write(Buffer.from('v\n'));
    const sink = new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: mounted });
    const part = (name: string, bytes = 2): StagedPart => ({ name, bytes, checksum: crc32('v\n') });
    // Subtask 0 commits one that a subtask 2 of earlier had written.
    const theirs = [part('part-2-3.csv')];
    const committables = [part('part-0-3.csv'), part('part-2-0.csv'), ...theirs];
    const states = [
      { numbers: [[0, 4] as const], parts: [] },
      { numbers: [[2, 4] as const], parts: [] },
    ];
    const restored = { committables, states };
    const writers = { subtasks: new Set([2]), committables: theirs };
    const none = () => Promise.resolve([]);
    expect(await disk.run(sink.recoverWriters(restored, writers, none))).toEqual([]);
    const left = disk.files().map((path) => path.slice(DIRECTORY.length + 1));
    expect(left.sort()).toEqual([...others, dealt, '.part-2-3.csv.inprogress', 'part-2-2.csv'].sort());
    const lost = { ...writers, committables: [part('part-2-3.csv', 7)] };
    await expect(disk.run(sink.recoverWriters(restored, lost, none))).rejects.toThrow('has 2 bytes instead of 7');
    // Before the first checkpoint none of theirs is known.
    await disk.run(sink.recoverWriters(null, { ...writers, committables: [] }, none));
    expect(disk.files().filter((path) => path.includes('part-2-'))).toEqual([`${DIRECTORY}/.part-2-2.csv.withdrawn`]);
    expect(disk.files()).toContain(`${DIRECTORY}/.part-0-5.csv.inprogress`);
  });
});
