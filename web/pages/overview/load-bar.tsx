import { formatPercent } from '../../ui/format.ts';
import type { Load, LoadWord } from './vertex-load.ts';

/** Busy, backpressured and idle share of one subtask as parts of one bar; the numbers stand below it. */
export function LoadBar({ load }: { load: Load | null }) {
  if (!load) return <div className="hatched h-2 rounded-sm bg-sunken" />;
  return (
    <div className="flex h-2 overflow-hidden rounded-sm bg-[color-mix(in_oklab,var(--idle)_30%,transparent)]">
      <div className="bar-fill bg-busy" style={{ width: `${load.busy * 100}%` }} />
      <div className="bar-fill bar-backpressured" style={{ width: `${load.backpressured * 100}%` }} />
    </div>
  );
}

export function LoadNumbers({ load }: { load: Load | null }) {
  if (!load) return <span className="text-muted">no numbers yet</span>;
  return (
    <span>
      {formatPercent(load.busy)} busy · {formatPercent(load.backpressured)} backpressured
    </span>
  );
}

export function LoadLegend() {
  return (
    <ul className="hidden items-center gap-3 text-muted text-xs sm:flex" aria-label="Parts of the load bars">
      <li className="flex items-center gap-1">
        <span className="bar-fill size-2.5 rounded-sm bg-busy" /> busy
      </li>
      <li className="flex items-center gap-1">
        <span className="bar-fill bar-backpressured size-2.5 rounded-sm" /> backpressured
      </li>
      <li className="flex items-center gap-1">
        <span className="size-2.5 rounded-sm bg-[color-mix(in_oklab,var(--idle)_30%,transparent)]" /> idle
      </li>
    </ul>
  );
}

const DOTS: Record<LoadWord, { shape: string; color: string }> = {
  running: { shape: '●', color: 'text-ok' },
  busy: { shape: '◆', color: 'text-busy' },
  backpressured: { shape: '▤', color: 'text-backpressured' },
  idle: { shape: '○', color: 'text-idle' },
};

/** A subtask as a shape; its word and number are in the name. */
export function SubtaskDot({ name, word }: { name: string; word: LoadWord }) {
  const { shape, color } = DOTS[word];
  return (
    <li title={name} className="grid size-4 place-items-center">
      <span aria-hidden="true" className={`${color} text-sm leading-none`}>
        {shape}
      </span>
      <span className="sr-only">{name}</span>
    </li>
  );
}
