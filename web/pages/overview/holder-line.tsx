import type { JobView, WatermarkHolder, WatermarkHolders } from '#shared/live.ts';
import { holdersByOperators, holderWords, standsStill } from './holder-words.ts';

interface HolderLineProps {
  job: JobView;
  holders: WatermarkHolders | null;
  now: number;
}

/**
 * Under the graph: who holds back the watermark, for every operator. It is always there, so that nothing moves when somebody does. Operators
 * that the same watermarks reach share a line; a job has more than one only where it makes watermarks in several places.
 */
export function HolderLine({ job, holders, now }: HolderLineProps) {
  if (job.timeMode === 'processing') return null;
  const known = holdersByOperators(job, holders);
  const lines = known.length > 0 ? known : [{ holder: null, operators: [] }];
  return (
    <ul className="border-line border-t px-3 py-2 text-sm" aria-label="Watermarks" data-testid="watermark-holder">
      {lines.map(({ holder, operators }) => {
        const holds = job.state === 'RUNNING' && holder !== null && standsStill(holder, now);
        const whose = lines.length > 1 ? `${operators.join(', ')}: ` : '';
        return (
          <li key={operators.join('\n')} title={operators.length > 0 ? `Of ${operators.join(', ')}` : undefined}>
            <span aria-hidden="true" className={`mr-1.5 ${holds ? 'text-warning' : 'text-ok'}`}>
              {holds ? '▲' : '●'}
            </span>
            <span className={holds ? 'font-semibold' : 'text-muted'}>
              {whose}
              {sentence({ job, now }, holder, holds)}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function sentence(place: { job: JobView; now: number }, holder: WatermarkHolder | null, holds: boolean): string {
  if (place.job.state === 'FINISHED') return 'The input has ended: nothing holds the watermark back.';
  if (holder === null || holder.state === 'none') return 'Nothing is known of the watermark yet.';
  if (holder.state === 'idle') return 'All splits are idle: the watermark stands, and nothing holds it back.';
  if (holder.state === 'finished') return 'The input has ended: nothing holds the watermark back.';
  if (!holds) return 'Every split moves on: nothing holds the watermark back.';
  return `Held back by ${holderWords(place, holder)}.`;
}
