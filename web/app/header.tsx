import { Link, useLocation } from 'react-router';
import type { JobState, Totals } from '#shared/live.ts';
import { useBreakIt } from '../inject/break-it.ts';
import { useShown } from '../live/live.ts';
import { formatDuration, formatRate, formatSeconds, formatTime, formatZone, plural } from '../ui/format.ts';
import { jobLook, linkLook, Status } from '../ui/status.tsx';
import { Icon } from './icons.tsx';
import { keptSearch } from './use-actions.ts';

interface HeaderProps {
  onPause(): void;
  onStopAll(): void;
}

/** What holds for every page, always in the same place: the job, its pulse, what is done to it on purpose, the connection. */
export function Header({ onPause, onStopAll }: HeaderProps) {
  const job = useShown('job');
  const totals = useShown('totals');
  const link = useShown('link');
  const paused = useShown('paused');
  const viewTime = useShown('viewTime');
  const checkpointAt = useShown('checkpointAt');
  const look = linkLook(link.state);
  return (
    <header className="top-0 z-20 flex min-h-13 flex-wrap items-center gap-x-5 gap-y-1.5 border-line border-b bg-card px-3 py-2 sm:px-4 md:sticky">
      <div className="flex min-w-0 items-baseline gap-3">
        <span className="truncate font-semibold text-lg">
          {job?.name ?? (link.state === 'connecting' ? 'Weir' : 'No job')}
        </span>
        {job ? (
          <span className="text-sm">
            <Status {...jobLook(job.state)}>{job.state}</Status>
          </span>
        ) : null}
      </div>
      {job ? (
        <dl className="hidden items-baseline gap-x-5 text-sm sm:flex">
          {job.timeMode === 'event' ? <Pulse name="Watermark lag">{lagWords(job.state, totals)}</Pulse> : null}
          <Pulse name="Events/s">{formatRate(totals?.eventsPerSecond)}</Pulse>
          {job.checkpointing ? (
            <Pulse name="Last checkpoint">
              {checkpointAt === null ? 'none yet' : `${formatSeconds(Math.max(0, viewTime - checkpointAt))} ago`}
            </Pulse>
          ) : null}
          <div>
            <dt className="sr-only">Time</dt>
            <dd className="text-muted text-xs">{job.timeMode} time</dd>
          </div>
        </dl>
      ) : null}
      <div className="ml-auto flex flex-wrap items-center gap-2">
        <Disturbances onStopAll={onStopAll} />
        <span
          data-testid="connection"
          data-state={link.state}
          title={`Times are ${formatZone()}`}
          className="inline-flex min-h-8 items-center rounded-md border border-line px-2.5 text-sm"
        >
          <Status {...look}>{link.words}</Status>
        </span>
        <button
          type="button"
          className={`btn ${paused ? 'btn-primary' : ''}`}
          aria-pressed={paused}
          aria-label={paused ? 'Resume' : 'Pause'}
          title={paused ? 'Resume (p)' : 'Pause what the page shows (p)'}
          onClick={onPause}
        >
          <Icon name={paused ? 'play' : 'pause'} size={14} />
          <span className="max-sm:sr-only">{paused ? `Paused at ${formatTime(viewTime)}` : 'Pause'}</span>
        </button>
      </div>
    </header>
  );
}

function lagWords(state: JobState, totals: Totals | null): string {
  if (totals?.watermarkLagMs != null) return formatDuration(totals.watermarkLagMs);
  return state === 'FINISHED' ? 'end of input' : 'no watermark yet';
}

function Pulse({ name, children }: { name: string; children: string }) {
  return (
    <div className="flex items-baseline gap-1.5">
      <dt className="text-muted text-xs">{name}</dt>
      <dd className="min-w-10 font-semibold">{children}</dd>
    </div>
  );
}

/** What is done to the job on purpose just now, and the way out. */
function Disturbances({ onStopAll }: { onStopAll(): void }) {
  const injections = useShown('injections').filter((injection) => injection.running).length;
  const faults = useShown('faults')?.open.filter(({ fault }) => fault.phase === 'active').length ?? 0;
  const blocked = useShown('link').blocked;
  const { setOpen } = useBreakIt();
  const { search } = useLocation();
  if (injections + faults === 0) return null;
  return (
    <span className="inline-flex items-center overflow-hidden rounded-md border border-control">
      {faults > 0 ? (
        <Link className="btn btn-quiet rounded-none" to={{ pathname: '/faults', search: keptSearch(search) }}>
          <Status shape="◆" tone="critical">
            {plural(faults, 'fault')} active
          </Status>
        </Link>
      ) : null}
      {injections > 0 ? (
        <button type="button" className="btn btn-quiet rounded-none" onClick={() => setOpen(true)}>
          <Status shape="▲" tone="mark">
            {plural(injections, 'injection')} running
          </Status>
        </button>
      ) : null}
      <button
        type="button"
        className="btn rounded-none border-y-0 border-r-0 border-l border-control"
        disabled={blocked !== null}
        title={blocked ?? 'Stop all faults and injections (Shift+X)'}
        onClick={onStopAll}
      >
        Stop all
      </button>
    </span>
  );
}
