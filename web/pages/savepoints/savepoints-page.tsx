import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { useShown, useView } from '../../live/live.ts';
import { useAsked } from '../../live/use-asked.ts';
import { Panel, Skeleton } from '../../ui/panel.tsx';
import { DetailsPanel } from './details-panel.tsx';
import { Failure } from './failure.tsx';
import { ListPanel } from './list-panel.tsx';
import { listSavepoints, takeSavepoint } from './requests.ts';

/** What can the job go on from? Take savepoints, look into them, go on from one, dispose of them. */
export default function SavepointsPage() {
  useView('other');
  const [params, setParams] = useSearchParams();
  const link = useShown('link');
  const events = useShown('events');
  const job = useShown('job');
  const connected = link.blocked === null;
  const all = useAsked(connected ? `${events.at(-1)?.seq ?? 0}` : null, listSavepoints);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState('');
  const chosen = params.get('sp');
  const choose = (name: string | null): void =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (name === null) next.delete('sp');
        else next.set('sp', name);
        return next;
      },
      { replace: true },
    );
  const tell = (words: string): void => {
    setSaid(words);
    all.again();
  };
  const run = async (kind: 'savepoint' | 'stop' | 'drain'): Promise<void> => {
    setBusy(true);
    setSaid('Taking a savepoint.');
    try {
      const { path } = await takeSavepoint(kind);
      choose(path.slice(path.lastIndexOf('/') + 1));
      tell(kind === 'savepoint' ? `Taken: ${path}` : `The job has ended behind ${path}`);
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  };
  const state = job?.state ?? null;
  const blocked =
    link.blocked ?? (state === null ? 'No job is running' : state === 'RUNNING' ? null : `The job is ${state}`);

  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <div>
          <h1 className="font-semibold text-xl">Savepoints</h1>
          <p className="text-muted">Whole in themselves, and kept until you dispose of them.</p>
        </div>
        <TakeButtons blocked={blocked} busy={busy} onTake={(kind) => void run(kind)} />
      </div>
      <p role="status" data-testid="savepoint-answer" className="min-h-5 text-muted text-sm wrap-anywhere">
        {said === '' && link.state !== 'connecting' && blocked !== null ? `${blocked}.` : said}
      </p>
      {all.data ? (
        <>
          <ListPanel view={all.data} chosen={chosen} onChoose={choose} />
          {all.error === null ? null : <Failure error={all.error} at={all.failedAt} onAgain={all.again} />}
          {chosen === null ? null : (
            <DetailsPanel
              key={chosen}
              name={chosen}
              version={connected ? `${state}` : null}
              blocked={link.blocked}
              kept={all.data.savepoints.some(({ name }) => name === chosen)}
              running={state === 'RUNNING' || state === 'RESTARTING'}
              onTell={tell}
              onGone={() => choose(null)}
            />
          )}
        </>
      ) : (
        <Panel title="Savepoints">
          {all.error === null ? (
            <Skeleton height={180} label="Waiting for the list" />
          ) : (
            <Failure error={all.error} at={all.failedAt} onAgain={all.again} />
          )}
        </Panel>
      )}
    </div>
  );
}

interface TakeButtonsProps {
  blocked: string | null;
  busy: boolean;
  onTake(kind: 'savepoint' | 'stop' | 'drain'): void;
}

function TakeButtons({ blocked, busy, onTake }: TakeButtonsProps) {
  const [stopping, setStopping] = useState(false);
  const disabled = blocked !== null || busy;
  const title = blocked === null ? '' : `${blocked}.`;
  const stop = (kind: 'stop' | 'drain'): void => {
    setStopping(false);
    onTake(kind);
  };
  return (
    <div className="grid justify-items-start gap-2">
      <div className="flex flex-wrap gap-2">
        <button
          type="button"
          className="btn btn-primary"
          disabled={disabled}
          title={title}
          onClick={() => onTake('savepoint')}
        >
          Take a savepoint
        </button>
        <button
          type="button"
          className="btn"
          disabled={disabled}
          title={title}
          aria-expanded={stopping}
          onClick={() => setStopping(!stopping)}
        >
          Stop with savepoint …
        </button>
      </div>
      {stopping ? (
        <div className="grid max-w-prose gap-2 rounded-md border border-line bg-sunken p-3 text-sm">
          <p className="text-muted">
            Ends the job. Windows that are open stay in the savepoint, and a job that goes on from it fires them as if
            it had never stopped. Draining fires them all now instead, and nobody should go on from that.
          </p>
          <div className="flex flex-wrap gap-2">
            <button type="button" className="btn" disabled={disabled} onClick={() => stop('stop')}>
              Stop the job
            </button>
            <button type="button" className="btn" disabled={disabled} onClick={() => stop('drain')}>
              Drain and stop the job
            </button>
          </div>
        </div>
      ) : null}
    </div>
  );
}
