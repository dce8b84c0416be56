/**
 * A whole job in one thread, under a clock that the caller moves: the same operators, gates, rings and writers as in the task managers. What
 * runs next is drawn from a seed, so that a run can be repeated exactly.
 */

import { ManualClock } from '#base/clock.ts';
import { WeirError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import type { CheckpointMode } from '#engine/exchange/barrier-aligner.ts';
import { ringBytes } from '#engine/exchange/ring-layout.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Enumerator, Split } from '#engine/io/source.ts';
import type { StateBackendFactory } from '#engine/state/keyed-state.ts';
import type { JobSnapshot } from '../job/job-snapshot.ts';
import { WatermarkAlignmentCoordinator } from '../job/watermark-alignment.ts';
import type { SubtaskCommand } from '../messages.ts';
import { channelsOf, type SubtaskId } from '../task/channels.ts';
import { Step } from '../task/step.ts';
import { type Subtask, SubtaskFailure } from '../task/subtask.ts';
import { newCells, newLatencies, wire } from '../task/wiring.ts';
import { LocalCheckpoints, type TakenSnapshot } from './local-checkpoints.ts';

export interface LocalOptions {
  /** Draws which subtask steps next; the same seed gives the same run. */
  readonly seed?: number;
  readonly clock?: ManualClock;
  /** `ring`: every channel is a ring, as between threads. `direct` (default): batches are handed over by reference. `mixed`: drawn from the seed. */
  readonly channels?: 'direct' | 'ring' | 'mixed';
  /** For jobs with `stateBackend: 'level'`. */
  readonly levelBackend?: StateBackendFactory;
  /** The job takes checkpoints, whenever `checkpoint` is called. */
  readonly checkpoints?: CheckpointMode;
  /** The job goes on from here. */
  readonly restored?: JobSnapshot;
}

export class LocalExecutor {
  readonly clock: ManualClock;
  readonly graph: JobGraph;
  /** Per vertex, per subtask. */
  readonly cells: Float64Array[][];
  readonly latencies: Float64Array[][];
  /** What operators reported, in order. */
  readonly reports: { operator: string; message: unknown }[] = [];
  readonly #subtasks: Subtask[];
  readonly #random: Random;
  readonly #enumerators = new Map<number, Enumerator>();
  /** Readers may ask before the enumerators start. */
  readonly #earlyRequests: SubtaskId[] = [];
  readonly alignment: WatermarkAlignmentCoordinator;
  readonly #checkpoints: LocalCheckpoints | null;
  #lastCheckpoint = 0;
  #failure: unknown = null;
  /** Somebody has been woken since the last look. */
  #woken = false;
  #onWake: (() => void) | null = null;

  constructor(graph: JobGraph, options: LocalOptions = {}) {
    this.graph = graph;
    this.clock = options.clock ?? new ManualClock();
    this.#random = new Random(options.seed ?? 1);
    this.cells = graph.vertices.map((v, i) =>
      Array.from({ length: v.parallelism }, () => newCells(graph, i, (n) => new ArrayBuffer(n))),
    );
    this.latencies = graph.vertices.map((v, i) =>
      Array.from({ length: v.parallelism }, () => newLatencies(graph, i, (n) => new ArrayBuffer(n))),
    );
    const ids: SubtaskId[] = graph.vertices.flatMap((v, vertex) =>
      Array.from({ length: v.parallelism }, (_, index) => ({ vertex, index })),
    );
    const mode = options.channels ?? 'direct';
    const rings = channelsOf(graph).map((c) => {
      const ring = mode === 'ring' || (mode === 'mixed' && this.#random.next() < 0.5);
      const edge = graph.edges[c.edge];
      return ring && edge !== undefined ? new SharedArrayBuffer(ringBytes(edge.schema)) : null;
    });
    this.#checkpoints =
      options.checkpoints === undefined ? null : new LocalCheckpoints(options.checkpoints, ids.length);
    this.#subtasks = wire({
      graph,
      subtasks: ids,
      cells: (id) => this.cells[id.vertex]?.[id.index] as Float64Array,
      latencies: (id) => this.latencies[id.vertex]?.[id.index] as Float64Array,
      ring: (channel) => rings[channel] ?? null,
      notify: () => () => {},
      nanos: () => this.clock.nanos(),
      host: (id) => ({
        clock: this.clock,
        wake: () => this.#wake(),
        levelBackend: options.levelBackend ?? null,
        checkpoints: this.#checkpoints?.linkOf(id) ?? null,
        restored: options.restored?.operators ?? null,
        report: (operator, message) => this.reports.push({ operator, message }),
        enumerator: {
          requestSplit: () => {
            const enumerator = this.#enumerators.get(id.vertex);
            if (enumerator === undefined) this.#earlyRequests.push(id);
            else enumerator.onSplitRequest(id.index);
          },
          send: (event) => this.#enumerators.get(id.vertex)?.onReaderEvent?.(id.index, event),
        },
      }),
    });
    for (const subtask of this.#subtasks) subtask.start();
    this.alignment = new WatermarkAlignmentCoordinator(graph, this.cells, (id, group, allowed) =>
      this.#subtasks
        .find((s) => s.vertexIndex === id.vertex && s.index === id.index)
        ?.receive({
          type: 'allow',
          group,
          watermark: allowed,
        }),
    );
    for (const [vertex, v] of graph.vertices.entries()) {
      const [head] = v.operators;
      if (!head?.source) continue;
      const subtask = (i: number): Subtask => this.#subtasks.find((s) => s.vertex === v && s.index === i) as Subtask;
      const enumerator = head.source.createEnumerator({
        restored: options.restored?.enumerators.get(head.id) ?? null,
        parallelism: v.parallelism,
        clock: this.clock,
        assign: (i: number, split: Split) => subtask(i).receive({ type: 'add-split', split }),
        noMoreSplits: (i) => subtask(i).receive({ type: 'no-more-splits' }),
        send: (i, event) => subtask(i).receive({ type: 'source-event', event }),
        fail: (error) => {
          this.#failure = error;
        },
      });
      this.#enumerators.set(vertex, enumerator);
    }
    for (const enumerator of this.#enumerators.values()) enumerator.start();
    for (const id of this.#earlyRequests.splice(0)) this.#enumerators.get(id.vertex)?.onSplitRequest(id.index);
  }

  get finished(): boolean {
    return this.#subtasks.every((s) => s.finished);
  }

  /** Control from outside to the source of a vertex. */
  control(vertex: number, event: unknown): void {
    this.#enumerators.get(vertex)?.onControl?.(event);
  }

  inspect(operatorId: string, query: unknown): unknown[] {
    return this.#subtasks
      .filter((s) => s.vertex.operators.some((o) => o.id === operatorId))
      .map((s) => s.inspect(operatorId, query));
  }

  /** Steps subtasks until none can do anything at the present time. */
  settle(): void {
    this.alignment.update(this.clock.now());
    const live = [...this.#subtasks];
    let still = 0;
    while (still < 2) {
      for (let i = live.length - 1; i > 0; i--) {
        const j = this.#random.below(i + 1);
        [live[i], live[j]] = [live[j] as Subtask, live[i] as Subtask];
      }
      let worked = false;
      for (const subtask of live) if (!subtask.finished && this.#step(subtask) === Step.WORKED) worked = true;
      if (this.#failure !== null) throw this.#failure;
      still = worked ? 0 : still + 1;
    }
  }

  #step(subtask: Subtask): Step {
    try {
      return subtask.step();
    } catch (error) {
      throw error instanceof SubtaskFailure ? error.cause : error;
    }
  }

  /** Moves time and lets everything due happen, in order. */
  advance(ms: number): void {
    const until = this.clock.now() + ms;
    this.settle();
    for (;;) {
      // What is due and cannot be done is looked at again a little later.
      const at = Math.max(this.#nextWake(), this.clock.now() + 1);
      if (at > until) break;
      this.clock.set(at);
      this.settle();
    }
    this.clock.set(until);
    this.settle();
  }

  /** Runs a bounded job to its end, moving time as needed. Fails when nothing can ever move again, or an answer from outside is waited for. */
  run(): void {
    this.settle();
    while (!this.finished) {
      const waiting = this.#subtasks.find((s) => s.awaiting);
      if (waiting !== undefined)
        throw new WeirError(
          'AWAITING',
          `Job ${this.graph.name}: ${waiting.vertex.name} waits for an answer from outside, which cannot come while run() runs. Use runAsync().`,
        );
      this.#jump();
      this.settle();
    }
    this.close();
  }

  /**
   * Runs a bounded job whose operators wait for answers from outside. Time stands still while an answer is owed: it comes with the event loop,
   * and what times out does so only with `advance`.
   */
  async runAsync(): Promise<void> {
    for (;;) {
      this.#woken = false;
      this.settle();
      if (this.finished) break;
      if (this.#subtasks.some((s) => s.awaiting)) await this.#rung();
      else this.#jump();
    }
    this.close();
  }

  /**
   * Triggers a checkpoint: barriers start from the sources. Sinks commit what belongs to it with `completed`. `overtakesAfterMs`: so long they wait
   * behind rows; null: as long as it takes.
   */
  trigger(kind: CheckpointKind = 'checkpoint', overtakesAfterMs: number | null = null): void {
    const barrier = {
      checkpoint: ++this.#lastCheckpoint,
      triggeredAt: this.clock.now(),
      kind,
      ...(overtakesAfterMs === null ? {} : { overtakesAfterMs }),
    };
    const enumerators = this.graph.vertices.flatMap(({ operators: [head] }, vertex): [string, unknown][] =>
      head?.source ? [[head.id, this.#enumerators.get(vertex)?.snapshot?.() ?? null]] : [],
    );
    this.#checkpoints?.begin(barrier, new Map(enumerators));
    for (const subtask of this.#subtasks)
      if (subtask.gates.length === 0) subtask.receive({ type: 'checkpoint', barrier });
  }

  /** The checkpoint triggered last, put together; its barriers must be through. */
  collect(): Promise<TakenSnapshot> {
    if (this.#checkpoints === null)
      throw new WeirError('NO_CHECKPOINTS', `Job ${this.graph.name} takes no checkpoints.`);
    return this.#checkpoints.collect();
  }

  /** A whole checkpoint at the present time. */
  checkpoint(kind: CheckpointKind = 'checkpoint'): Promise<TakenSnapshot> {
    this.trigger(kind);
    this.settle();
    return this.collect();
  }

  /** The checkpoint triggered last is complete. */
  completed(): void {
    this.command({ type: 'checkpoint-complete', checkpoint: this.#lastCheckpoint });
    this.settle();
  }

  /** To every subtask. */
  command(command: SubtaskCommand): void {
    for (const subtask of this.#subtasks) subtask.receive(command);
  }

  /** Every subtask has seen the end of its input, and waits for the last checkpoint. */
  get inputEnded(): boolean {
    return this.#checkpoints?.allEnded ?? false;
  }

  /** Ends the input where it is; `run` then lets everything read so far go through. */
  stop(): void {
    this.command({ type: 'stop' });
  }

  /** To the next instant at which something is to do. */
  #jump(): void {
    const at = this.#nextWake();
    if (at === Number.POSITIVE_INFINITY)
      throw new WeirError('STALLED', `Job ${this.graph.name} has stalled: no subtask has anything to do.`);
    this.clock.set(Math.max(at, this.clock.now() + 1));
  }

  #wake(): void {
    this.#woken = true;
    this.#onWake?.();
  }

  async #rung(): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        this.#onWake = resolve;
      });
    }
    this.#onWake = null;
  }

  close(): void {
    for (const enumerator of this.#enumerators.values()) enumerator.close();
    for (const subtask of this.#subtasks) subtask.close();
  }

  #nextWake(): number {
    return Math.min(this.alignment.nextUpdate, ...this.#subtasks.map((s) => s.wakeAt));
  }
}
