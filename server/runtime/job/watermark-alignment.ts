/**
 * Keeps the sources of a job near each other in event time (Flink's FLIP-182, `flink-reference` §2.4): per group the smallest watermark, and
 * what each source subtask may read up to. Splits of one subtask are compared in its task (`engine/time/reading-limits.ts`).
 *
 *   cells: watermark and status of every maker ──> update(now) ──> announce(subtask, group, smallest of the others + drift)
 *
 * In Flink the smallest of all counts, so that the slowest source waits for the next comparison whenever it has come on by the drift.
 *
 * Owns no timer: whoever has it calls `update` at `nextUpdate`.
 */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells, TaskCell } from '#engine/metrics/cells.ts';
import { nameOf, type SubtaskId } from '../task/channels.ts';

export type Announce = (id: SubtaskId, group: string, allowed: number) => void;

interface Member {
  readonly id: SubtaskId;
  readonly task: Float64Array;
  readonly cells: Float64Array;
  readonly maxDriftMs: number;
  allowed: number;
}

interface Group {
  readonly members: Member[];
  updateIntervalMs: number;
  nextUpdate: number;
}

export class WatermarkAlignmentCoordinator {
  readonly #groups = new Map<string, Group>();
  readonly #announce: Announce;

  /** `cells`: of every subtask, by vertex and index. */
  constructor(graph: JobGraph, cells: readonly (readonly Float64Array[])[], announce: Announce) {
    this.#announce = announce;
    for (const [vertex, { operators }] of graph.vertices.entries()) {
      for (const [position, { alignment }] of operators.entries()) {
        if (alignment === null) continue;
        const { group: name, maxDriftMs, updateIntervalMs } = alignment;
        const group = this.#groups.get(name) ?? { members: [], updateIntervalMs, nextUpdate: 0 };
        group.updateIntervalMs = Math.min(group.updateIntervalMs, updateIntervalMs);
        for (const [index, task] of (cells[vertex] ?? []).entries()) {
          const id = { vertex, index };
          group.members.push({ id, task, cells: operatorCells(task, position), maxDriftMs, allowed: MAX });
        }
        this.#groups.set(name, group);
      }
    }
  }

  /** Processing time at which `update` has something to do, ms; Infinity: the job aligns nothing. */
  get nextUpdate(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const group of this.#groups.values()) at = Math.min(at, group.nextUpdate);
    return at;
  }

  /** These subtasks have begun anew, and know of no limit. */
  forget(subtasks: readonly SubtaskId[]): void {
    const names = new Set(subtasks.map(nameOf));
    for (const { members } of this.#groups.values())
      for (const member of members) if (names.has(nameOf(member.id))) member.allowed = MAX;
  }

  /** Looks at the groups that are due; a subtask whose limit has changed is told. */
  update(now: number): void {
    for (const [name, group] of this.#groups) {
      if (now < group.nextUpdate) continue;
      group.nextUpdate = now + group.updateIntervalMs;
      const watermarks = group.members.map((member) => reported(member) ?? MAX);
      const [smallest = MAX, next = MAX] = [...watermarks].sort((a, b) => a - b);
      for (const [m, member] of group.members.entries()) {
        // Nobody waits for itself.
        const allowed = (watermarks[m] === smallest ? next : smallest) + member.maxDriftMs;
        if (allowed === member.allowed) continue;
        member.allowed = allowed;
        this.#announce(member.id, name, allowed);
      }
    }
  }
}

const MAX = Number.POSITIVE_INFINITY;

/** What a subtask counts with; null: it has no watermark yet and does not count. Idle and finished ones hold nobody back. */
function reported({ task, cells }: Member): number | null {
  if (task[TaskCell.PHASE] !== 1) return task[TaskCell.PHASE] === 2 ? MAX : null;
  if (cells[OperatorCell.OUTPUT_IDLE] === 1) return MAX;
  const watermark = cells[OperatorCell.OUTPUT_WATERMARK] as number;
  return watermark === Number.NEGATIVE_INFINITY ? null : watermark;
}
