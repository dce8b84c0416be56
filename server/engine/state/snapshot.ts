/**
 * What an operator needs to go on somewhere else: in another subtask, at another parallelism, after a failure.
 *
 * Keyed state is written key group by key group, because key groups are what moves when a job is rescaled; each group is bytes in the
 * operator's own format. Operator state belongs to no key and says how it is dealt out (`flink-reference` §3.1,
 * `operator-lists.ts`).
 */

export interface OperatorState {
  /** `split`: items are dealt out; `union`: every subtask gets all; `broadcast`: all subtasks had the same, each gets one copy. */
  readonly redistribute: 'split' | 'union' | 'broadcast';
  readonly items: readonly Uint8Array[];
}

/** Plain data: it may cross threads. */
export interface OperatorSnapshot {
  /** Last watermark of the operator, ms; -Infinity: none. */
  readonly watermark: number;
  /** By key group; groups without state are absent. */
  readonly keyed: ReadonlyMap<number, Uint8Array>;
  /** By name. */
  readonly operator: Readonly<Record<string, OperatorState>>;
}

export const EMPTY_SNAPSHOT: OperatorSnapshot = {
  watermark: Number.NEGATIVE_INFINITY,
  keyed: new Map(),
  operator: {},
};
