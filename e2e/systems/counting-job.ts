/**
 * A job that writes the rows 0, 1, 2 … through sink operators, over as many attempts as it takes. Its checkpoints are kept here, by somebody
 * reliable: what is tested is the sink.
 */

import type { Schema } from '#engine/batch/schema.ts';
import { f64, schema, string, timestamp } from '#engine/batch/schema.ts';
import type { Sink } from '#engine/io/sink.ts';
import { SinkOperator, sinkRecovery } from '#engine/operators/sink.ts';
import type { OperatorSnapshot } from '#engine/state/snapshot.ts';
import { OperatorHarness, type PlainRow } from '#testing/harness.ts';

export const Counted = schema({ device: string(), at: timestamp(), v: f64() });
const ROWS = 10;
/** A checkpoint is taken behind so many rows. */
const EVERY = 4;
/** Patience with a server. */
const MOST_MS = 60_000;

export interface Checkpoint {
  /** Rows that were read. */
  readonly offset: number;
  readonly snapshots: readonly OperatorSnapshot[];
}

/** The subtasks of one attempt. */
export class Attempt {
  readonly subtasks: readonly OperatorHarness[];
  failure: Error | null = null;

  constructor(sink: Sink, parallelism: number, from: Checkpoint | null, of: Schema = Counted) {
    this.subtasks = Array.from(
      { length: parallelism },
      (_, subtask) =>
        new OperatorHarness(new SinkOperator(sink, 1000), {
          input: of,
          output: of,
          checkpointing: true,
          subtask,
          parallelism,
          ...(from === null ? {} : { restore: from.snapshots }),
          fail: (error) => {
            this.failure ??= error;
          },
        }),
    );
  }

  /** Rows of one subtask, when it takes them. */
  async write(rows: readonly PlainRow[], subtask = 0): Promise<void> {
    const harness = this.subtasks[subtask] as OperatorHarness;
    await this.#ready();
    harness.rows(rows);
    await this.#ready();
  }

  async snapshot(checkpoint: number): Promise<readonly OperatorSnapshot[]> {
    await this.#ready();
    return Promise.all(this.subtasks.map((subtask) => subtask.snapshotLater(checkpoint)));
  }

  /** Until everything is committed that may be. */
  async complete(checkpoint: number): Promise<void> {
    for (const subtask of this.subtasks) subtask.notifyComplete(checkpoint);
    await this.settled();
  }

  async settled(): Promise<void> {
    await this.until(() => this.subtasks.every((subtask) => !subtask.awaiting));
  }

  /** The process is gone: nothing is handed over or committed any more. */
  die(): void {
    for (const subtask of this.subtasks) subtask.close();
  }

  async until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + MOST_MS;
    while (!holds()) {
      if (this.failure !== null) throw this.failure;
      if (Date.now() > deadline) throw new Error('What is waited for does not come.');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (this.failure !== null) throw this.failure;
  }

  async #ready(): Promise<void> {
    await this.until(() => this.subtasks.every((subtask) => !subtask.resume().pending));
  }
}

export const NO_SAVEPOINTS = () => Promise.resolve([]);

export class CountingJob {
  readonly checkpoints: Checkpoint[] = [];
  readonly notes: string[] = [];
  #nextId = 1;

  /** Goes on from the last checkpoint, to the end or to a failure. News of every second one is lost. */
  async run(sink: Sink, parallelism: number): Promise<void> {
    const from = this.checkpoints.at(-1) ?? null;
    this.notes.push(
      ...((await sink.recover?.(from === null ? null : sinkRecovery(from.snapshots), NO_SAVEPOINTS)) ?? []),
    );
    const attempt = new Attempt(sink, parallelism, from);
    try {
      for (let v = from?.offset ?? 0; v < ROWS; v++) {
        await attempt.write([{ device: `d${v % 3}`, at: 1000 * v, v }], v % parallelism);
        if (v % EVERY === EVERY - 1) await this.#checkpoint(attempt, v + 1, this.#nextId % 2 !== 0);
      }
      await this.#checkpoint(attempt, ROWS, true);
      await attempt.settled();
    } finally {
      attempt.die();
    }
  }

  async #checkpoint(attempt: Attempt, offset: number, told: boolean): Promise<void> {
    const id = this.#nextId++;
    this.checkpoints.push({ offset, snapshots: await attempt.snapshot(id) });
    if (told) for (const subtask of attempt.subtasks) subtask.notifyComplete(id);
  }
}

export const ALL = Array.from({ length: ROWS }, (_, v) => v);
