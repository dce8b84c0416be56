import { type FormEvent, useState } from 'react';
import { FAULT_KINDS, FAULTS, type FaultKind } from '#shared/faults.ts';
import { useLive, useShown } from '../../live/live.ts';
import { Panel } from '../../ui/panel.tsx';
import {
  checkDraft,
  draftFor,
  type FaultDraft,
  MAX_SECONDS,
  needsConfirmation,
  preview,
  targetsOf,
} from './fault-draft.ts';
import { NumberField } from './number-field.tsx';
import { whyNotFault } from './why-not.ts';

const GROUPS: readonly { readonly title: string; readonly kinds: readonly FaultKind[] }[] = [
  { title: 'Threads and server', kinds: FAULT_KINDS.filter((kind) => /task-manager|server/.test(kind)) },
  { title: 'Operators and sinks', kinds: FAULT_KINDS.filter((kind) => /operator|sink/.test(kind)) },
  { title: 'Checkpoints and disk', kinds: FAULT_KINDS.filter((kind) => /checkpoints|disk/.test(kind)) },
];

interface FaultFormProps {
  readonly draft: FaultDraft;
  onChange(draft: FaultDraft): void;
}

/** Which fault, where, how strong, for how long, and what is expected of the job. */
export function FaultForm({ draft, onChange }: FaultFormProps) {
  const { connection } = useLive();
  const job = useShown('job');
  const view = useShown('faults');
  const blocked = useShown('link').blocked;
  const [sending, setSending] = useState(false);
  const [asking, setAsking] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const { unit, once, min, max, says, target: what } = FAULTS[draft.kind];
  const taskManagers = view?.taskManagers ?? 0;
  const targets = targetsOf(draft.kind, job, taskManagers);
  // Filled in before the job was known, or for another one.
  const known = targets.some(({ id }) => id === draft.target);
  const filled = targets.length === 0 || known ? draft : { ...draft, target: targets[0]?.id ?? '' };
  const checked = checkDraft(filled);
  const wrong = 'error' in checked ? checked.wrong : null;
  const why = whyNotFault(blocked, job, view);
  const title = FAULTS[draft.kind].title;

  const change = (next: Partial<FaultDraft>): void => {
    setAsking(false);
    onChange({ ...filled, ...next });
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if ('error' in checked || why !== null || sending) return;
    if (needsConfirmation(draft.kind) && !asking) {
      setAsking(true);
      return;
    }
    setAsking(false);
    setSending(true);
    setRefused(null);
    const result = await connection.send({ type: 'start-fault', spec: checked.spec });
    setSending(false);
    if (!result.ok) setRefused(result.error);
  };

  return (
    <Panel title="Break something">
      <form className="grid grid-cols-[minmax(0,1fr)] gap-4" noValidate onSubmit={submit}>
        {GROUPS.map((group) => (
          <fieldset key={group.title} className="grid gap-1.5">
            <legend className="pb-1.5 font-semibold text-sm">{group.title}</legend>
            <div className="grid gap-1.5 @sm:grid-cols-2">
              {group.kinds.map((kind) => (
                <label
                  key={kind}
                  className="flex cursor-pointer items-center gap-2.5 rounded-md border border-line px-3 py-1.5 text-sm hover:bg-sunken has-checked:border-accent has-checked:bg-sunken has-checked:font-semibold has-focus-visible:outline-2 has-focus-visible:outline-accent has-focus-visible:outline-offset-2"
                >
                  <input
                    type="radio"
                    name="fault"
                    className="accent-accent outline-none"
                    checked={draft.kind === kind}
                    onChange={() =>
                      change({ ...draftFor(kind, job, taskManagers), seconds: draft.seconds, expected: draft.expected })
                    }
                  />
                  {FAULTS[kind].title}
                </label>
              ))}
            </div>
          </fieldset>
        ))}
        <p className="text-muted text-sm">{says}</p>

        {what === 'job' ? null : (
          <label className="grid justify-items-start gap-1 text-sm">
            <span className="font-semibold">Target</span>
            <select
              className="field max-w-full"
              value={filled.target}
              onChange={(event) => change({ target: event.target.value })}
            >
              {targets.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <div className="flex flex-wrap gap-x-6 gap-y-3">
          {unit === null ? null : (
            <NumberField
              label="Strength"
              after={`${unit} (${min} to ${max})`}
              value={draft.strength}
              invalid={wrong === 'strength'}
              onChange={(strength) => change({ strength })}
            />
          )}
          {once ? null : (
            <NumberField
              label="Duration"
              after={`s at most (1 to ${MAX_SECONDS})`}
              value={draft.seconds}
              invalid={wrong === 'seconds'}
              onChange={(seconds) => change({ seconds })}
            />
          )}
          <NumberField
            label="Expected to recover within"
            after="s (optional)"
            value={draft.expected}
            invalid={wrong === 'expected'}
            onChange={(expected) => change({ expected })}
          />
        </div>

        <p className="rounded-md bg-sunken px-3 py-2 text-sm" data-testid="fault-preview">
          {'error' in checked ? checked.error : preview(checked.spec, view)}
        </p>
        <div className="flex flex-wrap items-center gap-2">
          <button
            type="submit"
            className="btn btn-primary whitespace-normal"
            disabled={wrong !== null || why !== null || sending}
          >
            {why
              ? `Cannot begin: ${why}`
              : sending
                ? 'Waiting for the server'
                : asking
                  ? `Yes, ${title.toLowerCase()}`
                  : title}
          </button>
          {asking ? (
            <button type="button" className="btn" onClick={() => setAsking(false)}>
              Leave it
            </button>
          ) : null}
          <p role="alert" className="text-sm empty:hidden">
            {refused ? `Refused: ${refused}` : asking ? 'Press again to go on.' : ''}
          </p>
        </div>
      </form>
    </Panel>
  );
}
