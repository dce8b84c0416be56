import type { JobView } from '#shared/live.ts';
import { formatDuration } from '../../ui/format.ts';

/** What is known of each operator's watermark, in words; index = index of `JobView.operators`. */
export function watermarkWords(
  job: Pick<JobView, 'operators' | 'edges' | 'timeMode' | 'state'>,
  watermarks: readonly (number | null)[] | undefined,
  now: number,
): string[] {
  return job.operators.map((_, operator) => {
    if (job.timeMode === 'processing') return 'processing time';
    const outside = outsideOfEventTime(job, operator);
    if (outside !== null) return outside;
    const watermark = watermarks?.[operator];
    if (watermark == null) return job.state === 'FINISHED' ? 'end of input' : 'no watermark yet';
    const lag = now - watermark;
    return lag >= 0 ? `watermark ${formatDuration(lag)} behind` : `watermark ${formatDuration(-lag)} ahead`;
  });
}

/** Where a job makes its watermarks in one operator, those that it does not feed never get any. Null: this one does. */
function outsideOfEventTime(
  { operators, edges }: Pick<JobView, 'operators' | 'edges'>,
  operator: number,
): string | null {
  const makers = operators.flatMap(({ kind }, i) => (kind === 'watermarks' ? [i] : []));
  if (makers.length === 0) return null;
  if (makers.some((maker) => reaches(edges, maker, operator))) return null;
  return makers.some((maker) => reaches(edges, operator, maker)) ? 'before watermarks' : 'without watermarks';
}

function reaches(edges: JobView['edges'], from: number, to: number): boolean {
  const seen = new Set([from]);
  for (const operator of seen) for (const edge of edges) if (edge.from === operator) seen.add(edge.to);
  return seen.has(to);
}
