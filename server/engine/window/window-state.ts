/**
 * State of a window operator on its way to another one: what each slice holds for each key, by key group. Which windows have fired follows
 * from the watermark; partial results are made again.
 */

import { ByteReader, ByteWriter } from '../batch/row-bytes.ts';
import type { KeyedBlock, KeyedBlocks } from '../state/keyed-blocks.ts';
import { PORTION } from '../state/portions.ts';
import type { TakenSnapshot } from '../state/snapshot.ts';
import type { BlockMemory } from './block-memory.ts';
import type { WindowContents } from './contents.ts';
import { HEAD_WORDS, type KeyBytes, WORD_BYTES } from './key-bytes.ts';
import type { KeptKeys, KeyCodes } from './key-codes.ts';
import { BLOCK_BITS, NumberCut } from './number-cut.ts';
import type { Pane, Panes } from './panes.ts';
import type { ContentsCut, TimelyContents } from './timely-contents.ts';

/**
 * Of each key group: how far in time its windows have fired, which is no single instant where subtasks go by clocks of their own; then the
 * entries: whether it is of the same slice as the one before (or `OTHER_SLICE` and the slice's number), key, contents.
 */
export function saveWindows(
  panes: Panes,
  keys: KeyCodes,
  contents: TimelyContents,
  maxParallelism: number,
  firedUntil: (group: number) => number,
  memory: BlockMemory,
): Pick<TakenSnapshot, 'keyed' | 'written'> {
  const runs = [...panes.all()].flatMap((pane) =>
    [...panes.ranges(pane)].map(([first, end]) => ({ slice: pane.number, first, end })),
  );
  const keyOf = panes.keyOf.slice();
  const kept = keys.keep(keyOf);
  const cut = contents.cut(runs.map(({ first, end }) => [first, end]));
  const taken: (readonly [group: number, memory: ArrayBuffer])[] = [];
  const written = (): void => {
    for (const [group, buffer] of taken.splice(0)) memory.give(group, buffer);
  };
  return { keyed: write(), written };

  function* write(): KeyedBlocks {
    try {
      const windows = { runs, keyOf, kept, maxParallelism, firedUntil, memory, taken };
      yield* cut instanceof NumberCut ? writeNumbers(windows, cut) : writeOneByOne(windows, cut);
    } finally {
      contents.end(cut);
      kept.release();
    }
  }
}

/** What is to be written. */
interface OpenWindows {
  /** Slots of a slice that lie in one block. */
  readonly runs: readonly { readonly slice: number; readonly first: number; readonly end: number }[];
  /** By slot. */
  readonly keyOf: Int32Array;
  readonly kept: KeptKeys;
  readonly maxParallelism: number;
  readonly firedUntil: (group: number) => number;
  readonly memory: BlockMemory;
  /** Of it, what blocks lie in that were given away. */
  readonly taken: (readonly [group: number, memory: ArrayBuffer])[];
}

function* writeOneByOne({ runs, keyOf, kept, maxParallelism, firedUntil }: OpenWindows, cut: ContentsCut): KeyedBlocks {
  const groups: ({ readonly bytes: ByteWriter; slice: number } | undefined)[] = new Array(maxParallelism).fill(
    undefined,
  );
  let written = 0;
  for (const { slice, first, end } of runs) {
    for (let slot = first; slot < end; slot++) {
      const code = keyOf[slot] as number;
      const group = kept.group(code, maxParallelism);
      let to = groups[group];
      if (to === undefined) {
        to = { bytes: new ByteWriter(), slice: NONE };
        to.bytes.f64(firedUntil(group));
        groups[group] = to;
      }
      to.bytes.u8(to.slice === slice ? SAME_SLICE : OTHER_SLICE);
      if (to.slice !== slice) to.bytes.f64(slice);
      to.slice = slice;
      kept.save(code, to.bytes);
      cut.take(slot, to.bytes);
      if (++written % PORTION === 0) yield;
    }
  }
  for (const [group, to] of groups.entries()) if (to !== undefined) yield [group, to.bytes.written()];
}

/** The same bytes, a run at a time, into memory that is about as large as it has to be. */
function* writeNumbers(
  { runs, keyOf, kept, maxParallelism, firedUntil, memory, taken }: OpenWindows,
  cut: NumberCut,
): KeyedBlocks {
  const slots = runs.reduce((sum, { first, end }) => sum + end - first, 0);
  const expected = Math.ceil((slots / maxParallelism) * ROOM_MORE) * (F64_BYTES * cut.width + KEY_BYTES);
  const groups: (GroupBytes | undefined)[] = new Array(maxParallelism).fill(undefined);
  const begin = (group: number): GroupBytes => {
    const begun = { view: new DataView(memory.take(group, F64_BYTES + expected)), at: F64_BYTES, slice: NONE };
    begun.view.setFloat64(0, firedUntil(group), LITTLE_ENDIAN);
    groups[group] = begun;
    return begun;
  };
  let portion = 0;
  for (const { slice, first, end } of runs) {
    putRun(slice, keyOf.subarray(first, end), kept.bytes, cut.blockOf(first), cut.width, groups, begin);
    cut.release(first);
    portion += end - first;
    if (portion < PORTION) continue;
    portion = 0;
    yield;
  }
  for (const [group, to] of groups.entries()) {
    if (to === undefined) continue;
    taken.push([group, to.view.buffer]);
    yield [group, new Uint8Array(to.view.buffer, 0, to.at)];
  }
}

/** The bytes of a key group, up to `at`. */
interface GroupBytes {
  view: DataView<ArrayBuffer>;
  at: number;
  /** Of the last entry. */
  slice: number;
}

/** Places of the keys of a run. */
const places = new Int32Array(1 << BLOCK_BITS);

/** Puts slice, key and numbers of every slot of a run where they belong: its codes, and in `block` its numbers. */
function putRun(
  slice: number,
  codes: Int32Array,
  keys: KeyBytes,
  block: Float64Array,
  width: number,
  groups: readonly (GroupBytes | undefined)[],
  begin: (group: number) => GroupBytes,
): void {
  // One loop for what lies far apart, so that cache misses overlap.
  for (let i = 0; i < codes.length; i++) places[i] = keys.place(codes[i] as number);
  const { words } = keys;
  for (let i = 0; i < codes.length; i++) {
    const place = places[i] as number;
    const group = (words[place] as number) % groups.length;
    const bytes = words[place + 1] as number;
    const to = groups[group] ?? begin(group);
    let { at } = to;
    // Keys are written word by word: what is too much is written over.
    const end = at + 1 + (to.slice === slice ? 0 : F64_BYTES) + bytes + F64_BYTES * width;
    if (end + WORD_BYTES > to.view.byteLength) to.view = grown(to.view, end + WORD_BYTES);
    const { view } = to;
    view.setUint8(at++, to.slice === slice ? SAME_SLICE : OTHER_SLICE);
    if (to.slice !== slice) {
      view.setFloat64(at, slice, LITTLE_ENDIAN);
      at += F64_BYTES;
      to.slice = slice;
    }
    for (let k = place + HEAD_WORDS, last = at + bytes; at < last; k++, at += WORD_BYTES)
      view.setInt32(at, words[k] as number, LITTLE_ENDIAN);
    at = end - F64_BYTES * width;
    for (let k = i * width; at < end; k++, at += F64_BYTES) view.setFloat64(at, block[k] as number, LITTLE_ENDIAN);
    to.at = end;
  }
}

function grown({ buffer, byteLength }: DataView, least: number): DataView<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(least, Math.ceil(byteLength * 1.5)));
  bytes.set(new Uint8Array(buffer));
  return new DataView(bytes.buffer);
}

/** Key groups are about equally large: so much more is made room for than they would be if they were. */
const ROOM_MORE = 1.1;
/** What a key is taken to need. */
const KEY_BYTES = 24;
const F64_BYTES = 8;
/** Before the first entry. */
const NONE = Number.NaN;
const SAME_SLICE = 0;
const OTHER_SLICE = 1;
const LITTLE_ENDIAN = true;

/** How far the windows of each key group of these have fired. */
export function loadFiredUntil(blocks: readonly KeyedBlock[]): Map<number, number> {
  return new Map(blocks.map(([group, bytes]) => [group, new ByteReader(bytes).f64()]));
}

/** Takes key groups over; `paneOf` gives the pane for what a group holds of a key in a slice. */
export function loadWindows(
  blocks: readonly KeyedBlock[],
  panes: Panes,
  keys: KeyCodes,
  contents: WindowContents,
  paneOf: (slice: number, code: number, firedUntil: number) => Pane,
): void {
  for (const [, bytes] of blocks) {
    const from = new ByteReader(bytes);
    const firedUntil = from.f64();
    let slice = NONE;
    while (from.more) {
      if (from.u8() === OTHER_SLICE) slice = from.f64();
      const code = keys.load(from);
      panes.reserveKeys(code + 1);
      contents.load(panes.slot(paneOf(slice, code, firedUntil), code), from);
    }
  }
}
