/** How the cells of two namespaces become one (`flink-reference` §1.7): session windows that grow together. */

import { WeirError } from '#base/errors.ts';
import { Timed } from './cells.ts';
import type { StateDescriptor } from './descriptors.ts';
import type { TableScope } from './table.ts';
import type { StateTtl } from './ttl.ts';

/** Undefined: nothing is left, because both had expired. */
export type MergeCells = (a: unknown, b: unknown) => unknown;

export function cellMerge(descriptor: StateDescriptor, scope: TableScope, operator: string): MergeCells {
  if (descriptor.kind === 'list') return (a, b) => (a as unknown[]).concat(b);
  const merge = valueMerge(descriptor, operator);
  return descriptor.ttl === null ? merge : timedMerge(merge, descriptor.ttl, scope);
}

function valueMerge(descriptor: StateDescriptor, operator: string): (a: unknown, b: unknown) => unknown {
  if (descriptor.kind === 'reducing') return descriptor.reduce;
  if (descriptor.kind === 'aggregating' && descriptor.aggregate.merge !== undefined) return descriptor.aggregate.merge;
  const lacks = descriptor.kind === 'aggregating' ? ' state without a merge function' : ' state';
  throw new WeirError(
    'STATE_MERGE',
    `${operator}: state "${descriptor.name}" cannot be merged across windows, it is ${descriptor.kind}${lacks}.`,
  );
}

/**
 * Merging two values counts as access. What has expired takes no part, so that it makes no difference whether it was cleaned up before: the other
 * keeps its time, where Flink gives it a new one.
 */
function timedMerge(merge: (a: unknown, b: unknown) => unknown, ttl: StateTtl, scope: TableScope): MergeCells {
  const alive = (cell: Timed): boolean => {
    if (cell.at + ttl.ttlMs > scope.now) return true;
    scope.countExpired(1);
    return false;
  };
  return (a, b) => {
    const [first, second] = [a as Timed, b as Timed].filter(alive);
    if (first === undefined || second === undefined) return first;
    return new Timed(merge(first.value, second.value), scope.now);
  };
}
