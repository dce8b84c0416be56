/**
 * The enumerators of an attempt of a job, and what each has assigned since the last checkpoint: where one of several readers fails, those splits
 * are nobody's again (Flink's SplitAssignmentTracker and addSplitsBack).
 *
 *   assign(s, reader 2) ──> to the reader ── checkpoint 7 triggered ──> s is in 7's state of reader 2 ── 7 complete ──> forgotten
 *                                 └── reader 2 goes on from 6: s is in no state ──> addSplitsBack([s], 2)
 *
 * A source all of whose readers fail goes on from the checkpoint as it does when the whole job restarts: with a new enumerator.
 */

import type { Clock } from '#base/clock.ts';
import { WeirError } from '#base/errors.ts';
import { findOperator, type JobGraph } from '#engine/graph/job-graph.ts';
import type { Enumerator, Source, Split } from '#engine/io/source.ts';
import type { SubtaskCommand } from '../messages.ts';
import type { SubtaskId } from '../task/channels.ts';

export interface SourceCoordinatorsOptions {
  readonly graph: JobGraph;
  readonly clock: Clock;
  readonly command: (id: SubtaskId, command: SubtaskCommand) => void;
  /** An enumerator has failed, and with it the job. */
  readonly fail: (error: Error) => void;
}

/** Of enumerators at a checkpoint, by operator id of the source. */
export type EnumeratorStates = ReadonlyMap<string, unknown>;

/** Not triggered yet. */
const NEXT = Number.POSITIVE_INFINITY;

interface Assigned {
  readonly subtask: number;
  readonly split: Split;
  /** The first checkpoint that has it in the state of its reader. */
  checkpoint: number;
}

interface SourceState {
  readonly vertex: number;
  readonly operator: string;
  readonly name: string;
  readonly source: Source;
  readonly parallelism: number;
  /** Null before the start, and at the end. */
  enumerator: Enumerator | null;
  /** In the order of their assignment. */
  assigned: Assigned[];
  /** Readers that do not run. */
  readonly away: Set<number>;
  /** Readers that have asked for a split before they all ran. */
  early: number[];
}

export class SourceCoordinators {
  readonly #options: SourceCoordinatorsOptions;
  /** By vertex. */
  readonly #sources = new Map<number, SourceState>();

  constructor(options: SourceCoordinatorsOptions) {
    this.#options = options;
    for (const [vertex, { operators, parallelism }] of options.graph.vertices.entries()) {
      const [head] = operators;
      if (head === undefined || head.source === null) continue;
      const away = new Set(Array.from({ length: parallelism }, (_, index) => index));
      const { id: operator, name, source } = head;
      const state = { vertex, operator, name, source, parallelism, enumerator: null, assigned: [], away, early: [] };
      this.#sources.set(vertex, state);
    }
  }

  /** All readers run. `restored`: what enumerators go on from; null: the job begins. */
  start(restored: EnumeratorStates | null): void {
    this.#guarded(() => {
      for (const source of this.#sources.values()) this.#make(source, restored);
      for (const source of this.#sources.values()) this.#begin(source);
    });
  }

  /** As of now, for a checkpoint: what was assigned before belongs to the readers. */
  snapshots(checkpoint: number): Map<string, unknown> {
    const snapshots = new Map<string, unknown>();
    for (const { operator, enumerator, assigned } of this.#sources.values()) {
      if (enumerator === null) continue;
      snapshots.set(operator, enumerator.snapshot() ?? null);
      for (const one of assigned) if (one.checkpoint === NEXT) one.checkpoint = checkpoint;
    }
    return snapshots;
  }

  /** Nobody goes back behind that checkpoint one by one. */
  completed(checkpoint: number): void {
    for (const source of this.#sources.values())
      source.assigned = source.assigned.filter((one) => one.checkpoint > checkpoint);
  }

  /** To the enumerator of a source operator. */
  control(operatorId: string, event: unknown): void {
    const at = findOperator(this.#options.graph, operatorId);
    const source = at === null ? undefined : this.#sources.get(at.vertex);
    if (source?.operator !== operatorId || source.enumerator?.onControl === undefined)
      throw new WeirError('NO_CONTROL', `Operator "${operatorId}" takes no control events.`);
    if (source.away.size > 0)
      throw new WeirError('RESTARTING', 'The source is being restarted: nothing was sent, try again when it runs.');
    source.enumerator.onControl(event);
  }

  onSplitRequest({ vertex, index }: SubtaskId): void {
    const source = this.#sources.get(vertex);
    if (source === undefined) return;
    if (source.enumerator === null || source.away.has(index)) source.early.push(index);
    else this.#guarded(() => source.enumerator?.onSplitRequest(index));
  }

  onReaderEvent({ vertex, index }: SubtaskId, event: unknown): void {
    this.#sources.get(vertex)?.enumerator?.onReaderEvent?.(index, event);
  }

  /** Why these subtasks cannot go back to a checkpoint while others go on; null: they can. */
  obstacle(subtasks: readonly SubtaskId[]): string | null {
    for (const { vertex, name, parallelism, enumerator } of this.#sources.values()) {
      const readers = subtasks.filter((id) => id.vertex === vertex).length;
      if (readers > 0 && readers < parallelism && enumerator?.addSplitsBack === undefined)
        return `source ${name} takes no splits back`;
    }
    return null;
  }

  /** Readers among them are gone. */
  leave(subtasks: readonly SubtaskId[]): void {
    for (const { vertex, index } of subtasks) {
      const source = this.#sources.get(vertex);
      if (source === undefined) continue;
      source.away.add(index);
      source.early = source.early.filter((other) => other !== index);
    }
  }

  /** They run again, from the last completed checkpoint; `restored` as in `start`. */
  comeBack(subtasks: readonly SubtaskId[], restored: EnumeratorStates | null): void {
    this.#guarded(() => {
      for (const source of this.#sources.values()) {
        const readers = subtasks.filter(({ vertex }) => vertex === source.vertex).map(({ index }) => index);
        if (readers.length === 0) continue;
        if (readers.length === source.parallelism) {
          source.enumerator?.close();
          source.assigned = [];
          this.#make(source, restored);
          this.#begin(source);
        } else {
          for (const reader of readers) this.#giveBack(source, reader);
        }
      }
    });
  }

  close(): void {
    for (const source of this.#sources.values()) {
      source.enumerator?.close();
      source.enumerator = null;
    }
  }

  #make(source: SourceState, restored: EnumeratorStates | null): void {
    const { clock, command, fail } = this.#options;
    const { vertex, operator, parallelism } = source;
    source.enumerator = source.source.createEnumerator({
      parallelism,
      clock,
      restored: restored?.get(operator) ?? null,
      assign: (index: number, split: Split) => {
        source.assigned.push({ subtask: index, split, checkpoint: NEXT });
        command({ vertex, index }, { type: 'add-split', split });
      },
      noMoreSplits: (index) => command({ vertex, index }, { type: 'no-more-splits' }),
      send: (index, event) => command({ vertex, index }, { type: 'source-event', event }),
      fail: (error) => fail(error instanceof Error ? error : new Error(String(error))),
    });
  }

  #begin(source: SourceState): void {
    source.away.clear();
    source.enumerator?.start();
    for (const reader of source.early.splice(0)) source.enumerator?.onSplitRequest(reader);
  }

  #giveBack(source: SourceState, reader: number): void {
    const splits = source.assigned.filter(({ subtask }) => subtask === reader).map(({ split }) => split);
    source.assigned = source.assigned.filter(({ subtask }) => subtask !== reader);
    source.away.delete(reader);
    // All readers were to come back, and not all have.
    if (source.enumerator?.addSplitsBack === undefined)
      throw new WeirError('NO_SPLITS_BACK', `Source ${source.name} takes no splits back.`);
    source.enumerator.addSplitsBack(splits, reader);
    const asked = source.early.includes(reader);
    source.early = source.early.filter((other) => other !== reader);
    if (asked) source.enumerator.onSplitRequest(reader);
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
