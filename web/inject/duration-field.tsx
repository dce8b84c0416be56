import { INJECTIONS } from '#shared/injections.ts';
import { Segmented } from '../ui/segmented.tsx';
import { type Draft, MAX_SECONDS } from './draft.ts';

const CHOICES = [
  { value: '10', label: '10 s' },
  { value: '30', label: '30 s' },
  { value: '60', label: '1 min' },
  { value: '300', label: '5 min' },
];

interface DurationFieldProps {
  draft: Draft;
  onChange(draft: Draft): void;
  invalid: boolean;
}

/** For how long: a usual time by one click, any other by typing, or all at once where that makes sense. */
export function DurationField({ draft, onChange, invalid }: DurationFieldProps) {
  const canOnce = INJECTIONS[draft.kind].once;
  const once = canOnce && draft.once;
  const options = [...(canOnce ? [{ value: 'once', label: 'At once' }] : []), ...CHOICES];
  const value = once ? 'once' : draft.seconds;
  return (
    <div className="grid justify-items-start gap-2 text-sm">
      <span className="font-semibold">Duration</span>
      <Segmented
        label="Duration"
        options={options}
        value={value}
        onChange={(next) =>
          onChange(next === 'once' ? { ...draft, once: true } : { ...draft, once: false, seconds: next })
        }
      />
      <label className="flex items-center gap-2">
        <input
          className="field w-28 text-right"
          inputMode="numeric"
          aria-label={`Duration in seconds, 1 to ${MAX_SECONDS}`}
          value={once ? '' : draft.seconds}
          placeholder={once ? 'at once' : ''}
          aria-invalid={invalid}
          onChange={(event) => onChange({ ...draft, once: false, seconds: event.target.value })}
        />
        seconds
      </label>
    </div>
  );
}
