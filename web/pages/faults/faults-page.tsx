import { useState } from 'react';
import { useBreakIt } from '../../inject/break-it.ts';
import { useShown, useView } from '../../live/live.ts';
import { Empty, Panel, Skeleton } from '../../ui/panel.tsx';
import { draftFor, draftOf, type FaultDraft } from './fault-draft.ts';
import { FaultForm } from './fault-form.tsx';
import { OpenFaults } from './open-faults.tsx';
import { VerdictCard } from './verdict-card.tsx';

/** Verdicts on screen before one asks for more. */
const SHOWN = 10;

/** Break it on purpose, safely. */
export function FaultsPage({ onStopAll }: { onStopAll(): void }) {
  useView('other');
  const job = useShown('job');
  const view = useShown('faults');
  const connecting = useShown('link').state === 'connecting';
  const { setOpen } = useBreakIt();
  const [draft, setDraft] = useState<FaultDraft>(() => draftFor('kill-task-manager', job, 1));
  const [all, setAll] = useState(false);
  const verdicts = view?.verdicts ?? [];
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <div>
          <h1 className="font-semibold text-xl">Faults</h1>
          <p className="text-muted">Real ones, in the running engine. Each ends in a verdict with exact counts.</p>
        </div>
        <button type="button" className="btn" onClick={() => setOpen(true)}>
          Disturb the stream instead
        </button>
      </div>
      {connecting ? (
        <Panel title="Break something">
          <Skeleton height={420} label="Waiting for the first frame" />
        </Panel>
      ) : (
        <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 @5xl:grid-cols-[minmax(0,5fr)_minmax(0,7fr)]">
          <div className="@container">
            <FaultForm draft={draft} onChange={setDraft} />
          </div>
          <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
            <OpenFaults open={view?.open ?? []} onStopAll={onStopAll} />
            <Panel title="Verdicts" note={verdicts.length === 0 ? null : `${verdicts.length} kept, newest first`}>
              {verdicts.length === 0 ? (
                <Empty>No fault has been judged yet. Kill a task manager, and read here what it cost.</Empty>
              ) : (
                <div className="@container grid gap-3">
                  {verdicts.slice(0, all ? undefined : SHOWN).map((verdict) => (
                    <VerdictCard
                      key={verdict.fault.id}
                      verdict={verdict}
                      onAgain={() => setDraft(draftOf(verdict.fault))}
                    />
                  ))}
                  {verdicts.length > SHOWN && !all ? (
                    <button type="button" className="btn" onClick={() => setAll(true)}>
                      Show all {verdicts.length}
                    </button>
                  ) : null}
                </div>
              )}
            </Panel>
          </div>
        </div>
      )}
    </div>
  );
}
