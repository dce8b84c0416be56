/**
 * The end of a stream: hands batches to a writer, and makes what it staged visible.
 *
 * With checkpoints, a snapshot closes what is staged and holds it, and the news that the checkpoint is complete commits it, together with what
 * earlier ones left behind; restored, it is committed at once, whether it was before or not (Flink's Sink V2, `flink-reference` §8.1). What
 * was written after the snapshot is no part of it. Without checkpoints the same happens every roll interval and at the end of the input.
 *
 *   write ── prepareCommit ──> staged ── [checkpoint complete] ──> commit ── [it succeeded] ──> forgotten
 *                                └── every snapshot until then has it, so that a failure between the two is made good
 */

import { messageOf, UsageError, WeirError } from '#base/errors.ts';
import { Dictionary } from '../batch/dictionary.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import { InFlight, type InFlightElement, loadElements, saveElements } from '../exchange/in-flight.ts';
import {
  COMMIT_RETRIES,
  type Committer,
  type FailedWriters,
  type Sink,
  type SinkRecovery,
  type SinkWriter,
} from '../io/sink.ts';
import { HELD } from '../state/in-flight-names.ts';
import type { Eventually } from '../state/keyed-state.ts';
import { shareOf } from '../state/operator-lists.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { ByteReader, ByteWriter } from '../state/value-codec.ts';
import { Operator, type OperatorContext } from './operator.ts';

const COMMITTABLES = 'committables';
const WRITERS = 'writers';
/** Of what belongs to no checkpoint that is still to come: it may be committed at once. */
const DUE = 0;

/** Handed over by the writer, and not committed yet. */
interface Staged {
  /** For whose snapshot they were handed over, or `DUE`. */
  readonly checkpoint: number;
  readonly committables: readonly unknown[];
}

export class SinkOperator extends Operator {
  readonly #sink: Sink;
  readonly #rollIntervalMs: number;
  #writer: SinkWriter | null = null;
  #committer: Committer | null = null;
  #restored: unknown[] = [];
  /** In the order of their checkpoints. */
  #staged: Staged[] = [];
  /** Up to this checkpoint all may be committed. */
  #complete = DUE;
  /** The writer did not take it yet. */
  #held: RecordBatch | null = null;
  /** Copies of rows that a barrier has overtaken: the writer gets them first. */
  #waiting!: InFlight;
  #overdrawn = false;
  /** A commit is under way; there is never more than one. */
  #committing = false;
  /** The last answer that the writer owes. */
  #preparing: Promise<unknown> | null = null;
  #ending = false;
  #closed = false;

  constructor(sink: Sink, rollIntervalMs: number) {
    super();
    this.#sink = sink;
    this.#rollIntervalMs = rollIntervalMs;
  }

  override open(context: OperatorContext): void {
    super.open(context);
    const dictionary = new Dictionary();
    context.own(dictionary);
    this.#waiting = new InFlight(context.inputSchema as Schema, () => dictionary);
    this.#committer = this.#sink.createCommitter(context.subtask);
  }

  override start(): void {
    const { name, subtask, parallelism, clock, inputSchema } = this.context;
    if (this.#committer === null && this.#staged.length > 0) {
      throw new WeirError(
        'UNCOMMITTED',
        `${name}: the checkpoint holds output that is not committed yet, and this sink has no second step to commit it with. Resume with the sink that wrote it.`,
      );
    }
    this.#writer = this.#sink.createWriter({
      subtask,
      parallelism,
      clock,
      schema: inputSchema as Schema,
      restored: this.#restored,
      report: (message) => this.context.report(message),
      wake: () => this.context.wake(),
      fail: (error) => this.#fail(error),
    });
    if (this.#rolls) this.nextTimer = clock.now() + this.#rollIntervalMs;
    this.#commitDue();
  }

  /** Whether it makes output visible in a step of its own, with checkpoints. */
  get commitsWithCheckpoints(): boolean {
    return this.#committer !== null && this.context.checkpointing;
  }

  /** Whether it commits by itself. */
  get #rolls(): boolean {
    return this.#committer !== null && !this.context.checkpointing;
  }

  processBatch(batch: RecordBatch): void {
    const writer = this.#writer as SinkWriter;
    if (this.#overdrawn && (!this.#waiting.empty || writer.ready?.() === false)) {
      this.#waiting.rows(batch);
    } else if (writer.ready?.() === false) {
      this.#held = batch;
      this.pending = true;
    } else {
      writer.write(batch);
    }
  }

  override overdraw(on: boolean): void {
    this.#overdrawn = on;
    if (this.#held !== null) this.#waiting.rows(this.#held);
    this.#held = null;
    this.pending = (this.#ending && this.awaiting) || (!on && !this.#waiting.empty);
  }

  override get heldBytes(): number {
    return this.#waiting.bytes;
  }

  override resume(): void {
    const writer = this.#writer as SinkWriter;
    while (!this.#overdrawn && !this.#waiting.empty) {
      if (writer.ready?.() === false) return;
      writer.write(this.#waiting.decode(this.#waiting.shift() as InFlightElement & { kind: 'rows' }));
    }
    if (this.#held !== null) {
      if (writer.ready?.() === false) return;
      writer.write(this.#held);
      this.#held = null;
    }
    this.pending = this.#ending && this.awaiting;
  }

  /** Its writer or committer owes an answer. */
  override get awaiting(): boolean {
    return this.#committing || this.#preparing !== null || this.#writer?.ready?.() === false;
  }

  override onTimer(now: number): void {
    this.nextTimer = now + this.#rollIntervalMs;
    this.#roll();
  }

  override onQuiet(): void {
    this.#writer?.idle?.();
  }

  override endInput(): void {
    this.#writer?.idle?.();
    // The rest waits for the last checkpoint.
    if (this.#committer !== null && !this.#rolls) return;
    this.#ending = true;
    this.#roll();
    this.pending = this.awaiting;
  }

  override snapshot(checkpoint: number): Eventually<OperatorSnapshot> {
    const watermark = this.inputWatermark;
    let writers: Uint8Array[] = [];
    const held = this.#waiting.empty ? [] : [saveElements(this.#waiting.elements)];
    const saved = (): OperatorSnapshot => {
      const uncommitted = this.#staged.filter((one) => one.checkpoint <= checkpoint).flatMap((one) => one.committables);
      return {
        watermark,
        keyed: [],
        operator: {
          [COMMITTABLES]: { redistribute: 'split', items: uncommitted.map(written) },
          [WRITERS]: { redistribute: 'union', items: writers },
          ...(held.length === 0 ? {} : { [HELD]: { redistribute: 'union', items: held } }),
        },
      };
    };
    const staged = this.#stage(checkpoint);
    const state = this.#writer?.snapshot?.();
    if (state !== undefined) writers = [written(state)];
    if (staged === null) return saved();
    const later = staged.then(saved);
    // The job fails anyway; nobody waits where another operator of the chain has thrown.
    later.catch(noted);
    return later;
  }

  override restore(snapshots: readonly OperatorSnapshot[]): void {
    super.restore(snapshots);
    const lists = shareOf(snapshots, this.context);
    const values = (name: string): unknown[] =>
      (lists.get(name)?.items ?? []).map((bytes) => new ByteReader(bytes).value());
    this.#add(DUE, values(COMMITTABLES));
    this.#restored = values(WRITERS);
    this.#takeBack(snapshots);
  }

  #takeBack(snapshots: readonly OperatorSnapshot[]): void {
    const { name, subtask, parallelism } = this.context;
    const held = snapshots.map(({ operator }) => operator[HELD]?.items ?? []);
    if (held.flat().length > 0 && snapshots.length !== parallelism) {
      throw new UsageError(
        `${name}: the checkpoint was taken with rows that waited for the writers of ${snapshots.length} subtasks, and now there are ${parallelism}. Go on at the parallelism it was taken at, or from a savepoint.`,
      );
    }
    for (const bytes of held[subtask] ?? []) for (const element of loadElements(bytes)) this.#waiting.add(element);
    this.pending = !this.#waiting.empty;
  }

  override notifyComplete(checkpoint: number): void {
    this.#complete = Math.max(this.#complete, checkpoint);
    this.#commitDue();
  }

  override inspect(query: unknown): unknown {
    return this.#writer?.inspect?.(query) ?? null;
  }

  override close(): void {
    this.#closed = true;
    this.#writer?.close();
    this.#committer?.close?.();
  }

  /** Closes what is staged and commits it. */
  #roll(): void {
    const staged = this.#stage(DUE);
    if (staged === null) this.#commitDue();
    else void staged.then(() => this.#commitDue(), noted).then(() => this.context.wake());
  }

  /**
   * Has the writer hand over what was written. Null: done; else when it will be, behind what it was asked for before. If that fails the job
   * does, whatever becomes of the snapshot: those rows are nowhere else.
   */
  #stage(checkpoint: number): Promise<void> | null {
    const writer = this.#writer as SinkWriter;
    let prepared: Eventually<unknown[]>;
    try {
      prepared = writer.prepareCommit();
    } catch (error) {
      this.#fail(error);
      throw this.#named(error);
    }
    const before = this.#preparing;
    if (!(prepared instanceof Promise) && before === null) {
      this.#add(checkpoint, prepared);
      return null;
    }
    const turn = Promise.all([prepared, before]).then(
      ([committables]) => {
        this.#add(checkpoint, committables);
        if (this.#preparing === turn) this.#preparing = null;
      },
      (error: unknown) => {
        this.#fail(error);
        throw error;
      },
    );
    turn.catch(noted);
    this.#preparing = turn;
    return turn;
  }

  #add(checkpoint: number, committables: readonly unknown[]): void {
    if (committables.length > 0) this.#staged.push({ checkpoint, committables });
  }

  /** Commits checkpoint by checkpoint; each is forgotten when it has succeeded. */
  #commitDue(): void {
    if (this.#committing) return;
    for (;;) {
      const next = this.#staged[0];
      if (next === undefined || next.checkpoint > this.#complete || this.#closed) return;
      const committed = this.#attempt(next.committables, 0);
      if (committed instanceof Promise) {
        this.#committing = true;
        committed
          .then(() => {
            this.#committing = false;
            this.#staged.shift();
            this.#commitDue();
            this.context.wake();
          })
          .catch((error: unknown) => this.#fail(error));
        return;
      }
      this.#staged.shift();
    }
  }

  #attempt(committables: readonly unknown[], retries: number): Eventually<void> {
    const next = (again: readonly unknown[]): Eventually<void> => {
      if (again.length === 0 || this.#closed) return;
      if (retries === COMMIT_RETRIES) {
        throw new WeirError(
          'COMMIT_RETRIES',
          `${this.context.name}: ${again.length} of ${committables.length} pieces of output could not be committed in ${COMMIT_RETRIES + 1} attempts.`,
        );
      }
      return this.#attempt(again, retries + 1);
    };
    let left: Eventually<readonly unknown[]>;
    try {
      left = (this.#committer as Committer).commit(committables);
    } catch (error) {
      throw this.#named(error);
    }
    return left instanceof Promise ? left.then(next) : next(left);
  }

  /** Nobody listens any more when it is closed. */
  #fail(error: unknown): void {
    if (!this.#closed) this.context.fail(this.#named(error));
  }

  #named(error: unknown): Error {
    const code = error instanceof WeirError ? error.code : 'SINK';
    const message = messageOf(error);
    const named = message.startsWith(`${this.context.name}: `) ? message : `${this.context.name}: ${message}`;
    return new WeirError(code, named, { cause: error });
  }
}

/** What the sink itself has to know of the snapshots of its subtasks (`Sink.recover`). */
export function sinkRecovery(snapshots: readonly OperatorSnapshot[]): SinkRecovery {
  const values = (name: string): unknown[] =>
    snapshots.flatMap(({ operator }) => operator[name]?.items ?? []).map((bytes) => new ByteReader(bytes).value());
  return { committables: values(COMMITTABLES), states: values(WRITERS) };
}

/** What these of its subtasks get of it back. */
export function failedWriters(
  snapshots: readonly OperatorSnapshot[],
  subtasks: ReadonlySet<number>,
  parallelism: number,
): FailedWriters {
  const items = [...subtasks].flatMap(
    (subtask) => shareOf(snapshots, { subtask, parallelism }).get(COMMITTABLES)?.items ?? [],
  );
  return { subtasks, committables: items.map((bytes) => new ByteReader(bytes).value()) };
}

function noted(): void {}

function written(value: unknown): Uint8Array {
  const to = new ByteWriter();
  to.value(value);
  return to.take();
}
