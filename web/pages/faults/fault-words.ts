import { FAULTS, type FaultOutcome, type FaultSpec } from '#shared/faults.ts';
import type { Tone } from '../../ui/status.tsx';

/** `Slow operator windows, 10 ms per row` */
export function faultName({ kind, target, strength }: FaultSpec): string {
  const { title, unit, target: what } = FAULTS[kind];
  const where = target === null ? '' : what === 'task-manager' ? ` (${target})` : ` ${target}`;
  return `${title}${where}${unit === null ? '' : `, ${strength} ${unit}`}`;
}

export const OUTCOMES: Readonly<Record<FaultOutcome, { shape: string; tone: Tone; word: string }>> = {
  recovered: { shape: '✓', tone: 'ok', word: 'Recovered' },
  unharmed: { shape: '●', tone: 'ok', word: 'Nothing failed' },
  failed: { shape: '✖', tone: 'critical', word: 'Job failed' },
  unsettled: { shape: '▲', tone: 'warning', word: 'Not recovered in time' },
};
