/**
 * One parallel instance of a job vertex: an input gate or a source, a chain of operators, and writers for what leaves the task.
 *
 *   step():  resume what stopped for credits ─> timers that are due ─> one element of input ─> how it went
 *
 * A subtask never blocks and never waits: whoever drives it (a task manager's loop, the local executor) calls `step` while there is work and
 * learns from the outcome and from `wakeAt` when there may be some again.
 *
 * Thread contract: one thread. Only `mail` may be called from I/O callbacks of the same thread.
 */

import type { Clock } from '#base/clock.ts';
import { messageOf, WeirError } from '#base/errors.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { NEVER_INGESTED, type RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import type { ChannelWriter } from '#engine/exchange/channel.ts';
import { InputGate } from '#engine/exchange/input-gate.ts';
import { PartitionWriter } from '#engine/exchange/partition-writer.ts';
import type { JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import { Poll, type Split } from '#engine/io/source.ts';
import { OperatorCell, operatorCells, TaskCell } from '#engine/metrics/cells.ts';
import { type LatencyMarker, latencyPlaces, latencyRecorder } from '#engine/metrics/latency.ts';
import { ChainedOperator } from '#engine/operators/chained-operator.ts';
import type { Operator } from '#engine/operators/operator.ts';
import { type Consumer, Output } from '#engine/operators/output.ts';
import { type EnumeratorLink, SourceOperator, Splits } from '#engine/operators/source.ts';
import { heapBackend } from '#engine/state/heap-backend.ts';
import type { KeyedStateBackend, StateBackendFactory, StateBackendOptions } from '#engine/state/keyed-state.ts';

/** How a step went. */
export const Step = {
  /** Something was done, and there may be more. */
  WORKED: 0,
  /** No input, no timer. */
  IDLE: 1,
  /** There may be input, but no credits. */
  BACKPRESSURED: 2,
  FINISHED: 3,
} as const;
export type Step = (typeof Step)[keyof typeof Step];

/** What a subtask needs from its thread. */
export interface SubtaskHost {
  readonly clock: Clock;
  /** Something may be to do: drive this thread again. */
  wake(): void;
  /** Plain data from an operator to the main thread. */
  report(operatorId: string, message: unknown): void;
  readonly enumerator: EnumeratorLink;
  /** Backend of jobs whose state exceeds memory, which needs files; null: this host has none. */
  readonly levelBackend: StateBackendFactory | null;
}

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

export class Subtask implements Consumer {
  readonly vertex: JobVertex;
  /** Index of the vertex in the job graph. */
  readonly vertexIndex: number;
  readonly index: number;
  readonly gate: InputGate | null;
  /** Strings of the source, if this is a source's task. */
  readonly sourceDictionary = new Dictionary();
  readonly cells: Float64Array;
  readonly #latencies: Float64Array;
  readonly #graph: JobGraph;
  readonly #host: SubtaskHost;
  readonly #chain: ChainedOperator[] = [];
  readonly #operators: Operator[] = [];
  readonly #writers = new Map<number, PartitionWriter>();
  #writerList: PartitionWriter[] = [];
  #source: SourceOperator | null = null;
  readonly #mail: (() => void)[] = [];
  readonly #dictionaries: Dictionary[] = [];
  #finished = false;
  /** What an operator could not throw, because it happened outside of any call. */
  #failure: Error | null = null;
  /** Processing time of the next latency marker, ms; only of sources. */
  #nextMarker = Number.POSITIVE_INFINITY;

  // Accounting: where the time since the last mark went.
  #mark = 0;
  #last: Step = Step.IDLE;
  #nested = 0;
  #served = 0;
  #lastFlush = 0;
  #lastQuiet = 0;

  /** `channels`: how many input channels come together; 0 for sources. `latencies`: memory of its histograms. */
  constructor(
    graph: JobGraph,
    vertex: number,
    index: number,
    channels: number,
    cells: Float64Array,
    latencies: Float64Array,
    host: SubtaskHost,
  ) {
    this.#graph = graph;
    this.vertex = graph.vertices[vertex] as JobVertex;
    this.vertexIndex = vertex;
    this.index = index;
    this.cells = cells;
    this.#latencies = latencies;
    this.#host = host;
    const input = this.vertex.inputs[0];
    this.gate =
      input === undefined ? null : new InputGate((graph.edges[input] as { schema: Schema }).schema, channels, this);
  }

  /** Sending ends of one of the vertex's output edges, one per consumer subtask that this one reaches. */
  connect(edge: number, channels: readonly ChannelWriter[]): void {
    const { partitioner, schema, to } = this.#graph.edges[edge] as JobGraph['edges'][number];
    const keyKind = partitioner.kind === 'hash' ? (schema.columns[partitioner.column]?.kind ?? null) : null;
    const maxParallelism = (this.#graph.vertices[to] as JobVertex).maxParallelism;
    this.#writers.set(
      edge,
      new PartitionWriter(partitioner, channels, { maxParallelism, subtask: this.index, keyKind }),
    );
    this.#writerList = [...this.#writers.values()];
  }

  /** Makes and opens the operators, the last first, so that each finds its consumers. */
  open(): void {
    const { operators, links, outputs } = this.vertex;
    const splits = new Splits();
    const places = latencyPlaces(this.#graph, this.vertexIndex);
    const nanos = (): number => this.#host.clock.nanos();
    const made: (ChainedOperator | null)[] = operators.map(() => null);
    for (let o = operators.length - 1; o >= 0; o--) {
      const spec = operators[o] as JobVertex['operators'][number];
      const cells = operatorCells(this.cells, o);
      const outputFor = (tag: string | null, sides: readonly Output[] = []): Output => {
        const chained = links.filter((l) => l.from === o && l.tag === tag).map((l) => made[l.to] as ChainedOperator);
        const exchanges = outputs.filter(
          (e) => this.#graph.edges[e]?.fromOperator === o && this.#graph.edges[e]?.tag === tag,
        );
        return new Output([...chained, ...exchanges.map((e) => this.#writers.get(e) as PartitionWriter)], cells, sides);
      };
      const sides = new Map<string, Output>();
      for (const tag of tagsOf(this.#graph, this.vertex, o)) sides.set(tag, outputFor(tag));
      const main = outputFor(null, [...sides.values()]);
      let operator: Operator;
      if (spec.source !== null) {
        this.#source = new SourceOperator(spec.source, splits, this.#host.enumerator, this.sourceDictionary);
        this.#dictionaries.push(this.#source.dictionary);
        operator = this.#source;
      } else {
        operator = (spec.create as () => Operator)();
      }
      made[o] = new ChainedOperator(operator, main, cells, latencyRecorder(places, o, this.#latencies, nanos));
      operator.open({
        name: spec.name,
        subtask: this.index,
        parallelism: this.vertex.parallelism,
        maxParallelism: this.vertex.maxParallelism,
        clock: this.#host.clock,
        inputSchema: this.#inputSchema(o),
        cells,
        output: main,
        sideOutput: (tag) => sides.get(tag) ?? new Output([], cells),
        splits,
        stateBackend: (keys) =>
          this.#stateBackend({
            operator: spec.name,
            operatorId: spec.id,
            subtask: this.index,
            maxParallelism: this.vertex.maxParallelism,
            keys,
            cells,
            cacheBytes: this.#graph.state.stateCacheBytes,
            wake: () => this.#host.wake(),
            fail: (error) => {
              this.#failure ??= error;
              this.#host.wake();
            },
          }),
        own: (dictionary) => this.#dictionaries.push(dictionary),
        report: (message) => this.#host.report(spec.id, message),
        wake: () => this.#host.wake(),
      });
      operator.start();
      this.#operators[o] = operator;
    }
    this.#chain.push(...(made as ChainedOperator[]));
    if (this.#source !== null && this.#graph.latencyTracking.intervalMs > 0) this.#nextMarker = this.#host.clock.now();
    this.#mark = this.#host.clock.nanos();
    this.#lastFlush = this.#mark;
    this.#lastQuiet = this.#mark;
    this.cells[TaskCell.PHASE] = 1;
  }

  #stateBackend(options: StateBackendOptions): KeyedStateBackend {
    const make = this.#graph.state.stateBackend === 'level' ? this.#host.levelBackend : heapBackend;
    if (make === null) {
      throw new WeirError(
        'NO_LEVEL_BACKEND',
        `${options.operator}: the job wants state on disk, but runs where there is no "level" backend.`,
      );
    }
    return make(options);
  }

  #inputSchema(o: number): Schema | null {
    if (o === 0) return this.gate?.schema ?? null;
    const link = this.vertex.links.find((l) => l.to === o) as JobVertex['links'][number];
    if (link.tag === null) return this.vertex.operators[link.from]?.outputSchema ?? null;
    return this.vertex.operators[link.from]?.sideOutputs.get(link.tag) ?? null;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Called between elements, in order: splits, control, questions. */
  mail(task: () => void): void {
    this.#mail.push(task);
    this.#host.wake();
  }

  addSplit(split: Split): void {
    this.mail(() => this.#source?.addSplit(split));
  }

  noMoreSplits(): void {
    this.mail(() => this.#source?.noMoreSplits());
  }

  sourceEvent(event: unknown): void {
    this.mail(() => this.#source?.onEvent(event));
  }

  /** Ends the input where it is; what was read is processed to its end. */
  stop(): void {
    this.mail(() => this.#source?.stop());
  }

  /** Works on finished subtasks too: their last numbers stay readable until the job is gone. */
  inspect(operatorId: string, query: unknown): unknown {
    const o = this.vertex.operators.findIndex((op) => op.id === operatorId);
    return this.#operators[o]?.inspect(query) ?? null;
  }

  /** Processing time in ms at which `step` has something to do even if nothing comes in; Infinity: never. */
  get wakeAt(): number {
    if (this.#finished) return Number.POSITIVE_INFINITY;
    let at =
      this.#source === null || this.#source.ended
        ? Number.POSITIVE_INFINITY
        : Math.min(this.#source.wakeAt, this.#nextMarker);
    for (const operator of this.#operators) if (operator.nextTimer < at) at = operator.nextTimer;
    return at;
  }

  /** Something outside owes an answer to one of the operators. */
  get awaiting(): boolean {
    return !this.#finished && this.#operators.some((operator) => operator.awaiting);
  }

  step(): Step {
    if (this.#finished) return Step.FINISHED;
    const began = this.#host.clock.nanos();
    this.#attribute(this.#last, began - this.#mark - this.#served);
    this.#served = 0;
    this.#mark = began;
    const outcome = this.#work(began);
    const ended = this.#host.clock.nanos();
    const spent = ended - this.#mark;
    this.#attribute(Step.BACKPRESSURED, this.#nested);
    this.cells[TaskCell.BUSY] = (this.cells[TaskCell.BUSY] as number) + spent - this.#nested;
    this.#nested = 0;
    this.#mark = ended;
    this.#last = outcome;
    return outcome;
  }

  /** A consumer in this thread worked for this producer, inside its step. */
  servedBy(consumer: Subtask, nanoseconds: number): void {
    this.#nested += nanoseconds;
    consumer.cells[TaskCell.BUSY] = (consumer.cells[TaskCell.BUSY] as number) + nanoseconds;
    consumer.#served += nanoseconds;
  }

  #attribute(outcome: Step, nanoseconds: number): void {
    // Between two steps with work a task waits for its thread: a producer for those behind it, the others still count as busy.
    const cell =
      outcome === Step.IDLE
        ? TaskCell.IDLE
        : outcome === Step.BACKPRESSURED || this.#writerList.length > 0
          ? TaskCell.BACKPRESSURED
          : TaskCell.BUSY;
    this.cells[cell] = (this.cells[cell] as number) + nanoseconds;
  }

  #work(began: number): Step {
    if (this.#failure !== null) throw this.#failure;
    while (this.#mail.length > 0) (this.#mail.shift() as () => void)();
    let worked = false;
    if (this.#stuck()) {
      this.#resume();
      if (this.#stuck()) return this.#quiet(began, Step.BACKPRESSURED);
      worked = true;
    }
    if (this.#runTimers()) worked = true;
    if (!this.#allReady()) return this.#quiet(began, Step.BACKPRESSURED);
    this.#sweep();
    const outcome = this.#source !== null ? this.#pollSource(this.#source) : this.#pollGate(this.gate as InputGate);
    if (this.#done()) return Step.FINISHED;
    if (outcome === Step.WORKED || worked) {
      if (began - this.#lastFlush > FLUSH_NANOS) this.#flush(began);
      if (began - this.#lastQuiet > QUIET_NANOS) this.#tellQuiet(began);
      return outcome === Step.BACKPRESSURED ? outcome : Step.WORKED;
    }
    return this.#quiet(began, outcome);
  }

  #pollSource(source: SourceOperator): Step {
    const head = this.#chain[0] as ChainedOperator;
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

  #pollGate(gate: InputGate): Step {
    if (gate.poll()) return Step.WORKED;
    return gate.available && !gate.ready() ? Step.BACKPRESSURED : Step.IDLE;
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
    for (const operator of this.#operators) {
      operator.onQuiet();
      state += operator.stateBytes;
    }
    this.cells[TaskCell.STATE_BYTES] = state;
    if (this.#source !== null) {
      operatorCells(this.cells, 0)[OperatorCell.DICTIONARY_ENTRIES] = this.#source.dictionary.size;
    } else if (this.gate !== null) {
      operatorCells(this.cells, 0)[OperatorCell.DICTIONARY_ENTRIES] = this.gate.dictionaryEntries;
    }
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
    this.gate?.sweep();
  }

  #done(): boolean {
    if (!(this.#chain[0] as ChainedOperator).ended || this.#stuck()) return false;
    for (const place of this.#chain) if (!place.ended) return false;
    this.#flush(this.#mark);
    this.#tellQuiet(this.#mark);
    this.#finished = true;
    this.cells[TaskCell.PHASE] = 2;
    return true;
  }

  /** Releases what the operators hold; what sinks did not commit is discarded. */
  close(): void {
    for (const operator of this.#operators) operator.close();
  }

  // The gate delivers here.

  ready(): boolean {
    return !this.#stuck() && this.#allReady();
  }

  batch(batch: RecordBatch): void {
    this.#deliver((head) => head.batch(batch));
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

  /** A consumer in the same thread works inside its producer's step; what it throws is still its own failure. */
  #deliver(element: (head: ChainedOperator) => void): void {
    try {
      element(this.#chain[0] as ChainedOperator);
    } catch (error) {
      throw error instanceof SubtaskFailure ? error : new SubtaskFailure(this, error);
    }
  }
}

function tagsOf(graph: JobGraph, vertex: JobVertex, operator: number): Set<string> {
  const tags = new Set<string>(vertex.operators[operator]?.sideOutputs.keys() ?? []);
  for (const e of vertex.outputs) {
    const edge = graph.edges[e];
    if (edge !== undefined && edge.fromOperator === operator && edge.tag !== null) tags.add(edge.tag);
  }
  return tags;
}
