import { type FormEvent, useState } from 'react';
import type { SimulatorSettings } from '#shared/live.ts';
import { useLive, useShown } from '../../live/live.ts';
import { formatCount } from '../../ui/format.ts';
import { Panel } from '../../ui/panel.tsx';
import { checkSettings, draftOfSettings, type SimulatorDraft, type SimulatorField } from './simulator-draft.ts';

const FIELDS: { name: SimulatorField; label: string; unit: string; hint: string; wide?: boolean }[] = [
  { name: 'rate', label: 'Rate', unit: 'events/s', hint: 'as fast as it goes' },
  { name: 'malformed', label: 'Malformed', unit: '%', hint: '' },
  { name: 'late', label: 'Late', unit: '%', hint: '' },
  { name: 'disorder', label: 'Disorder', unit: '', hint: 'none, exp:500ms', wide: true },
];

/** What the simulated devices do all the time, in contrast to injections, which end by themselves. */
export function SimulatorPanel() {
  const simulator = useShown('job')?.simulator ?? null;
  if (!simulator) return null;
  return (
    <Panel
      title="Simulator"
      note={`${formatCount(simulator.devices)} devices; changes stay until you change them again`}
    >
      <SimulatorForm settings={simulator} />
    </Panel>
  );
}

function SimulatorForm({ settings }: { settings: SimulatorSettings }) {
  const { connection } = useLive();
  const blocked = useShown('link').blocked;
  const current = draftOfSettings(settings);
  const [typed, setTyped] = useState<Partial<SimulatorDraft>>({});
  const [answer, setAnswer] = useState('');
  const draft = { ...current, ...typed };
  const checked = checkSettings(draft);
  const changed = FIELDS.some(({ name }) => draft[name] !== current[name]);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if ('error' in checked || blocked !== null || !changed) return;
    setAnswer('Waiting for the server');
    const result = await connection.send({ type: 'change-simulator', settings: checked.settings });
    setAnswer(result.ok ? 'Applied.' : `Refused: ${result.error}`);
    if (result.ok) setTyped({});
  };

  return (
    <form className="flex flex-wrap items-end gap-x-5 gap-y-3" noValidate onSubmit={submit}>
      {FIELDS.map(({ name, label, unit, hint, wide }) => (
        <label key={name} className="grid gap-1 text-sm">
          <span className="font-semibold">{label}</span>
          <span className="flex items-center gap-1.5">
            <input
              className={`field ${wide ? 'w-44' : 'w-28 text-right'}`}
              inputMode={wide ? 'text' : 'decimal'}
              value={draft[name]}
              placeholder={hint}
              aria-invalid={'wrong' in checked && checked.wrong === name}
              onChange={(event) => {
                setTyped({ ...typed, [name]: event.target.value });
                setAnswer('');
              }}
            />
            {unit ? <span className="text-muted">{unit}</span> : null}
          </span>
        </label>
      ))}
      <button type="submit" className="btn" disabled={!changed || 'error' in checked || blocked !== null}>
        {blocked ? `Cannot change: ${blocked.toLowerCase()}` : 'Change simulator'}
      </button>
      {changed ? (
        <button type="button" className="btn btn-quiet" onClick={() => setTyped({})}>
          Reset
        </button>
      ) : null}
      <p role="status" className="min-h-8 self-end py-1.5 text-sm empty:hidden">
        {'error' in checked ? checked.error : answer}
      </p>
    </form>
  );
}
