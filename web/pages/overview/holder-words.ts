import type { JobView, WatermarkHolder, WatermarkHolders } from '#shared/live.ts';
import { deviceLabel } from '../../ui/device-name.tsx';
import { formatDuration, formatSeconds, formatTime } from '../../ui/format.ts';

/** A split that stands still for less than this is only the slowest one. */
export const STANDS_STILL_MS = 2000;

interface Place {
  job: Pick<JobView, 'operators'>;
  now: number;
}

/** Who holds back the watermark of an operator, as a sentence without its end. */
export function holderWords({ job, now }: Place, holder: WatermarkHolder): string {
  const where = whereWords(job, holder);
  switch (holder.state) {
    case 'none':
      return 'nobody has told yet';
    case 'finished':
      return 'nothing: the input has ended';
    case 'idle':
      return 'nothing: all splits are idle';
    case 'no-split':
      return `${where}: it has nothing to read yet`;
    case 'no-rows':
      return `${where}: no events yet, for ${standing(now, holder.since)}${sinceWords(holder.since)}`;
    case 'behind': {
      if (now - (holder.since ?? now) < STANDS_STILL_MS) return `${where}: the slowest, and moving`;
      if (now - (holder.rowsAt ?? now) < STANDS_STILL_MS)
        return `${where}: its events have not moved event time for ${standing(now, holder.since)}${sinceWords(holder.since)}`;
      return `${where}: no events for ${standing(now, holder.rowsAt)}${sinceWords(holder.rowsAt)}`;
    }
  }
}

/** `readings, subtask 2, split simulator-3, device d17`. */
function whereWords(
  { operators }: Pick<JobView, 'operators'>,
  { operator, subtask, split, origin }: WatermarkHolder,
): string {
  const parts = [operators[operator ?? -1]?.name ?? 'unknown'];
  if (subtask !== null) parts.push(`subtask ${subtask + 1}`);
  if (split !== null) parts.push(`split ${split}`);
  if (origin !== null) parts.push(`device ${inItsOwnDirection(deviceLabel(origin))}`);
  return parts.join(', ');
}

/** It stands still long enough to be worth a sentence of its own. */
export function standsStill(holder: WatermarkHolder, now: number): boolean {
  const holds = holder.state === 'behind' || holder.state === 'no-rows' || holder.state === 'no-split';
  return holds && holder.since !== null && now - holder.since >= STANDS_STILL_MS;
}

/** Of an operator; null: no watermark comes to it, or nobody has looked. */
export function holderOf(holders: WatermarkHolders | null, operator: number): WatermarkHolder | null {
  const at = holders?.of[operator];
  return at == null ? null : (holders?.list[at] ?? null);
}

/** Every holder with the operators whose watermark it holds back, in the order of the operators. */
export function holdersByOperators(
  job: Pick<JobView, 'operators'>,
  holders: WatermarkHolders | null,
): { holder: WatermarkHolder; operators: string[] }[] {
  return (holders?.list ?? []).map((holder, i) => ({
    holder,
    operators: job.operators.flatMap(({ name }, operator) => (holders?.of[operator] === i ? [name] : [])),
  }));
}

/** Of the windows, else of whatever comes last: the one the lag of the whole job is about. */
export function jobHolder(job: Pick<JobView, 'operators'>, holders: WatermarkHolders | null): WatermarkHolder | null {
  const windows = job.operators.findIndex(({ kind }) => kind === 'window');
  return holderOf(holders, windows) ?? holders?.list.at(-1) ?? null;
}

/** Letters that are written from right to left must not take the words around them along. */
function inItsOwnDirection(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : `\u2068${text}\u2069`;
}

function sinceWords(since: number | null): string {
  return since === null ? '' : `, since ${formatTime(since)}`;
}

function standing(now: number, since: number | null): string {
  const ms = Math.max(0, now - (since ?? now));
  return ms < 59_500 ? formatSeconds(ms) : formatDuration(ms);
}
