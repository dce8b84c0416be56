/**
 * Who holds the watermark back: of everything that feeds an operator with watermarks, the subtask that is furthest behind, and in it the split
 * that is; and, where sources are aligned, whom it holds back with it. Works on what `WatermarksOperator.inspect` told; asks nobody itself.
 */

import type { SplitReport, WatermarkReport } from '#engine/operators/watermark-report.ts';
import type { WatermarkHolder, WatermarkHolders } from '#shared/live.ts';
import { alignedSubtasks } from './aligned-subtasks.ts';
import type { JobLayout, OperatorPlace } from './layout.ts';

/** Numbers (in `JobLayout.operators`) of the operators that make watermarks. */
export function watermarkMakers({ operators }: JobLayout): number[] {
  return operators.flatMap((place, number) => (place.kind === 'watermarks' ? [number] : []));
}

/** `reports`: of every maker, in any order of subtasks. Operators that no maker feeds have no holder. */
export function watermarkHolders(
  layout: JobLayout,
  reports: ReadonlyMap<number, readonly WatermarkReport[]>,
): WatermarkHolders {
  const list: WatermarkHolder[] = [];
  const known = new Map<string, number>();
  const of = layout.operators.map((_, number) => {
    const makers = makersOf(layout, number);
    if (makers.length === 0) return null;
    const key = makers.join();
    let found = known.get(key);
    if (found === undefined) {
      found = list.length;
      list.push(
        holderOf(
          makers.flatMap((maker) => (reports.get(maker) ?? []).map((report) => ({ maker, report }))),
          layout,
        ),
      );
      known.set(key, found);
    }
    return found;
  });
  const sources = [...reports].flatMap(([maker, all]) =>
    all.map((report) => ({ source: sourceOf(layout, maker), report })),
  );
  return { list, of, aligned: alignedSubtasks(sources) };
}

interface Candidate {
  readonly maker: number;
  readonly report: WatermarkReport;
}

function holderOf(all: readonly Candidate[], layout: JobLayout): WatermarkHolder {
  const running = all.filter(({ report }) => report.watermark !== Number.POSITIVE_INFINITY);
  if (running.length === 0 && all.length > 0) return nobody('finished');
  let furthest: { candidate: Candidate; split: SplitReport | null } | null = null;
  for (const candidate of running) {
    if (candidate.report.idle) continue;
    const split = furthestSplit(candidate.report);
    if (furthest === null || isBehind(candidate.report, split, furthest.candidate.report, furthest.split))
      furthest = { candidate, split };
  }
  if (furthest === null) return nobody(all.length === 0 ? 'none' : 'idle');
  const { maker, report } = furthest.candidate;
  const { split } = furthest;
  return {
    state: split === null ? 'no-split' : split.rowsAt === null ? 'no-rows' : 'behind',
    operator: sourceOf(layout, maker),
    subtask: report.subtask,
    split: split?.name ?? null,
    origin: split?.origin ?? null,
    since: split?.since ?? report.since,
    rowsAt: split?.rowsAt ?? null,
  };
}

function nobody(state: 'none' | 'idle' | 'finished'): WatermarkHolder {
  return { state, operator: null, subtask: null, split: null, origin: null, since: null, rowsAt: null };
}

/** Null: none counts. */
function furthestSplit({ splits }: WatermarkReport): SplitReport | null {
  let furthest: SplitReport | null = null;
  for (const split of splits) {
    if (split.idle) continue;
    if (
      furthest === null ||
      split.watermark < furthest.watermark ||
      (split.watermark === furthest.watermark && split.since < furthest.since)
    )
      furthest = split;
  }
  return furthest;
}

/** Of two that are equally far the one that stands still longer is named. */
function isBehind(a: WatermarkReport, ofA: SplitReport | null, b: WatermarkReport, ofB: SplitReport | null): boolean {
  if (a.watermark !== b.watermark) return a.watermark < b.watermark;
  return (ofA?.since ?? a.since) < (ofB?.since ?? b.since);
}

/** The source that heads the maker's task; the maker itself where rows come through a channel. */
function sourceOf({ operators }: JobLayout, maker: number): number {
  const { vertex } = operators[maker] as OperatorPlace;
  const head = operators.findIndex((place) => place.vertex === vertex);
  return operators[head]?.kind === 'source' ? head : maker;
}

/** Makers whose watermarks arrive at an operator, itself included: watermarks from before a maker end there. */
function makersOf({ operators }: JobLayout, operator: number): number[] {
  const makers: number[] = [];
  const seen = new Set([operator]);
  for (const at of seen) {
    if ((operators[at] as OperatorPlace).kind === 'watermarks') {
      makers.push(at);
      continue;
    }
    for (const [from, { main, side }] of operators.entries())
      if (main.includes(at) || [...side.values()].some((to) => to.includes(at))) seen.add(from);
  }
  return makers.sort((a, b) => a - b);
}
