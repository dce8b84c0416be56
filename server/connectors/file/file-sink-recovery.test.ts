import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { f64, schema } from '#engine/batch/schema.ts';
import type { Sink } from '#engine/io/sink.ts';
import { SinkOperator, sinkRecovery } from '#engine/operators/sink.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import { OperatorHarness } from '#testing/harness.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { CsvFormat } from '../csv/csv-format.ts';
import type { PieceNumbers } from '../piece-numbers.ts';
import { FileSink } from './file-sink.ts';
import type { OutputFormat } from './format.ts';
import { NdjsonFormat } from './ndjson-format.ts';
import { partOf, type StagedPart } from './part-files.ts';

const S = schema({ v: f64() });
const DIRECTORY = '/out/windows';
const ROWS = 14;
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
  readonly notes: string[] = [];
  readonly #format: OutputFormat;
  #nextId = 1;
  #failure: Error | null = null;

  constructor(random: Random, format: OutputFormat = new CsvFormat()) {
    this.disk = new SimulatedDisk({ random });
    this.#format = format;
  }

  /** Goes on from the last checkpoint. News of every third one is lost. Throws where the disk refuses. */
  async attempt(parallelism: number): Promise<void> {
    this.#failure = null;
    const sink = new FileSink({ directory: DIRECTORY, format: this.#format, disk: this.disk.mount() });
    const from = this.checkpoints.at(-1) ?? null;
    const recovery = from === null ? null : sinkRecovery(from.snapshots);
    this.notes.push(...(await this.disk.run(sink.recover(recovery as Parameters<FileSink['recover']>[0]))));
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
      if (v % EVERY === EVERY - 1) await this.#checkpoint(subtasks, v + 1, this.#nextId % 3 !== 0);
    }
    await this.#checkpoint(subtasks, ROWS, true);
    await this.#until(() => subtasks.every((subtask) => !subtask.awaiting));
    for (const subtask of subtasks) subtask.close();
  }

  async #checkpoint(subtasks: readonly OperatorHarness[], offset: number, told: boolean): Promise<void> {
    await this.#until(() => subtasks.every((subtask) => !subtask.resume().pending));
    const id = this.#nextId++;
    const snapshots = await this.disk.run(Promise.all(subtasks.map((subtask) => subtask.snapshotLater(id))));
    this.checkpoints.push({ id, offset, snapshots });
    if (told) for (const subtask of subtasks) subtask.notifyComplete(id);
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
      await disk.run(new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: mounted }).recover(null));
      disk.crash();
      expect([seed, disk.files()]).toEqual([seed, [`${DIRECTORY}/.part-0-0.csv.withdrawn`]]);
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
    const recover = (committables: StagedPart[], states: PieceNumbers[]) =>
      job.disk.run(sink.recover({ committables, states }));
    const [name = ''] = job.parts().keys();
    const bytes = job.parts().get(name)?.length ?? 0;
    await expect(recover([{ name, bytes }], [[[0, 9]]])).resolves.toEqual([]);
    await expect(recover([{ name, bytes: bytes + 1 }], [])).rejects.toThrow(
      `has ${bytes} bytes instead of ${bytes + 1}`,
    );
    await expect(recover([{ name: 'part-0-77.csv', bytes }], [])).rejects.toThrow(/does not exist.*rows are lost/);
    expect(job.rows()).toEqual(ALL);
  });

  it('FS7 touches nothing that is not its own', async () => {
    const disk = new SimulatedDisk({ random: new Random(1) });
    const mine = ['mine.csv', '.hidden', 'part-0-0.ndjson', 'other-0-0.csv', 'part-0-00.csv', '.part-0-1.csv.tmp'];
    const own = ['part-0-0.csv', '.part-0-1.csv.inprogress', '.part-0-2.csv.withdrawn'];
    const mounted = disk.mount();
    await disk.run(mounted.makeDirectory(DIRECTORY));
    for (const name of [...mine, ...own]) mounted.create(`${DIRECTORY}/${name}`);
    const sink = new FileSink({ directory: DIRECTORY, format: new CsvFormat(), disk: mounted });
    const notes = await disk.run(sink.recover(null));
    expect(notes).toEqual([
      '/out/windows: 1 part withdrawn, because the job begins anew: part-0-0.csv; kept as .….withdrawn. Their rows come again in later parts.',
    ]);
    const left = disk.files().map((path) => path.slice(DIRECTORY.length + 1));
    expect(left.sort()).toEqual([...mine, '.part-0-0.csv.withdrawn', '.part-0-2.csv.withdrawn'].sort());
  });
});
