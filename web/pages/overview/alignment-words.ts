import type { AlignedSplit, AlignedSubtask, JobView } from '#shared/live.ts';
import { compact, formatDuration, MISSING, plural } from '../../ui/format.ts';
import type { Tone } from '../../ui/status.tsx';

/** One line of the table: a source subtask, or one of its splits where it has several. */
export interface AlignmentRow {
  key: string;
  /** `readings #1`; null in lines of its splits. */
  subtask: string | null;
  split: string;
  ahead: string;
  /** Part of the allowed drift that is used up, 0..1; null: there is nothing to compare. */
  share: number | null;
  look: { shape: string; tone: Tone };
  state: string;
}

const LOOKS = {
  reads: { shape: '●', tone: 'ok' },
  waits: { shape: '‖', tone: 'backpressured' },
  idle: { shape: '○', tone: 'idle' },
  finished: { shape: '✓', tone: 'ok' },
} as const;

const WORDS = { reads: 'reading', waits: 'waiting for the others', idle: 'idle', finished: 'finished' } as const;

/** Subtasks with their splits, in the order in which the server tells them. */
export function alignmentRows(job: Pick<JobView, 'operators'>, aligned: readonly AlignedSubtask[]): AlignmentRow[] {
  return aligned.flatMap((subtask) => {
    const { operator, state, splits, splitCount, splitsWaiting, maxDriftMs } = subtask;
    const key = `${operator}/${subtask.subtask}`;
    const name = `${job.operators[operator]?.name ?? 'unknown'} #${subtask.subtask + 1}`;
    const [only] = splits;
    const head: AlignmentRow = {
      key,
      subtask: name,
      split: splitCount === 1 && only ? nameOf(only) : splitCount === 0 ? MISSING : plural(splitCount, 'split'),
      ...drift(subtask.aheadMs, maxDriftMs),
      look: splitsWaiting > 0 && state === 'reads' ? LOOKS.waits : LOOKS[state],
      state: splitsWaiting > 0 && state === 'reads' ? `${splitsWaiting} of ${splitCount} wait` : WORDS[state],
    };
    if (splitCount <= 1) return [head];
    const lines = splits.map(
      (split, i): AlignmentRow => ({
        key: `${key}/${split.name ?? i}`,
        subtask: null,
        split: nameOf(split),
        ...drift(split.aheadMs, maxDriftMs),
        look: LOOKS[split.state],
        state: WORDS[split.state],
      }),
    );
    const left = splitCount - splits.length;
    if (left === 0) return [head, ...lines];
    const more = { key: `${key}/more`, subtask: null, split: `and ${left} further behind`, ahead: '', share: null };
    return [head, ...lines, { ...more, look: { shape: '', tone: 'idle' }, state: '' }];
  });
}

/** `readings: 10 s of event time`, for each group and drift. */
export function alignmentNote(aligned: readonly AlignedSubtask[]): string {
  const drifts = [...new Set(aligned.map(({ maxDriftMs }) => compact(formatDuration(maxDriftMs))))];
  return `a source may be ${drifts.join(' or ')} ahead of the slowest, then it waits`;
}

function nameOf({ name }: AlignedSplit): string {
  return name ?? 'rows of other tasks';
}

function drift(aheadMs: number | null, maxDriftMs: number): Pick<AlignmentRow, 'ahead' | 'share'> {
  if (aheadMs === null) return { ahead: MISSING, share: null };
  const share = maxDriftMs === 0 ? Number(aheadMs > 0) : Math.min(1, Math.max(0, aheadMs / maxDriftMs));
  if (aheadMs <= 0) return { ahead: aheadMs === 0 ? 'level' : `${formatDuration(-aheadMs)} behind`, share };
  return { ahead: `${formatDuration(aheadMs)} ahead`, share };
}
