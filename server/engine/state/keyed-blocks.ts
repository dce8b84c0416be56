/**
 * Keyed state on its way into a snapshot and out of one, block by block, so that nobody ever has all of it in memory. A block is a key group, or a
 * part of one that can be read by itself: groups that are large come in several.
 */

import type { Eventually } from './keyed-state.ts';
import type { OperatorSnapshot, OwnSnapshot, TakenSnapshot } from './snapshot.ts';

export type KeyedBlock = readonly [group: number, bytes: Uint8Array];

/**
 * Key groups as they were at one moment, in portions of about a millisecond. Undefined: others may have the thread; a promise has to be waited for
 * before the work goes on. The bytes of a block belong to whoever takes it. What is not taken to its end has to be given up.
 */
export type KeyedBlocks = Generator<KeyedBlock | Promise<unknown> | undefined, void, void>;

/** It will not be taken to its end. */
export function giveUp(keyed: TakenSnapshot['keyed']): void {
  if (!('next' in keyed)) return;
  try {
    // Nothing is tidied up of work that has never begun.
    keyed.next();
    keyed.return();
  } catch {
    // It has failed, and with it it is given up.
  }
}

/** With a pause behind every portion; given up if the pause throws, or the taker goes. */
export async function* inPortions(
  keyed: TakenSnapshot['keyed'],
  pause: () => Promise<void>,
): AsyncGenerator<KeyedBlock> {
  try {
    for (const step of keyed) {
      if (Array.isArray(step)) yield step as KeyedBlock;
      else await ((step as Promise<unknown> | undefined) ?? pause());
    }
  } finally {
    giveUp(keyed);
  }
}

/** All of it without a break; later only where something has to be waited for. */
export function atOnce(taken: Eventually<TakenSnapshot>): Eventually<OperatorSnapshot> {
  if (taken instanceof Promise) return taken.then(atOnce);
  const { keyed, written: _, ...own } = taken;
  return 'next' in keyed ? gather(keyed, own, []) : { ...own, keyed };
}

function gather(keyed: KeyedBlocks, own: OwnSnapshot, blocks: KeyedBlock[]): Eventually<OperatorSnapshot> {
  for (;;) {
    const { done, value } = keyed.next();
    if (done === true) return { ...own, keyed: blocks };
    if (value instanceof Promise) return value.then(() => gather(keyed, own, blocks));
    if (value !== undefined) blocks.push(value);
  }
}
