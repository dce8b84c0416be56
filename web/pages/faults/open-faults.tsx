import { useState } from 'react';
import { FAULTS, type FaultProgress } from '#shared/faults.ts';
import { useLive, useShown } from '../../live/live.ts';
import { formatDuration, formatExact, formatSeconds, plural } from '../../ui/format.ts';
import { Panel } from '../../ui/panel.tsx';
import { Status } from '../../ui/status.tsx';
import { faultName } from './fault-words.ts';

/** What is held up now with its countdown, and what is over but not yet recovered from. The deadline is the server's. */
export function OpenFaults({ open, onStopAll }: { readonly open: readonly FaultProgress[]; onStopAll(): void }) {
  const blocked = useShown('link').blocked;
  const now = useShown('serverNow');
  const runs = useShown('job')?.state === 'RUNNING';
  const active = open.filter(({ fault }) => fault.phase === 'active').length;
  return (
    <Panel
      title="Going on now"
      note={active === 0 ? null : `${active} active`}
      actions={
        active > 0 ? (
          <button
            type="button"
            className="btn btn-small"
            disabled={blocked !== null}
            title={blocked ?? 'Stop all faults and injections (Shift+X)'}
            onClick={onStopAll}
          >
            Stop all
          </button>
        ) : null
      }
    >
      {open.length === 0 ? (
        <p className="text-muted text-sm">Nothing is broken on purpose.</p>
      ) : (
        <ul className="grid gap-3">
          {open.map((progress) => (
            <OpenFault key={progress.fault.id} progress={progress} now={now} blocked={blocked} runs={runs} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

interface OpenFaultProps {
  readonly progress: FaultProgress;
  readonly now: number;
  readonly blocked: string | null;
  readonly runs: boolean;
}

function OpenFault({ progress, now, blocked, runs }: OpenFaultProps) {
  const { connection } = useLive();
  const [stopping, setStopping] = useState(false);
  const { fault, detectedAfterMs, sign, restarts, failedCheckpoints, replayed } = progress;
  const active = fault.phase === 'active';
  const left = Math.max(0, fault.endsAt - now);
  const share = active && fault.durationMs > 0 ? 1 - Math.min(1, left / fault.durationMs) : 1;
  const stop = async (): Promise<void> => {
    setStopping(true);
    const result = await connection.send({ type: 'stop-fault', id: fault.id });
    if (!result.ok) setStopping(false);
  };
  return (
    <li
      className="grid gap-2 rounded-md border border-control p-3 text-sm"
      data-fault={fault.id}
      data-phase={fault.phase}
    >
      <div className="flex items-start gap-2">
        <div className="min-w-0">
          <p className="font-semibold wrap-anywhere">
            {faultName(fault)} <span className="font-normal text-muted">#{fault.id}</span>
          </p>
          <Status shape={active ? '◆' : '◌'} tone={active ? 'critical' : 'warning'}>
            {active ? 'Active' : 'Over, its effects are followed'}
          </Status>
        </div>
        {active ? (
          <button
            type="button"
            className="btn ml-auto"
            disabled={blocked !== null || stopping}
            title={blocked ?? ''}
            aria-label={`Stop ${FAULTS[fault.kind].title.toLowerCase()} #${fault.id}`}
            onClick={stop}
          >
            {stopping ? 'Stopping' : 'Stop'}
          </button>
        ) : null}
      </div>
      <div className="h-1.5 overflow-hidden rounded-full bg-sunken">
        <div
          className={`bar-fill h-full ${active ? 'bg-critical' : 'bg-control'}`}
          style={{ width: `${share * 100}%` }}
        />
      </div>
      <p className="flex flex-wrap justify-between gap-x-4">
        <span>
          {detectedAfterMs === null ? 'Nothing seen yet' : `Detected after ${formatDuration(detectedAfterMs)}`}
          {restarts > 0 ? `, ${plural(restarts, 'restart')}` : ''}
          {failedCheckpoints > 0 ? `, ${plural(failedCheckpoints, 'failed checkpoint')}` : ''}
          {replayed > 0 ? `, ${formatExact(replayed)} rows replayed` : ''}
        </span>
        <span>
          {!active
            ? runs
              ? 'waits for the next checkpoint'
              : 'waits until the job runs'
            : blocked
              ? 'the server keeps the deadline'
              : `${formatSeconds(left)} left`}
        </span>
      </p>
      {sign === null ? null : <p className="text-muted text-xs wrap-anywhere">{sign}</p>}
    </li>
  );
}
