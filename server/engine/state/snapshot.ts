/**
 * What an operator needs to go on somewhere else: in another subtask, at another parallelism, after a failure.
 *
 * Keyed state is written key group by key group, because key groups are what moves when a job is rescaled; each block of one is bytes in the
 * operator's own format. Operator state belongs to no key and says how it is dealt out (`flink-reference` §3.1,
 * `operator-lists.ts`).
 */

import type { KeyedBlock, KeyedBlocks } from './keyed-blocks.ts';

export interface OperatorState {
  /** `split`: items are dealt out; `union`: every subtask gets all; `broadcast`: all subtasks had the same, each gets one copy. */
  readonly redistribute: 'split' | 'union' | 'broadcast';
  readonly items: readonly Uint8Array[];
}

/** What belongs to no key. Plain data: it may cross threads. */
export interface OwnSnapshot {
  /** Last watermark of the operator, ms; -Infinity: none. */
  readonly watermark: number;
  /** By name. */
  readonly operator: Readonly<Record<string, OperatorState>>;
}

/** All of it, plain data. Groups without state are absent. */
export interface OperatorSnapshot extends OwnSnapshot {
  readonly keyed: readonly KeyedBlock[];
}

/** The moment is fixed; the key groups, if there is much of them, are still to be taken, or given up. */
export interface TakenSnapshot extends OwnSnapshot {
  readonly keyed: readonly KeyedBlock[] | KeyedBlocks;
  /** Nobody looks at its blocks any more: they are where they were to go. Not called where that fails. Absent: it does not matter. */
  readonly written?: () => void;
}

/** What a subtask goes on from: large state comes bit by bit. */
export interface RestoredSnapshot extends OperatorSnapshot {
  /** Blocks behind those of `keyed`. Absent: there are none. */
  readonly rest?: AsyncIterable<KeyedBlock>;
}

export const EMPTY_SNAPSHOT: OperatorSnapshot = {
  watermark: Number.NEGATIVE_INFINITY,
  keyed: [],
  operator: {},
};
