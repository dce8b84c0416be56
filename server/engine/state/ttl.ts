/**
 * Time to live: what nobody has touched for some processing time counts as gone (`flink-reference` §3.2). What it applies to: the whole of a
 * value, reducing or aggregating state, each element of a list, each entry of a map.
 *
 *   valueState<string>('last-city', { ttl: timeToLive(60_000) })
 *
 * Gone means: not returned any more, and removed from memory by whichever comes first: somebody reads it, an incremental visit passes by,
 * the backend compacts, or (in the snapshot only) a snapshot is written.
 */

import { UsageError } from '#base/errors.ts';

export interface StateTtl {
  /** Expired iff last access + `ttlMs` <= now; may be Infinity. */
  readonly ttlMs: number;
  /** What counts as access. */
  readonly updateType: 'OnCreateAndWrite' | 'OnReadAndWrite';
  /** Whether something expired that still lies there is returned, once, by the read that removes it. */
  readonly visibility: 'NeverReturnExpired' | 'ReturnExpiredIfNotCleanedUp';
  /** Snapshots leave expired entries out; what is in memory stays. */
  readonly fullSnapshot: boolean;
  /** Heap: each access visits `entries` keys, and with `everyRecord` each row does too; null: no visits. */
  readonly incremental: { readonly entries: number; readonly everyRecord: boolean } | null;
  /** Backends on disk drop expired entries when they rewrite them, asking the clock again after `entriesPerTime` entries; null: they do not. */
  readonly compaction: { readonly entriesPerTime: number } | null;
}

/** Defaults are Flink's: written and created, never returned, cleaned in the background. */
export function timeToLive(ttlMs: number, settings: Partial<Omit<StateTtl, 'ttlMs'>> = {}): StateTtl {
  if (!(ttlMs > 0)) throw new UsageError(`A time to live must be more than 0 ms, not ${ttlMs}.`);
  const ttl: StateTtl = {
    updateType: 'OnCreateAndWrite',
    visibility: 'NeverReturnExpired',
    fullSnapshot: false,
    incremental: { entries: 5, everyRecord: false },
    compaction: { entriesPerTime: 1000 },
    ...settings,
    ttlMs,
  };
  if (ttl.incremental !== null && !(Number.isInteger(ttl.incremental.entries) && ttl.incremental.entries > 0)) {
    throw new UsageError(
      `Incremental cleanup visits a whole number of entries, 1 or more, not ${ttl.incremental.entries}.`,
    );
  }
  if (ttl.compaction !== null && !(ttl.compaction.entriesPerTime >= 1)) {
    throw new UsageError(`Compaction asks for the time after 1 or more entries, not ${ttl.compaction.entriesPerTime}.`);
  }
  return ttl;
}
