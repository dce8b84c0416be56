/** How much state there is and where, as of a checkpoint (`/api/jobs/:job/state`). Plain data; sizes in bytes. */

export interface KeyGroupSize {
  readonly group: number;
  readonly bytes: number;
}

export interface OperatorStateSize {
  /** Of the operator. */
  readonly id: string;
  readonly name: string;
  /** Of all key groups, as written. */
  readonly bytes: number;
  /** How many there could be. */
  readonly maxParallelism: number;
  /** Those with state, the largest first. */
  readonly groups: readonly KeyGroupSize[];
}

export interface StateSizes {
  /** Number of the checkpoint or savepoint; null: none has been completed yet. */
  readonly checkpoint: number | null;
  /** ms since the epoch. */
  readonly at: number | null;
  /** From so many bytes of one operator on people are told; null: never. */
  readonly alertBytes: number | null;
  /** Those with keyed state, in the order of the job. */
  readonly operators: readonly OperatorStateSize[];
}

/** How many times as large as the average key group the largest is; 1: all alike, 0: there is none. */
export function skewOf({ bytes, groups }: OperatorStateSize): number {
  return groups.length === 0 ? 0 : ((groups[0] as KeyGroupSize).bytes * groups.length) / bytes;
}
