/**
 * The end of a stream: hands batches to a writer, and makes what it staged visible.
 *
 * With checkpoints, a snapshot closes what is staged and holds it, and the news that the checkpoint is complete commits it, together with what
 * earlier ones left behind; restored, it is committed at once, whether it was before or not (Flink's Sink V2, `flink-reference` §8.1). What
 * was written after the snapshot is no part of it. Without checkpoints the same happens every roll interval and at the end of the input.
 */

import { WeirError } from '#base/errors.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { COMMIT_RETRIES, type Committer, type Sink, type SinkRecovery, type SinkWriter } from '../io/sink.ts';
import type { Eventually } from '../state/keyed-state.ts';
import { shareOf } from '../state/operator-lists.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { ByteReader, ByteWriter } from '../state/value-codec.ts';
import { Operator, type OperatorContext } from './operator.ts';

const COMMITTABLES = 'committables';
const WRITERS = 'writers';

/** Handed over by the writer, and not committed yet. */
interface Staged {
  /** Of the snapshot they were handed over for; 0: none, they may be committed at once. */
  readonly checkpoint: number;
  readonly committables: readonly unknown[];
}

export class SinkOperator extends Operator {
  readonly #sink: Sink;
  readonly #rollIntervalMs: number;
  #writer!: SinkWriter;
  #committer: Committer | null = null;
  #restored: unknown[] = [];
  #staged: Staged[] = [];
  /** The writer did not take it yet. */
  #held: RecordBatch | null = null;
  /** Commits under way, one after the other. */
  #committing: Promise<void> | null = null;
  /** The last snapshot that waits for its writer. */
  #preparing: Promise<OperatorSnapshot> | null = null;
  #ending = false;

  constructor(sink: Sink, rollIntervalMs: number) {
    super();
    this.#sink = sink;
    this.#rollIntervalMs = rollIntervalMs;
  }

  override open(context: OperatorContext): void {
    super.open(context);
    this.#committer = this.#sink.createCommitter();
  }

  override start(): void {
    const { subtask, parallelism, clock, inputSchema } = this.context;
    this.#writer = this.#sink.createWriter({
      subtask,
      parallelism,
      clock,
      schema: inputSchema as Schema,
      restored: this.#restored,
      report: (message) => this.context.report(message),
      wake: () => this.context.wake(),
      fail: (error) => this.context.fail(error),
    });
    if (this.#rolls) this.nextTimer = clock.now() + this.#rollIntervalMs;
    this.#commit(Number.POSITIVE_INFINITY);
  }

  /** Whether it commits by itself. */
  get #rolls(): boolean {
    return this.#committer !== null && !this.context.checkpointing;
  }

  processBatch(batch: RecordBatch): void {
    if (this.#writer.ready?.() === false) {
      this.#held = batch;
      this.pending = true;
    } else {
      this.#writer.write(batch);
    }
  }

  override resume(): void {
    if (this.#held !== null) {
      if (this.#writer.ready?.() === false) return;
      this.#writer.write(this.#held);
      this.#held = null;
    }
    this.pending = this.#ending && this.#committing !== null;
  }

  override get awaiting(): boolean {
    return this.#held !== null || this.#committing !== null;
  }

  override onTimer(now: number): void {
    this.nextTimer = now + this.#rollIntervalMs;
    this.#roll();
  }

  override onQuiet(): void {
    this.#writer.idle?.();
  }

  override endInput(): void {
    this.#writer.idle?.();
    if (this.context.checkpointing && this.#committer !== null) return;
    this.#ending = true;
    this.#roll();
    this.pending = this.#committing !== null;
  }

  override snapshot(checkpoint: number): Eventually<OperatorSnapshot> {
    const watermark = this.inputWatermark;
    const prepared = this.#writer.prepareCommit();
    const state = this.#writer.snapshot?.();
    const saved = (committables: readonly unknown[]): OperatorSnapshot => {
      this.#staged.push({ checkpoint, committables });
      const uncommitted = this.#staged.filter((one) => one.checkpoint <= checkpoint).flatMap((one) => one.committables);
      return {
        watermark,
        keyed: new Map(),
        operator: {
          [COMMITTABLES]: { redistribute: 'split', items: uncommitted.map(written) },
          [WRITERS]: { redistribute: 'union', items: state === undefined ? [] : [written(state)] },
        },
      };
    };
    if (!(prepared instanceof Promise) && this.#preparing === null) return saved(prepared);
    // One behind the other, so that each finds what the ones before have staged.
    const turn = Promise.all([prepared, this.#preparing]).then(([committables]) => {
      if (this.#preparing === turn) this.#preparing = null;
      return saved(committables);
    });
    this.#preparing = turn;
    return turn;
  }

  override restore(snapshots: readonly OperatorSnapshot[]): void {
    super.restore(snapshots);
    const lists = shareOf(snapshots, this.context);
    const values = (name: string): unknown[] =>
      (lists.get(name)?.items ?? []).map((bytes) => new ByteReader(bytes).value());
    this.#staged.push({ checkpoint: 0, committables: values(COMMITTABLES) });
    this.#restored = values(WRITERS);
  }

  override notifyComplete(checkpoint: number): void {
    this.#commit(checkpoint);
  }

  override inspect(query: unknown): unknown {
    return this.#writer.inspect?.(query) ?? null;
  }

  override close(): void {
    this.#writer?.close();
    this.#committer?.close?.();
  }

  /** Closes what is staged and commits it. */
  #roll(): void {
    const prepared = this.#writer.prepareCommit();
    const stage = (committables: readonly unknown[]): void => {
      this.#staged.push({ checkpoint: 0, committables });
    };
    if (prepared instanceof Promise) {
      this.#inTurn(async () => {
        stage(await prepared);
        await this.#commitStaged(0);
      });
    } else {
      stage(prepared);
      this.#commit(0);
    }
  }

  /** Commits what was staged for snapshots up to this one. */
  #commit(checkpoint: number): void {
    if (this.#committing !== null) {
      this.#inTurn(() => this.#commitStaged(checkpoint));
      return;
    }
    const committed = this.#commitStaged(checkpoint);
    if (committed instanceof Promise) this.#inTurn(() => committed);
  }

  /** Behind the commits under way; what fails fails the job. */
  #inTurn(work: () => Eventually<void>): void {
    const before = this.#committing ?? Promise.resolve();
    const turn = before.then(work).then(
      () => {
        if (this.#committing === turn) this.#committing = null;
        this.context.wake();
      },
      (error: unknown) => this.context.fail(error instanceof Error ? error : new Error(String(error))),
    );
    this.#committing = turn;
  }

  #commitStaged(checkpoint: number): Eventually<void> {
    const due = this.#staged.filter((one) => one.checkpoint <= checkpoint).flatMap(({ committables }) => committables);
    this.#staged = this.#staged.filter((one) => one.checkpoint > checkpoint);
    return due.length === 0 || this.#committer === null ? undefined : this.#attempt(this.#committer, due, 0);
  }

  #attempt(committer: Committer, committables: readonly unknown[], retries: number): Eventually<void> {
    const next = (again: readonly unknown[]): Eventually<void> => {
      if (again.length === 0) return;
      if (retries === COMMIT_RETRIES) {
        throw new WeirError(
          'COMMIT_RETRIES',
          `${this.context.name}: ${again.length} of ${committables.length} pieces of output could not be committed in ${COMMIT_RETRIES + 1} attempts.`,
        );
      }
      return this.#attempt(committer, again, retries + 1);
    };
    const left = committer.commit(committables);
    return left instanceof Promise ? left.then(next) : next(left);
  }
}

/** What the sink itself has to know of the snapshots of its subtasks (`Sink.recover`). */
export function sinkRecovery(snapshots: readonly OperatorSnapshot[]): SinkRecovery {
  const values = (name: string): unknown[] =>
    snapshots.flatMap(({ operator }) => operator[name]?.items ?? []).map((bytes) => new ByteReader(bytes).value());
  return { committables: values(COMMITTABLES), states: values(WRITERS) };
}

function written(value: unknown): Uint8Array {
  const to = new ByteWriter();
  to.value(value);
  return to.take();
}
