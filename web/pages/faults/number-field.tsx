import { useId } from 'react';

interface NumberFieldProps {
  readonly label: string;
  /** Unit and limits. */
  readonly after: string;
  readonly value: string;
  readonly invalid: boolean;
  onChange(value: string): void;
}

export function NumberField({ label, after, value, invalid, onChange }: NumberFieldProps) {
  const id = useId();
  return (
    <div className="grid gap-1 text-sm">
      <label className="font-semibold" htmlFor={id}>
        {label}
      </label>
      <div className="flex items-center gap-2">
        <input
          id={id}
          className="field w-20 text-right"
          inputMode="decimal"
          value={value}
          aria-invalid={invalid}
          aria-describedby={`${id}-after`}
          onChange={(event) => onChange(event.target.value)}
        />
        <span id={`${id}-after`} className="text-muted">
          {after}
        </span>
      </div>
    </div>
  );
}
