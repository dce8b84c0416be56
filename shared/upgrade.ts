/** The upgrade of a supervised server (`/api/upgrade`). Plain data. */

/**
 *   none ─> saving ─> starting ─┬─> upgraded       it read rows and completed a checkpoint, or reached the end of its input
 *             │                 └─> rolled-back    it did not: the version before goes on from the savepoint
 *             └─> failed                           there is no savepoint: the job goes on as it was
 */
export type UpgradePhase = 'none' | 'saving' | 'starting' | 'upgraded' | 'rolled-back' | 'failed';

export interface UpgradeView {
  readonly phase: UpgradePhase;
  /** Path; null: there is none yet. */
  readonly savepoint: string | null;
  /** Flags of `weir serve` that the new version gets besides. */
  readonly flags: readonly string[];
  /** Why it was rolled back, or failed. */
  readonly reason: string | null;
}

export interface UpgradeWish {
  readonly flags: readonly string[];
  /** How long the new version may take to show that it gets on, ms. */
  readonly withinMs: number;
}

export const NO_UPGRADE: UpgradeView = { phase: 'none', savepoint: null, flags: [], reason: null };

/** It is over. */
export function isSettled({ phase }: UpgradeView): boolean {
  return phase !== 'saving' && phase !== 'starting';
}
