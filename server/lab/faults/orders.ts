/** What threads are told of faults. Plain data; the memory of a gate is shared. */

import type { FaultSpec } from '#shared/faults.ts';

/** What a disk does, for as long as the fault lasts. */
export type DiskEffect =
  | { readonly type: 'refuse'; readonly code: 'EIO' | 'ENOSPC'; readonly says: string }
  | { readonly type: 'delay'; readonly ms: number }
  /** Bits of what is written turn. */
  | { readonly type: 'corrupt' };

/** What is done to the operator with this id. */
export type OperatorEffect =
  /** Once, in this subtask, at its next rows. */
  | { readonly type: 'throw'; readonly operator: string; readonly subtask: number }
  /** Likewise, where it commits, or else where it writes. */
  | { readonly type: 'fail-sink'; readonly operator: string; readonly subtask: number }
  /** In every subtask. */
  | { readonly type: 'slow'; readonly operator: string; readonly msPerRow: number };

export type Effect =
  | OperatorEffect
  | { readonly type: 'disk'; readonly disk: DiskEffect }
  /** The thread stands still until somebody opens the gate, and for `ms` at most. */
  | { readonly type: 'hang'; readonly gate: SharedArrayBuffer; readonly ms: number };

export type FaultOrder =
  | { readonly type: 'begin'; readonly fault: number; readonly effect: Effect }
  | { readonly type: 'end'; readonly fault: number };

/** What threads do of a fault; null: it is done to them. */
export function effectOf({ kind, target, strength }: FaultSpec): Effect | null {
  const operator = target ?? '';
  switch (kind) {
    case 'throwing-operator':
      return { type: 'throw', operator, subtask: 0 };
    case 'failing-sink':
      return { type: 'fail-sink', operator, subtask: 0 };
    case 'slow-operator':
    case 'slow-sink':
      return { type: 'slow', operator, msPerRow: strength };
    case 'fail-checkpoints':
      return { type: 'disk', disk: { type: 'refuse', code: 'EIO', says: 'i/o error' } };
    case 'disk-full':
      return { type: 'disk', disk: { type: 'refuse', code: 'ENOSPC', says: 'no space left on device' } };
    case 'delay-checkpoints':
      return { type: 'disk', disk: { type: 'delay', ms: strength } };
    case 'corrupt-checkpoints':
      return { type: 'disk', disk: { type: 'corrupt' } };
    default:
      return null;
  }
}

/** Stands in every error that a fault makes, so that logs tell it from others. */
export function tagOf(fault: number): string {
  return `fault #${fault}`;
}

/** Fault that an error names; null: none. */
export function faultIn(text: string): number | null {
  const found = /\bfault #(\d+)\b/.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
