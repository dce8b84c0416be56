/**
 * Keyed state and timers of an operator as the bytes of key groups: what the backend gives of a group, then the timers of each of its keys.
 */

import { keyGroupRange } from '../exchange/key-groups.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { Cut } from './cut.ts';
import { GroupBlocks } from './group-bytes.ts';
import { giveUp, type KeyedBlock, type KeyedBlocks } from './keyed-blocks.ts';
import type { Eventually, KeyedStateBackend } from './keyed-state.ts';
import { PORTION } from './portions.ts';
import type { OwnSnapshot } from './snapshot.ts';
import type { StateKeys } from './state-keys.ts';
import type { TimerQueue } from './timer-queue.ts';
import { ByteReader, ByteWriter } from './value-codec.ts';

/** What belongs to the keys of one operator. */
export interface KeyedParts {
  readonly keys: StateKeys;
  readonly backend: KeyedStateBackend;
  /** Always the same ones in the same order. */
  readonly timers: readonly TimerQueue[];
}

/** Groups as of now, though they are written later. */
export function saveKeyed({ keys, backend, timers }: KeyedParts, maxParallelism: number): KeyedBlocks {
  const cuts = timers.map((queue) => ({ queue, cut: queue.cut(keys.capacity) }));
  return write(keys, cuts, backend.snapshot(), maxParallelism);
}

interface TimersCut {
  readonly queue: TimerQueue;
  readonly cut: Cut<ByteWriter>;
}

/** Timers first: while they wait to be written, those that run have to be laid aside. */
function* write(keys: StateKeys, cuts: readonly TimersCut[], states: KeyedBlocks, maxParallelism: number): KeyedBlocks {
  const timers = new GroupBlocks(NOTHING);
  try {
    for (const step of addTimers(keys, cuts, maxParallelism, timers)) yield isBlock(step) ? block(step, null) : step;
    for (const step of states) yield isBlock(step) ? block([step[0], timers.take(step[0]) ?? NOTHING], step[1]) : step;
    for (const one of timers.all()) yield block(one, null);
  } finally {
    for (const { queue, cut } of cuts) queue.end(cut);
    giveUp(states);
  }
}

const NOTHING = new Uint8Array(0);
const MAX_VARINT = 5;

function isBlock(step: KeyedBlock | Promise<unknown> | undefined): step is KeyedBlock {
  return Array.isArray(step);
}

function block([group, timers]: KeyedBlock, state: Uint8Array | null): KeyedBlock {
  const states = state ?? NOTHING;
  const out = new ByteWriter(states.length + timers.length + 2 * MAX_VARINT);
  out.bytes(states);
  out.bytes(timers);
  return [group, out.written()];
}

/** Of each key its timers in every queue. */
function* addTimers(
  keys: StateKeys,
  cuts: readonly TimersCut[],
  maxParallelism: number,
  blocks: GroupBlocks,
): KeyedBlocks {
  const entry = new ByteWriter();
  const ids = Math.max(0, ...cuts.map(({ cut }) => cut.entries));
  for (let key = 0; key < ids; key++) {
    entry.clear();
    let any = false;
    for (const { cut } of cuts) {
      const before = entry.length;
      cut.take(key, entry);
      if (entry.length > before) any = true;
      else entry.varint(0);
    }
    if ((key + 1) % PORTION === 0) yield;
    if (!any) continue;
    const group = keys.groupOf(key, maxParallelism);
    const out = blocks.of(group);
    const before = out.length;
    out.string(keys.textOf(key));
    out.raw(entry.written());
    if (blocks.added(group, out.length - before)) yield* blocks.full(group);
  }
}

/** Takes a block over; later: the next one has to wait. */
export function loadKeyed({ keys, backend, timers }: KeyedParts, [group, bytes]: KeyedBlock): Eventually<void> {
  const parts = new ByteReader(bytes);
  const state = parts.bytes();
  const due = new ByteReader(parts.bytes());
  const restored = state.length > 0 ? backend.restore([group, state]) : undefined;
  while (!due.done) {
    const key = keys.idOf(due.string());
    for (const queue of timers) queue.load(key, due);
  }
  return restored;
}

/** The blocks of its own key groups, of the snapshots of all subtasks. */
export function* ownBlocks(
  snapshots: Iterable<{ readonly keyed: readonly KeyedBlock[] }>,
  { subtask, parallelism, maxParallelism }: Pick<OperatorContext, 'subtask' | 'parallelism' | 'maxParallelism'>,
): Iterable<KeyedBlock> {
  const [first, last] = keyGroupRange(subtask, parallelism, maxParallelism);
  for (const { keyed } of snapshots) for (const one of keyed) if (one[0] >= first && one[0] <= last) yield one;
}

/** Watermark from which a subtask goes on: its own; at another parallelism, the lowest of all subtasks before. */
export function restoredWatermark(
  snapshots: readonly OwnSnapshot[],
  { subtask, parallelism }: Pick<OperatorContext, 'subtask' | 'parallelism'>,
): number {
  if (snapshots.length === 0) return Number.NEGATIVE_INFINITY;
  if (snapshots.length === parallelism) return (snapshots[subtask] as OwnSnapshot).watermark;
  return Math.min(...snapshots.map((s) => s.watermark));
}
