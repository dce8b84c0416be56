import type { FaultVerdict } from '#shared/faults.ts';
import { formatDuration, formatExact, formatRate, formatTime, MISSING } from '../../ui/format.ts';
import { Status } from '../../ui/status.tsx';
import { faultName, OUTCOMES } from './fault-words.ts';

interface VerdictCardProps {
  readonly verdict: FaultVerdict;
  onAgain(): void;
}

/** What became of a fault, as the server has counted it. */
export function VerdictCard({ verdict, onAgain }: VerdictCardProps) {
  const { fault, outcome, sign, held, auditedAt, emitted, restoredFrom, skippedCheckpoints } = verdict;
  const { shape, tone, word } = OUTCOMES[outcome];
  const title = `verdict-${fault.id}`;
  return (
    <article
      aria-labelledby={title}
      className="grid gap-3 rounded-md border border-line p-3"
      data-verdict={fault.id}
      data-outcome={outcome}
    >
      <header className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <h3 id={title} className="min-w-0 font-semibold wrap-anywhere">
          {faultName(fault)} <span className="font-normal text-muted">#{fault.id}</span>
        </h3>
        <Status shape={shape} tone={tone}>
          {word}
        </Status>
        <button
          type="button"
          className="btn btn-quiet btn-small ml-auto"
          aria-label={`Fill the form like fault ${fault.id}`}
          onClick={onAgain}
        >
          Again
        </button>
      </header>
      <dl className="grid grid-cols-2 gap-x-4 gap-y-2 @xl:grid-cols-4">
        <Figure name="Detected after" value={formatDuration(verdict.detectedAfterMs)} raw={verdict.detectedAfterMs} />
        <Figure
          name="Recovered after"
          value={formatDuration(verdict.recoveredAfterMs)}
          raw={verdict.recoveredAfterMs}
        />
        <Figure name="Rows lost" value={formatExact(verdict.lost)} raw={verdict.lost} />
        <Figure name="Rows doubled" value={formatExact(verdict.doubled)} raw={verdict.doubled} />
        <Figure name="Rows replayed" value={formatExact(verdict.replayed)} raw={verdict.replayed} small />
        <Figure
          name="Late, dropped"
          value={`${formatExact(verdict.late)}, ${formatExact(verdict.dropped)}`}
          raw={verdict.late}
          small
        />
        <Figure
          name="Rows/s before, lowest"
          value={`${formatRate(verdict.rateBefore)}, ${formatRate(verdict.rateLowest)}`}
          raw={null}
          small
        />
        <Figure name="Highest watermark lag" value={formatDuration(verdict.peakLagMs)} raw={verdict.peakLagMs} small />
      </dl>
      <div className="grid gap-0.5 text-muted text-xs wrap-anywhere">
        <p>
          {formatTime(fault.startedAt)} to {formatTime(fault.endsAt)}
          {fault.stopped ? ', stopped' : ''}
          {restoredFrom === null ? '' : `, went on from checkpoint ${restoredFrom}`}
          {skippedCheckpoints > 0 ? `, ${skippedCheckpoints} later that could not be read` : ''}
          {held === null ? '' : held ? ', as expected' : `, not as expected (${formatDuration(fault.expectedMs)})`}
        </p>
        {auditedAt === null ? (
          <p>Rows were not counted: no checkpoint was complete behind it.</p>
        ) : (
          <p>
            Counted at checkpoint {auditedAt}
            {emitted === null ? '.' : `: the source gave ${formatExact(emitted)} rows by its own count.`}
          </p>
        )}
        {sign === null ? null : <p>{sign}</p>}
      </div>
    </article>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly raw: number | null;
  readonly small?: boolean;
}

function Figure({ name, value, raw, small = false }: FigureProps) {
  return (
    <div className="min-w-0">
      <dt className="text-muted text-xs">{name}</dt>
      <dd className={small ? 'text-sm' : 'font-semibold text-lg'} data-figure={name} data-value={raw ?? ''}>
        {value === MISSING ? (
          <>
            <span aria-hidden="true">{MISSING}</span>
            <span className="sr-only">no data</span>
          </>
        ) : (
          value
        )}
      </dd>
    </div>
  );
}
