/** The connection in words: what the chip in the header says, and whether what the page shows may be trusted. */

export type LinkState = 'connecting' | 'live' | 'slow' | 'reduced' | 'restarted' | 'reconnecting' | 'offline';

export interface LinkFacts {
  /** Whether a snapshot of the present connection has arrived. */
  synced: boolean;
  /** Whether any snapshot ever arrived. */
  everSynced: boolean;
  /** Client time at which the connection was lost, or null. */
  lostAt: number | null;
  attempts: number;
  /** Age of the newest data in ms. */
  ageMs: number;
  rateHz: number;
  /** Client time at which another server epoch was seen, or null. */
  restartedAt: number | null;
}

export interface Link {
  state: LinkState;
  words: string;
  /** Data on screen is old: drawings are dimmed. */
  stale: boolean;
  /** Why nothing can be changed now, or null. */
  blocked: string | null;
  /** Client time since when the data is stale; null while it is not. */
  since: number | null;
}

/** Ticks a second at full rate. */
export const FULL_RATE_HZ = 10;
const SLOW_MS = 2000;
const RESTART_NOTE_MS = 5000;
const GIVE_UP_NOTE_MS = 10_000;

export function describeLink(facts: LinkFacts, now: number, clock: (time: number) => string): Link {
  if (!facts.everSynced) {
    const words = facts.attempts > 0 ? `Connecting (${facts.attempts})…` : 'Connecting…';
    return { state: 'connecting', words, stale: false, blocked: 'Not connected yet', since: null };
  }
  if (!facts.synced) {
    const since = facts.lostAt ?? now;
    const blocked = `Not connected since ${clock(since)}`;
    if (now - since < GIVE_UP_NOTE_MS) {
      return { state: 'reconnecting', words: `Reconnecting (${facts.attempts})…`, stale: true, blocked, since };
    }
    return { state: 'offline', words: `Offline since ${clock(since)}`, stale: true, blocked, since };
  }
  const fine = { stale: false, blocked: null, since: null };
  if (facts.restartedAt !== null && now - facts.restartedAt < RESTART_NOTE_MS) {
    return { state: 'restarted', words: 'Server restarted, history reloaded', ...fine };
  }
  if (facts.ageMs > SLOW_MS) {
    const words = `Slow · ${Math.round(facts.ageMs / 1000)} s old`;
    return { state: 'slow', words, stale: facts.ageMs > 2 * SLOW_MS, blocked: null, since: now - facts.ageMs };
  }
  if (facts.rateHz < FULL_RATE_HZ) {
    return { state: 'reduced', words: `Reduced rate · ${facts.rateHz}/s`, ...fine };
  }
  return { state: 'live', words: `Live · ${(Math.max(0, facts.ageMs) / 1000).toFixed(1)} s old`, ...fine };
}
