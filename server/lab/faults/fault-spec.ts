/** What is wanted of a fault, read from untrusted data. */

import { UsageError } from '#base/errors.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { FAULT_KINDS, FAULT_LIMITS, FAULTS, type FaultKind, type FaultSpec } from '#shared/faults.ts';

/** Throws a `UsageError` that says what is wrong and what would be right. What is not given is the usual. */
export function readFault(value: unknown, graph: JobGraph, taskManagers: number): FaultSpec {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError('A fault must be an object with a kind.');
  const given = value as Readonly<Record<string, unknown>>;
  const kind = FAULT_KINDS.find((known) => known === given.kind);
  if (kind === undefined) throw new UsageError(`The kind of a fault must be one of ${FAULT_KINDS.join(', ')}.`);
  const { title, unit, min, max, once, default: usual } = FAULTS[kind];
  const strength = whole(given.strength, usual, min, max, `${title}: strength${unit === null ? '' : ` (${unit})`}`);
  const durationMs = once
    ? 0
    : whole(given.durationMs, FAULT_LIMITS.defaultMs, 100, FAULT_LIMITS.durationMs, `${title}: durationMs`);
  const expectedMs =
    given.expectedMs === undefined || given.expectedMs === null
      ? null
      : whole(given.expectedMs, 0, 1, FAULT_LIMITS.durationMs, `${title}: expectedMs`);
  return { kind, target: targetOf(kind, given.target, graph, taskManagers), strength, durationMs, expectedMs };
}

/** Operators that faults can get at: what reads rows that others give. */
export function faultTargets(graph: JobGraph, what: 'operator' | 'sink'): string[] {
  return graph.vertices.flatMap(({ operators }) =>
    operators
      .filter((o) => (what === 'sink' ? o.sink !== null : o.source === null && o.sink === null))
      .map((o) => o.id),
  );
}

function targetOf(kind: FaultKind, target: unknown, graph: JobGraph, taskManagers: number): string | null {
  const { title, target: what } = FAULTS[kind];
  if (what === 'job') {
    if (target !== undefined && target !== null)
      throw new UsageError(`${title} strikes the whole job: leave target out.`);
    return null;
  }
  if (what === 'task-manager') {
    return `${whole(typeof target === 'string' ? Number(target) : target, 1, 1, taskManagers, `${title}: target`)}`;
  }
  const known = faultTargets(graph, what);
  const found = known.find((id) => id === (target ?? known[0]));
  if (found !== undefined) return found;
  const which = known.length === 0 ? 'this job has none' : `one of ${known.join(', ')}`;
  throw new UsageError(`${title}: target must be the id of ${what === 'sink' ? 'a sink' : 'an operator'}: ${which}.`);
}

function whole(value: unknown, usual: number, min: number, max: number, what: string): number {
  if (value === undefined || value === null) return usual;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    const said = JSON.stringify(value)?.slice(0, 40) ?? typeof value;
    throw new UsageError(`${what} must be a whole number from ${min} to ${max}, not ${said}.`);
  }
  return value;
}
