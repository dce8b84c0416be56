import { useState } from 'react';
import { INJECTIONS, type Injection } from '#shared/injections.ts';
import { useLive, useShown } from '../live/live.ts';
import { formatExact, formatSeconds, formatTime } from '../ui/format.ts';
import { type Draft, describeSpec, draftOf } from './draft.ts';

const ENDED_SHOWN = 8;

interface InjectionListProps {
  onAgain(draft: Draft): void;
  onStopAll(): void;
}

/** What runs now with its countdown, and what ran before. The deadline is the server's; this only counts with it. */
export function InjectionList({ onAgain, onStopAll }: InjectionListProps) {
  const injections = useShown('injections');
  const now = useShown('serverNow');
  const blocked = useShown('link').blocked;
  const running = injections.filter((injection) => injection.running);
  const ended = injections.filter((injection) => !injection.running).slice(0, ENDED_SHOWN);
  return (
    <>
      <section aria-labelledby="running-title" className="grid gap-2">
        <div className="flex min-h-8 items-center">
          <h3 id="running-title" className="font-semibold text-sm">
            Running now
          </h3>
          {running.length > 1 ? (
            <button type="button" className="btn btn-small ml-auto" disabled={blocked !== null} onClick={onStopAll}>
              Stop all {running.length}
            </button>
          ) : null}
        </div>
        {running.length === 0 ? <p className="text-muted text-sm">Nothing is being injected.</p> : null}
        {running.map((injection) => (
          <Running key={injection.id} injection={injection} now={now} blocked={blocked} />
        ))}
      </section>
      {ended.length > 0 ? (
        <section aria-labelledby="ended-title" className="grid gap-2">
          <h3 id="ended-title" className="font-semibold text-sm">
            Before
          </h3>
          <ul className="grid gap-1.5">
            {ended.map((injection) => (
              <li key={injection.id} className="flex items-center gap-2 border-line border-b pb-1.5 text-sm">
                <div className="min-w-0">
                  <p>
                    {INJECTIONS[injection.kind].title} <span className="text-muted">#{injection.id}</span>
                  </p>
                  <p className="text-muted text-xs">
                    {formatTime(injection.startedAt)}, {describeSpec(injection)}: {formatExact(injection.affected)}{' '}
                    affected
                  </p>
                </div>
                <button
                  type="button"
                  className="btn btn-quiet btn-small ml-auto"
                  aria-label={`Fill the form like injection ${injection.id}`}
                  onClick={() => onAgain(draftOf(injection))}
                >
                  Again
                </button>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </>
  );
}

function Running({ injection, now, blocked }: { injection: Injection; now: number; blocked: string | null }) {
  const { connection } = useLive();
  const [stopping, setStopping] = useState(false);
  const left = Math.max(0, injection.endsAt - now);
  const share = injection.durationMs === 0 ? 1 : 1 - Math.min(1, left / injection.durationMs);
  const title = INJECTIONS[injection.kind].title;
  const stop = async (): Promise<void> => {
    setStopping(true);
    const result = await connection.send({ type: 'stop-injection', id: injection.id });
    if (!result.ok) setStopping(false);
  };
  return (
    <div className="grid gap-2 rounded-md border border-mark p-3 text-sm" data-injection={injection.id}>
      <div className="flex items-start gap-2">
        <div className="min-w-0">
          <p className="font-semibold">
            <span aria-hidden="true" className="text-mark">
              ▲{' '}
            </span>
            {title} <span className="font-normal text-muted">#{injection.id}</span>
          </p>
          <p className="text-muted">{describeSpec(injection)}</p>
        </div>
        <button
          type="button"
          className="btn ml-auto"
          disabled={blocked !== null || stopping}
          title={blocked ?? ''}
          aria-label={`Stop ${title.toLowerCase()} #${injection.id}`}
          onClick={stop}
        >
          {stopping ? 'Stopping' : 'Stop'}
        </button>
      </div>
      <div className="h-1.5 overflow-hidden rounded-full bg-sunken">
        <div className="bar-fill h-full bg-mark" style={{ width: `${share * 100}%` }} />
      </div>
      <p className="flex justify-between">
        <span>
          <strong className="font-semibold" data-affected={injection.affected}>
            {formatExact(injection.affected)}
          </strong>{' '}
          affected
        </span>
        <span>{blocked ? 'the server keeps the deadline' : `${formatSeconds(left)} left`}</span>
      </p>
    </div>
  );
}
