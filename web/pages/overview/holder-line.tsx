import type { JobView, WatermarkHolders } from '#shared/live.ts';
import { holderWords, jobHolder, standsStill } from './holder-words.ts';

interface HolderLineProps {
  job: JobView;
  holders: WatermarkHolders | null;
  now: number;
}

/** Under the graph: who holds back the watermark of the windows. It is always there, so that nothing moves when somebody does. */
export function HolderLine({ job, holders, now }: HolderLineProps) {
  if (job.timeMode === 'processing') return null;
  const holder = jobHolder(job, holders);
  const holds = job.state === 'RUNNING' && holder !== null && standsStill(holder, now);
  return (
    <p className="border-line border-t px-3 py-2 text-sm" data-testid="watermark-holder">
      <span aria-hidden="true" className={`mr-1.5 ${holds ? 'text-warning' : 'text-ok'}`}>
        {holds ? '▲' : '●'}
      </span>
      <span className={holds ? 'font-semibold' : 'text-muted'}>{sentence({ job, now }, holder, holds)}</span>
    </p>
  );
}

function sentence(place: { job: JobView; now: number }, holder: ReturnType<typeof jobHolder>, holds: boolean): string {
  if (place.job.state === 'FINISHED') return 'The input has ended: nothing holds the watermark back.';
  if (holder === null || holder.state === 'none') return 'Nothing is known of the watermark yet.';
  if (holder.state === 'idle') return 'All splits are idle: the watermark stands, and nothing holds it back.';
  if (holder.state === 'finished') return 'The input has ended: nothing holds the watermark back.';
  if (!holds) return 'Every split moves on: nothing holds the watermark back.';
  return `Held back by ${holderWords(place, holder)}.`;
}
