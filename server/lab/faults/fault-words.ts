/** Faults in words, for logs and pages alike. */

import { FAULTS, type FaultSpec, type FaultVerdict } from '#shared/faults.ts';

/** `Slow operator windows, 10 ms per row` */
export function describeFault({ kind, target, strength }: FaultSpec): string {
  const { title, unit, target: what } = FAULTS[kind];
  const amount = unit === null ? '' : `, ${strength} ${unit}`;
  if (target === null) return `${title}${amount}`;
  return what === 'task-manager' ? `${title} (${target})${amount}` : `${title} ${target}${amount}`;
}

/** All of a verdict in a line. */
export function verdictText(verdict: Omit<FaultVerdict, 'text'>): string {
  const { fault, outcome, detectedAfterMs, recoveredAfterMs, replayed, lost, doubled, late, dropped, held } = verdict;
  const parts = [
    detectedAfterMs === null ? 'nothing failed' : `detected after ${detectedAfterMs} ms`,
    ...(recoveredAfterMs === null ? [] : [`recovered after ${recoveredAfterMs} ms`]),
    ...(outcome === 'failed' ? ['the job failed'] : []),
    ...(outcome === 'unsettled' ? ['not recovered yet'] : []),
    `${replayed} rows replayed`,
    lost === null || doubled === null ? 'rows not counted' : `${lost} lost, ${doubled} doubled`,
    `${late} late, ${dropped} dropped`,
    ...(held === null ? [] : [held ? 'as expected' : 'not as expected']),
  ];
  return `Fault #${fault.id}, ${describeFault(fault)}: ${parts.join(', ')}.`;
}
