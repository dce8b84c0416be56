/**
 * How source subtasks that are aligned stand to each other, as people see it (`WA10` in `server/engine/SPEC.md`): all watermarks as of one moment.
 * What a subtask waits for is older by up to the interval at which the group is compared.
 */

import type { SplitReport, WatermarkReport } from '#engine/operators/watermark-report.ts';
import { type AlignedSplit, type AlignedSubtask, LIMITS } from '#shared/live.ts';

export interface SourceReport {
  /** Number of the source. */
  readonly source: number;
  readonly report: WatermarkReport;
}

/** By source, then subtask; those that are aligned with nobody are left out. */
export function alignedSubtasks(all: readonly SourceReport[]): AlignedSubtask[] {
  const aligned = all.flatMap(({ source, report }): AlignedSubtask[] => {
    const { alignment, subtask, splits } = report;
    if (alignment === null) return [];
    const { group, maxDriftMs } = alignment;
    const elsewhere = Math.min(
      ...all.flatMap((other) => {
        const member = other.report !== report && other.report.alignment?.group === group;
        return member ? [reached(other.report)] : [];
      }),
    );
    const told = splits.map((split, i): AlignedSplit => {
      const others = splits.flatMap((other, o) => (o === i ? [] : [counted(other)]));
      return {
        name: split.name,
        aheadMs: ahead(counted(split), Math.min(elsewhere, ...others)),
        state: ofSplit(split),
      };
    });
    return [
      {
        group,
        operator: source,
        subtask,
        maxDriftMs,
        aheadMs: ahead(reached(report), elsewhere),
        state: ofSubtask(report),
        splits: furthest(told),
        splitCount: splits.length,
        splitsWaiting: splits.filter(({ waits }) => waits).length,
      },
    ];
  });
  return aligned.sort((a, b) => a.operator - b.operator || a.subtask - b.subtask);
}

/** Infinity: it holds nobody back. */
function reached({ watermark, idle, splits }: WatermarkReport): number {
  if (idle) return Number.POSITIVE_INFINITY;
  const least = Math.min(...splits.map(counted));
  if (Number.isFinite(least)) return Math.max(least, watermark);
  return watermark === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : watermark;
}

function counted({ watermark, idle }: SplitReport): number {
  return idle || watermark === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : watermark;
}

function ahead(watermark: number, others: number): number | null {
  return Number.isFinite(watermark) && Number.isFinite(others) ? watermark - others : null;
}

/** In the order given, so that nothing moves on screen while they change places. */
function furthest(splits: readonly AlignedSplit[]): AlignedSplit[] {
  if (splits.length <= LIMITS.alignedSplits) return [...splits];
  const by = ({ aheadMs }: AlignedSplit): number => aheadMs ?? Number.NEGATIVE_INFINITY;
  const kept = new Set([...splits].sort((a, b) => by(b) - by(a) || 0).slice(0, LIMITS.alignedSplits));
  return splits.filter((split) => kept.has(split));
}

function ofSubtask({ watermark, alignment, idle }: WatermarkReport): AlignedSubtask['state'] {
  if (watermark === Number.POSITIVE_INFINITY) return 'finished';
  if (alignment?.waits === true) return 'waits';
  return idle ? 'idle' : 'reads';
}

function ofSplit({ waits, idle }: SplitReport): AlignedSplit['state'] {
  if (waits) return 'waits';
  return idle ? 'idle' : 'reads';
}
