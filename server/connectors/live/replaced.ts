import { replaces } from '#shared/live.ts';

/** Takes out of kept results of one device those whose place a newer one takes; tells whether there were any. */
export function dropReplaced(kept: { start: number; end: number }[], newer: { start: number; end: number }): boolean {
  let any = false;
  for (let i = kept.length - 1; i >= 0; i--) {
    const older = kept[i];
    if (older === undefined || !replaces(newer, older)) continue;
    kept.splice(i, 1);
    any = true;
  }
  return any;
}
