/**
 * Keyed state and timers of an operator as the bytes of key groups: what the backend gives of a group, then the timers of each of its keys.
 */

import { keyGroupRange } from '../exchange/key-groups.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { Eventually, KeyedStateBackend } from './keyed-state.ts';
import type { OperatorSnapshot } from './snapshot.ts';
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

/** Groups as of now. */
export function saveKeyed(
  { keys, backend, timers }: KeyedParts,
  maxParallelism: number,
): Eventually<Map<number, Uint8Array>> {
  const timersOf = new Map<number, ByteWriter>();
  for (const key of new Set(timers.flatMap((queue) => [...queue.keys()]))) {
    const group = keys.groupOf(key, maxParallelism);
    const out = timersOf.get(group) ?? new ByteWriter();
    timersOf.set(group, out);
    out.string(keys.textOf(key));
    for (const queue of timers) queue.save(key, out);
  }
  const joined = (states: ReadonlyMap<number, Uint8Array>): Map<number, Uint8Array> => {
    const nothing = new Uint8Array(0);
    const groups = new Map<number, Uint8Array>();
    for (const group of new Set([...timersOf.keys(), ...states.keys()])) {
      const out = new ByteWriter();
      out.bytes(states.get(group) ?? nothing);
      out.bytes(timersOf.get(group)?.take() ?? nothing);
      groups.set(group, out.take());
    }
    return groups;
  };
  const states = backend.snapshot();
  return states instanceof Promise ? states.then(joined) : joined(states);
}

/** Takes the key groups that belong to this subtask, from the snapshots of all. */
export function loadKeyed(
  { keys, backend, timers }: KeyedParts,
  snapshots: readonly OperatorSnapshot[],
  { subtask, parallelism, maxParallelism }: Pick<OperatorContext, 'subtask' | 'parallelism' | 'maxParallelism'>,
): void {
  const [first, last] = keyGroupRange(subtask, parallelism, maxParallelism);
  const states: [group: number, bytes: Uint8Array][] = [];
  const saved: ByteReader[] = [];
  for (const [group, bytes] of snapshots.flatMap((snapshot) => [...snapshot.keyed])) {
    if (group < first || group > last) continue;
    const from = new ByteReader(bytes);
    const state = from.bytes();
    if (state.length > 0) states.push([group, state]);
    saved.push(new ByteReader(from.bytes()));
  }
  backend.restore(states);
  for (const from of saved) {
    while (!from.done) {
      const key = keys.idOf(from.string());
      for (const queue of timers) queue.load(key, from);
    }
  }
}

/** Watermark from which a subtask goes on: its own; at another parallelism, the lowest of all subtasks before. */
export function restoredWatermark(
  snapshots: readonly OperatorSnapshot[],
  { subtask, parallelism }: Pick<OperatorContext, 'subtask' | 'parallelism'>,
): number {
  if (snapshots.length === 0) return Number.NEGATIVE_INFINITY;
  if (snapshots.length === parallelism) return (snapshots[subtask] as OperatorSnapshot).watermark;
  return Math.min(...snapshots.map((s) => s.watermark));
}
