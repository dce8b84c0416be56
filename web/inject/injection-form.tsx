import { type FormEvent, useState } from 'react';
import { INJECTIONS, type InjectionKind, MALFORMED_KINDS, type MalformedKind } from '#shared/injections.ts';
import { useLive, useShown } from '../live/live.ts';
import { formatExact } from '../ui/format.ts';
import { checkDraft, type Draft, draftFor, malformedName, preview, strengthUnit } from './draft.ts';
import { DurationField } from './duration-field.tsx';
import { whyNotInject } from './why-not.ts';

const KINDS = Object.keys(INJECTIONS) as InjectionKind[];

interface InjectionFormProps {
  draft: Draft;
  onChange(draft: Draft): void;
}

export function InjectionForm({ draft, onChange }: InjectionFormProps) {
  const { connection } = useLive();
  const job = useShown('job');
  const link = useShown('link');
  const [sending, setSending] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const about = INJECTIONS[draft.kind];
  const checked = checkDraft(draft);
  const why = whyNotInject(link.blocked, job);
  const error = 'error' in checked ? checked : null;

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if ('error' in checked || why !== null || sending) return;
    setSending(true);
    setRefused(null);
    const result = await connection.send({ type: 'inject', spec: checked.spec });
    setSending(false);
    if (!result.ok) setRefused(result.error);
  };

  return (
    <form className="grid grid-cols-[minmax(0,1fr)] gap-4" noValidate onSubmit={submit}>
      <fieldset className="grid gap-1">
        <legend className="pb-1.5 font-semibold text-sm">What to inject</legend>
        {KINDS.map((kind) => (
          <label
            key={kind}
            className="flex cursor-pointer items-center gap-2.5 rounded-md border border-line px-3 py-1.5 text-sm hover:bg-sunken has-checked:border-accent has-checked:bg-sunken has-checked:font-semibold has-focus-visible:outline-2 has-focus-visible:outline-accent has-focus-visible:outline-offset-2"
          >
            <input
              type="radio"
              name="kind"
              className="accent-accent outline-none"
              checked={draft.kind === kind}
              onChange={() => onChange({ ...draftFor(kind), seconds: draft.seconds })}
            />
            {INJECTIONS[kind].title}
          </label>
        ))}
        <p className="pt-1 text-muted text-sm">{about.says}</p>
      </fieldset>

      {draft.kind === 'malformed' ? (
        <label className="grid gap-1 text-sm">
          <span className="font-semibold">Kind of malformed</span>
          <select
            className="field"
            value={draft.malformed ?? ''}
            onChange={(event) => {
              const value = event.target.value;
              onChange({ ...draft, malformed: value === '' ? null : (value as MalformedKind) });
            }}
          >
            <option value="">All kinds in turn</option>
            {MALFORMED_KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {malformedName(kind)}
              </option>
            ))}
          </select>
        </label>
      ) : null}

      <div className="grid gap-1 text-sm">
        <label className="font-semibold" htmlFor="strength">
          Strength
        </label>
        <div className="flex items-center gap-2">
          <input
            id="strength"
            className="field w-28 text-right"
            inputMode="numeric"
            value={draft.strength}
            aria-invalid={error?.wrong === 'strength'}
            aria-describedby="strength-unit"
            onChange={(event) => onChange({ ...draft, strength: event.target.value })}
          />
          <span id="strength-unit">
            {strengthUnit(draft)}{' '}
            <span className="text-muted">
              ({formatExact(about.min)} to {formatExact(about.max)})
            </span>
          </span>
        </div>
      </div>

      <DurationField draft={draft} onChange={onChange} invalid={error?.wrong === 'seconds'} />

      <p className="rounded-md bg-sunken px-3 py-2 text-sm" data-testid="preview">
        {'error' in checked ? checked.error : preview(checked.spec, job)}
      </p>
      <div className="grid gap-2">
        <button
          type="submit"
          className="btn btn-primary whitespace-normal"
          disabled={error !== null || why !== null || sending}
        >
          {why ? `Cannot inject: ${why}` : sending ? 'Waiting for the server' : `Inject ${about.title.toLowerCase()}`}
        </button>
        <p role="alert" className="text-sm empty:hidden">
          {refused ? `Refused: ${refused}` : ''}
        </p>
      </div>
    </form>
  );
}
