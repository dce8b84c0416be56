/**
 * One parallel instance of a job vertex: a source, an input gate or a pair of them, a chain of operators, and writers for what leaves the task.
 *
 *   step():  resume what stopped for credits ─> timers that are due ─> one element of input ─> how it went
 *
 * A subtask never blocks and never waits: whoever drives it (a task manager's loop, the local executor) calls `step` while there is work and
 * learns from the outcome and from `wakeAt` when there may be some again.
 *
 * Thread contract: one thread. Only `receive` may be called from I/O callbacks of the same thread.
 */

import { messageOf } from '#base/errors.ts';
import { Dictionary, type Swept } from '#engine/batch/dictionary.ts';
import { NEVER_INGESTED, type RecordBatch } from '#engine/batch/record-batch.ts';
import { type CheckpointBarrier, overtakesAt } from '#engine/exchange/barrier.ts';
import type { Alignment } from '#engine/exchange/barrier-aligner.ts';
import type { ChannelWriter } from '#engine/exchange/channel.ts';
import type { InputGate } from '#engine/exchange/input-gate.ts';
import { InputPair, type PairConsumer } from '#engine/exchange/input-pair.ts';
import { keyGroupRange } from '#engine/exchange/key-groups.ts';
import { PartitionWriter } from '#engine/exchange/partition-writer.ts';
import type { JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import { Poll } from '#engine/io/source.ts';
import { OperatorCell, operatorCells, TaskCell } from '#engine/metrics/cells.ts';
import type { LatencyMarker } from '#engine/metrics/latency.ts';
import type { ChainedOperator } from '#engine/operators/chained-operator.ts';
import type { Operator } from '#engine/operators/operator.ts';
import type { SourceOperator } from '#engine/operators/source.ts';
import type { SubtaskCommand } from '../messages.ts';
import { type RestoredInFlight, restoreInFlight, saveInFlight, waitingOutputs } from './in-flight-state.ts';
import { Mailbox } from './mailbox.ts';
import { openChain } from './open-chain.ts';
import { Step } from './step.ts';
import { type SnapshotOf, SubtaskCheckpoints } from './subtask-checkpoints.ts';
import type { SubtaskHost } from './subtask-host.ts';
import { subtaskRows } from './subtask-rows.ts';
import { type TaskInput, taskInput } from './task-input.ts';
import { TaskTime } from './task-time.ts';

/** Rows that did not fill a slot become visible to the other side after this long at most, ns. */
const FLUSH_NANOS = 5e6;
/** Operators are told of a quiet moment at least this often, ns. */
const QUIET_NANOS = 100e6;

/** Whose operator threw, where that is not the subtask that was stepped. */
export class SubtaskFailure extends Error {
  readonly subtask: Subtask;
  override readonly cause: unknown;

  constructor(subtask: Subtask, cause: unknown) {
    super(messageOf(cause));
    this.subtask = subtask;
    this.cause = cause;
  }
}

export class Subtask implements PairConsumer {
  readonly vertex: JobVertex;
  /** Index of the vertex in the job graph. */
  readonly vertexIndex: number;
  readonly index: number;
  /** Strings of the source, if this is a source's task. */
  readonly sourceDictionary = new Dictionary();
  readonly cells: Float64Array;
  readonly #time: TaskTime;
  readonly #latencies: Float64Array;
  readonly #graph: JobGraph;
  readonly #host: SubtaskHost;
  readonly #input: TaskInput | null;
  #chain: readonly ChainedOperator[] = [];
  #operators: readonly Operator[] = [];
  readonly #writers = new Map<number, PartitionWriter>();
  #writerList: PartitionWriter[] = [];
  #source: SourceOperator | null = null;
  readonly #mailbox: Mailbox;
  readonly #checkpoints: SubtaskCheckpoints;
  readonly #restored: RestoredInFlight;
  /** Of sources: triggered, and not taken yet; it may overtake rows. */
  #trigger: CheckpointBarrier | null = null;
  #dictionaries: Swept[] = [];
  /** Everything has been read and has gone through; with checkpoints the last one is still to come. */
  #ended = false;
  /** A savepoint was taken behind which nothing follows. */
  #suspended = false;
  /** Of sources: a barrier that goes out when everything read so far is through, the last watermark included. */
  #drain: CheckpointBarrier | null = null;
  /** Told to finish, once no operator waits for an answer from outside. */
  #finishing = false;
  #finished = false;
  /** What an operator could not throw, because it happened outside of any call. */
  #failure: Error | null = null;
  #stopLoading: (error: Error) => void = () => {};
  /** Processing time of the next latency marker, ms; only of sources. */
  #nextMarker = Number.POSITIVE_INFINITY;

  #lastFlush = 0;
  #lastQuiet = 0;

  /** `channels`: how many come together in each input; none for sources. `latencies`: memory of its histograms. */
  constructor(
    graph: JobGraph,
    vertex: number,
    index: number,
    channels: readonly number[],
    cells: Float64Array,
    latencies: Float64Array,
    host: SubtaskHost,
  ) {
    this.#graph = graph;
    this.vertex = graph.vertices[vertex] as JobVertex;
    this.vertexIndex = vertex;
    this.index = index;
    this.cells = cells;
    this.#time = new TaskTime(cells);
    this.#latencies = latencies;
    this.#host = host;
    this.#mailbox = new Mailbox(() => host.wake());
    this.#checkpoints = new SubtaskCheckpoints(host.checkpoints, host.clock, () => host.wake());
    this.#input = taskInput(graph, this.vertex, channels, this, this.#checkpoints.aligner);
    this.#restored = restoreInFlight({ graph, id: { vertex, index } }, host.restored);
    for (const [input, elements] of this.#restored.inputs) this.gates[input]?.restore(elements);
  }

  /** One per input of the head; none of sources. */
  get gates(): readonly InputGate[] {
    return this.#input?.gates ?? [];
  }

  /** Sending ends of one of the vertex's output edges, one per consumer subtask that this one reaches. */
  connect(edge: number, channels: readonly ChannelWriter[]): void {
    const { partitioner, schema, to } = this.#graph.edges[edge] as JobGraph['edges'][number];
    const keyKind = partitioner.kind === 'hash' ? (schema.columns[partitioner.column]?.kind ?? null) : null;
    const maxParallelism = (this.#graph.vertices[to] as JobVertex).maxParallelism;
    const { index: subtask } = this;
    const restored = this.#restored.outputs.get(edge);
    const writer = new PartitionWriter(partitioner, channels, { schema, maxParallelism, subtask, keyKind }, restored);
    this.#writers.set(edge, writer);
    this.#dictionaries.push(writer.dictionary);
    this.#writerList = [...this.#writers.values()];
  }

  /** To be called when all writers are connected. Behind it come `load` and `start`. */
  open(): void {
    const { places, source, dictionaries } = openChain({
      graph: this.#graph,
      vertex: this.vertexIndex,
      subtask: this.index,
      cells: this.cells,
      latencies: this.#latencies,
      host: this.#host,
      inputSchemas: this.gates.map((gate) => gate.schema),
      writers: this.#writers,
      sourceDictionary: this.sourceDictionary,
      fail: (error) => {
        this.#failure ??= error;
        this.#stopLoading(error);
        this.#host.wake();
      },
    });
    this.#chain = places;
    this.#operators = places.map((place) => place.operator);
    this.#source = source;
    this.#dictionaries.push(...dictionaries);
  }

  /** Takes over restored state that is not in memory, as long as it is wanted: block by block, each when the one before is where it belongs. */
  async load(wanted: () => boolean): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#stopLoading = reject;
    });
    // It may fail at any time.
    failed.catch(() => {});
    const { maxParallelism, parallelism } = this.vertex;
    const [first, last] = keyGroupRange(this.index, parallelism, maxParallelism);
    for (const [o, operator] of this.#operators.entries()) {
      const restored = this.#host.restored?.get(this.vertex.operators[o]?.id as string) ?? [];
      for (const { rest } of restored) {
        for await (const block of rest ?? []) {
          if (this.#failure !== null) throw this.#failure;
          if (!wanted()) return;
          if (block[0] >= first && block[0] <= last) await Promise.race([operator.load(block), failed]);
        }
      }
    }
  }

  /** What was restored is there: the first element may come. */
  start(): void {
    for (let o = this.#operators.length - 1; o >= 0; o--) this.#operators[o]?.start();
    const source = this.#source;
    if (source !== null && this.#graph.latencyTracking.intervalMs > 0) this.#nextMarker = this.#host.clock.now();
    const nanos = this.#host.clock.nanos();
    this.#time.start(nanos);
    this.#lastFlush = nanos;
    this.#lastQuiet = nanos;
    this.#tellInput();
    this.cells[TaskCell.PHASE] = 1;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /**
   * Takes effect between elements, in order. A checkpoint is triggered between two batches: what comes behind it, splits above all, belongs
   * behind its barrier. One that has not been taken by the end is given up: its barrier may wait for credits of tasks that have finished.
   */
  receive(command: SubtaskCommand): void {
    if (command.type === 'checkpoint') this.#trigger = command.barrier;
    if (command.type === 'finish') {
      this.#trigger = null;
      this.#mailbox.dropWaiting();
    }
    this.#mailbox.post(() => this.#perform(command), command.type === 'checkpoint');
  }

  #perform(command: SubtaskCommand): void {
    switch (command.type) {
      case 'add-split':
        this.#source?.addSplit(command.split);
        break;
      case 'no-more-splits':
        this.#source?.noMoreSplits();
        break;
      case 'source-event':
        this.#source?.onEvent(command.event);
        break;
      case 'allow':
        this.#source?.allow(command.group, command.watermark);
        break;
      case 'stop':
        this.#source?.stop();
        break;
      case 'checkpoint':
        if (command.barrier.kind === 'drain') {
          this.#source?.stop();
          this.#drain = command.barrier;
        } else {
          this.#snapshot(command.barrier, null);
        }
        break;
      case 'checkpoint-complete':
        for (const operator of this.#operators) operator.notifyComplete(command.checkpoint);
        break;
      case 'checkpoint-aborted':
        this.#checkpoints.abort(command.checkpoint);
        for (const operator of this.#operators) operator.notifyAborted(command.checkpoint);
        break;
      case 'go-on':
        this.#suspended = false;
        break;
      case 'finish':
        this.#finishing = true;
        break;
    }
  }

  /** Null: it is none of this task's. */
  operator(id: string): Operator | null {
    return this.#operators[this.vertex.operators.findIndex((op) => op.id === id)] ?? null;
  }

  /** Works on finished subtasks too: their last numbers stay readable until the job is gone. */
  inspect(operatorId: string, query: unknown): unknown {
    return this.operator(operatorId)?.inspect(query) ?? null;
  }

  /** Processing time in ms at which `step` has something to do even if nothing comes in; Infinity: never. */
  get wakeAt(): number {
    if (this.#finished || this.#ended || this.#suspended) return Number.POSITIVE_INFINITY;
    let at =
      this.#source === null || this.#source.ended
        ? Number.POSITIVE_INFINITY
        : Math.min(this.#source.wakeAt, this.#nextMarker);
    for (const operator of this.#operators) if (operator.nextTimer < at) at = operator.nextTimer;
    return Math.min(at, this.#checkpoints.aligner.overtakesAt, this.#triggerOvertakesAt);
  }

  /** Something outside owes an answer to one of the operators. */
  get awaiting(): boolean {
    return !this.#finished && this.#operators.some((operator) => operator.awaiting);
  }

  step(): Step {
    if (this.#finished) return Step.FINISHED;
    const began = this.#host.clock.nanos();
    this.#time.stepBegins(began, this.#writerList.length > 0);
    const outcome = this.#work(began);
    this.#time.stepEnds(this.#host.clock.nanos(), outcome);
    return outcome;
  }

  /** A consumer in this thread worked for this producer, inside its step. */
  servedBy(consumer: Subtask, nanoseconds: number): void {
    this.#time.servedBy(consumer.#time, nanoseconds);
  }

  #work(began: number): Step {
    if (this.#failure !== null) throw this.#failure;
    let worked = this.#mailbox.read(() => this.ready() || this.#overdrawFor(this.#triggerOvertakesAt));
    if (this.#finishing) return this.#tryToFinish(began);
    if (this.#suspended) return Step.IDLE;
    if (this.#input !== null && this.#overtake(this.#input)) return Step.WORKED;
    if (this.#stuck()) {
      this.#resume();
      if (this.#stuck()) return this.#quiet(began, Step.BACKPRESSURED);
      worked = true;
    }
    if (this.#runTimers()) worked = true;
    if (!this.#allReady()) return this.#quiet(began, Step.BACKPRESSURED);
    this.#sweep();
    if (this.#snapshotIfAligned()) return Step.WORKED;
    const outcome = this.#source !== null ? this.#pollSource(this.#source) : this.#pollInput(this.#input as TaskInput);
    if (this.#done(began)) return Step.FINISHED;
    if (outcome === Step.WORKED || worked) {
      if (began - this.#lastFlush > FLUSH_NANOS) this.#flush(began);
      if (began - this.#lastQuiet > QUIET_NANOS) this.#tellQuiet(began);
      return outcome === Step.BACKPRESSURED ? outcome : Step.WORKED;
    }
    return this.#quiet(began, outcome);
  }

  #pollSource(source: SourceOperator): Step {
    const head = this.#chain[0] as ChainedOperator;
    if (this.#ended) {
      if (this.#drain === null) return Step.IDLE;
      this.#snapshot(this.#drain, null);
      this.#drain = null;
      return Step.WORKED;
    }
    if (source.ended) {
      if (!head.ended && !head.pending) head.end();
      return Step.WORKED;
    }
    if (this.#nextMarker !== Number.POSITIVE_INFINITY) {
      this.#emitMarker(head);
      if (!head.ready()) return Step.WORKED;
    }
    const found = source.poll();
    if (found === Poll.END) this.#host.wake();
    return found === Poll.WAIT ? Step.IDLE : Step.WORKED;
  }

  /** If one is due. The source itself records none. */
  #emitMarker(head: ChainedOperator): void {
    const now = this.#host.clock.now();
    if (now < this.#nextMarker) return;
    this.#nextMarker = now + this.#graph.latencyTracking.intervalMs;
    head.marker({ markedAt: this.#host.clock.nanos(), source: this.vertexIndex, subtask: this.index });
  }

  #pollInput(input: TaskInput): Step {
    if (input.poll()) return Step.WORKED;
    return input.available && !input.ready() ? Step.BACKPRESSURED : Step.IDLE;
  }

  /** Nothing to do: what is half full goes out now. */
  #quiet(began: number, outcome: Step): Step {
    this.#flush(began);
    this.#tellQuiet(began);
    return outcome;
  }

  #flush(now: number): void {
    this.#lastFlush = now;
    for (const writer of this.#writerList) writer.flush();
  }

  #tellQuiet(now: number): void {
    this.#lastQuiet = now;
    let state = 0;
    for (const [o, operator] of this.#operators.entries()) {
      operator.onQuiet();
      const { stateBytes } = operator;
      operatorCells(this.cells, o)[OperatorCell.STATE_BYTES] = stateBytes;
      state += stateBytes;
    }
    this.cells[TaskCell.STATE_BYTES] = state;
    this.#tellInput();
  }

  #tellInput(): void {
    const head = operatorCells(this.cells, 0);
    head[OperatorCell.DICTIONARY_ENTRIES] = this.#source?.dictionary.size ?? this.#input?.dictionaryEntries ?? 0;
    if (this.#input instanceof InputPair) head.set(this.#input.watermarks, OperatorCell.FIRST_WATERMARK);
  }

  #runTimers(): boolean {
    let fired = false;
    let now = -1;
    let nanos = 0;
    for (let o = 0; o < this.#operators.length; o++) {
      const operator = this.#operators[o] as Operator;
      if (operator.nextTimer === Number.POSITIVE_INFINITY) continue;
      if (now < 0) {
        now = this.#host.clock.now();
        nanos = this.#host.clock.nanos();
      }
      const place = this.#chain[o] as ChainedOperator;
      if (operator.nextTimer <= now && !place.ended && place.ready()) {
        place.onTimer(now, nanos);
        fired = true;
      }
    }
    return fired;
  }

  #stuck(): boolean {
    for (const place of this.#chain) if (place.pending) return true;
    for (const writer of this.#writerList) if (writer.pending) return true;
    return false;
  }

  #allReady(): boolean {
    for (const place of this.#chain) if (!place.ready()) return false;
    return true;
  }

  /** Writers first, then the chain from its end, so that credits travel upstream. */
  #resume(): void {
    for (const writer of this.#writerList) writer.resume();
    for (let o = this.#chain.length - 1; o >= 0; o--) {
      const place = this.#chain[o] as ChainedOperator;
      if (place.pending && place.outputsReady()) place.resume();
    }
  }

  #sweep(): void {
    for (const dictionary of this.#dictionaries) {
      if (dictionary.sweepIfLarge() && dictionary === this.#source?.dictionary) this.#source.onSwept();
    }
    this.#input?.sweep();
  }

  #snapshotIfAligned(): boolean {
    const { aligner } = this.#checkpoints;
    const { aligned } = aligner;
    const input = this.#input as TaskInput;
    if (aligned === null || !input.ready() || input.restoring) return false;
    this.#snapshot(aligned.barrier, aligned);
    aligner.release();
    return true;
  }

  /** Takes the snapshot that does not wait any longer: for barriers of other channels, or for credits. */
  #overtake(input: TaskInput): boolean {
    for (const gate of input.gates) gate.lookForBarriers();
    const { aligner } = this.#checkpoints;
    const barrier = aligner.untaken;
    if (barrier === null || !this.#overdrawFor(aligner.overtakesAt)) return false;
    for (const gate of input.gates) gate.beginKeeping();
    if (aligner.aligned !== null) {
      this.#snapshot(barrier, aligner.aligned);
      aligner.release();
    } else this.#checkpoints.overtake(this.#snapshotOf(barrier));
    return true;
  }

  get #triggerOvertakesAt(): number {
    return this.#trigger === null ? Number.POSITIVE_INFINITY : overtakesAt(this.#trigger);
  }

  /** If it is time: see `#overdraw`. */
  #overdrawFor(at: number): boolean {
    return at !== Number.POSITIVE_INFINITY && at <= this.#host.clock.now() && this.#overdraw();
  }

  /** Finishes what is half-done without credits: copies wait in writers and operators. False: so much waits that something is left. */
  #overdraw(): boolean {
    let done = true;
    for (const writer of this.#writerList) if (!writer.overdraw(true)) done = false;
    if (done) {
      for (const operator of this.#operators) operator.overdraw(true);
      this.#resume();
      const settled = this.#input?.settle() ?? true;
      done = settled && !this.#stuck();
      for (const operator of this.#operators) operator.overdraw(false);
    }
    for (const writer of this.#writerList) writer.overdraw(false);
    return done;
  }

  /** Nothing that a producer in this thread lent is held any more. False: that cannot be now. */
  letGo(): boolean {
    return !this.#stuck() || this.#own(() => this.#overdraw());
  }

  #snapshot(barrier: CheckpointBarrier, alignment: Alignment | null): void {
    this.#suspended = barrier.kind === 'stop';
    this.#trigger = null;
    this.#checkpoints.take(this.#snapshotOf(barrier), alignment);
  }

  #snapshotOf(barrier: CheckpointBarrier): SnapshotOf {
    const mayOvertake = barrier.overtakesAfterMs !== undefined;
    const place = { graph: this.#graph, id: { vertex: this.vertexIndex, index: this.index } };
    const outputs = mayOvertake ? waitingOutputs(this.#writers) : null;
    const held = this.#operators.reduce((bytes, operator) => bytes + operator.heldBytes, 0);
    return {
      barrier,
      ended: this.#ended,
      emit: (one) => {
        for (const writer of this.#writerList) writer.barrier(one);
      },
      operators: () =>
        this.#operators.map((operator, o) => ({
          operator: this.vertex.operators[o]?.id as string,
          snapshot: operator.snapshot(barrier.checkpoint),
        })),
      rows: () => subtaskRows(this.cells, this.#operators.length, this.#source),
      inFlight:
        outputs === null
          ? null
          : () => {
              const kept = this.gates.map((gate) => gate.takeKept());
              const { operator, bytes } = saveInFlight(place, kept, outputs);
              return { operator, bytes: bytes + held };
            },
    };
  }

  #tryToFinish(began: number): Step {
    if (this.#operators.some((operator) => operator.awaiting)) return Step.IDLE;
    this.#tellQuiet(began);
    this.#finished = true;
    this.cells[TaskCell.PHASE] = 2;
    return Step.FINISHED;
  }

  /** Whether the subtask has finished. */
  #done(began: number): boolean {
    if (this.#ended || !(this.#chain[0] as ChainedOperator).ended || this.#stuck()) return false;
    for (const place of this.#chain) if (!place.ended) return false;
    this.#flush(began);
    this.#tellQuiet(began);
    this.#ended = true;
    this.#checkpoints.ended();
    if (this.#checkpoints.taken) return false;
    this.#finished = true;
    this.cells[TaskCell.PHASE] = 2;
    return true;
  }

  /** Releases what the operators hold; what sinks did not commit is discarded. */
  close(): void {
    for (const operator of this.#operators) operator.close();
  }

  // The gate, or the pair of them, delivers here.

  ready(): boolean {
    return !this.#stuck() && this.#allReady();
  }

  batch(batch: RecordBatch, input = 0): void {
    this.#deliver((head) => head.batch(batch, input));
  }

  watermark(watermark: number, ingestedAt = NEVER_INGESTED): void {
    this.#deliver((head) => head.watermark(watermark, ingestedAt));
  }

  marker(marker: LatencyMarker): void {
    this.#deliver((head) => head.marker(marker));
  }

  idle(idle: boolean): void {
    this.cells[TaskCell.IDLE_STATUS] = idle ? 1 : 0;
    this.#deliver((head) => head.idle(idle));
  }

  end(): void {
    this.#deliver((head) => head.end());
  }

  #deliver(element: (head: ChainedOperator) => void): void {
    this.#own(() => element(this.#chain[0] as ChainedOperator));
  }

  /** A consumer in the same thread works inside its producer's step; what it throws is still its own failure. */
  #own<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw error instanceof SubtaskFailure ? error : new SubtaskFailure(this, error);
    }
  }
}
