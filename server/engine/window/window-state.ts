/**
 * State of a window operator on its way to another one: what each slice holds for each key, by key group. Which windows have fired follows
 * from the watermark; partial results are made again.
 */

import { ByteReader, ByteWriter } from '../batch/row-bytes.ts';
import { keyGroupRange } from '../exchange/key-groups.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import type { WindowContents } from './contents.ts';
import type { KeyCodes } from './key-codes.ts';
import type { Pane, Panes } from './panes.ts';

/**
 * Of each key group: how far in time its windows have fired, which is no single instant where subtasks go by clocks of their own; then the
 * entries: number of the slice, key, contents.
 */
export function saveWindows(
  panes: Panes,
  keys: KeyCodes,
  contents: WindowContents,
  maxParallelism: number,
  firedUntil: (group: number) => number,
): Map<number, Uint8Array> {
  const groups = new Map<number, ByteWriter>();
  for (const pane of panes.all()) {
    for (const [first, last] of panes.ranges(pane)) {
      for (let slot = first; slot < last; slot++) {
        const code = panes.keyOf[slot] as number;
        const group = keys.group(code, maxParallelism);
        let to = groups.get(group);
        if (to === undefined) {
          to = new ByteWriter();
          to.f64(firedUntil(group));
          groups.set(group, to);
        }
        to.f64(pane.number);
        keys.save(code, to);
        contents.save(slot, to);
      }
    }
  }
  return new Map([...groups].map(([group, writer]) => [group, writer.done()]));
}

/** How far the windows of each key group of this subtask have fired. */
export function loadFiredUntil(snapshots: readonly OperatorSnapshot[], context: OperatorContext): Map<number, number> {
  return new Map(ownGroups(snapshots, context).map(([group, from]) => [group, from.f64()]));
}

/** Takes over the key groups of this subtask; `paneOf` gives the pane for what a group holds of a key in a slice. */
export function loadWindows(
  snapshots: readonly OperatorSnapshot[],
  context: OperatorContext,
  panes: Panes,
  keys: KeyCodes,
  contents: WindowContents,
  paneOf: (slice: number, code: number, firedUntil: number) => Pane,
): void {
  for (const [, from] of ownGroups(snapshots, context)) {
    const firedUntil = from.f64();
    while (from.more) {
      const slice = from.f64();
      const code = keys.load(from);
      panes.reserveKeys(code + 1);
      contents.load(panes.slot(paneOf(slice, code, firedUntil), code), from);
    }
  }
}

function ownGroups(
  snapshots: readonly OperatorSnapshot[],
  { subtask, parallelism, maxParallelism }: OperatorContext,
): [group: number, from: ByteReader][] {
  const [first, last] = keyGroupRange(subtask, parallelism, maxParallelism);
  return snapshots
    .flatMap(({ keyed }) => [...keyed])
    .filter(([group]) => group >= first && group <= last)
    .map(([group, bytes]) => [group, new ByteReader(bytes)]);
}
