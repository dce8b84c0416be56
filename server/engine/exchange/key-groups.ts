/**
 * Which subtask a key belongs to, exactly as in Flink (`flink-reference` §3.3): key -> key group -> subtask. State is kept per key group, so
 * that a job can be resumed at another parallelism by moving whole groups.
 */

import { UsageError } from '#base/errors.ts';

/** Java's String.hashCode: UTF-16 units, 31-fold, 32 bits. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

/** Flink's MathUtils.murmurHash: 32-bit murmur3 of one int, made non-negative. */
export function murmurHash(code: number): number {
  let h = Math.imul(code, 0xcc9e2d51);
  h = (h << 15) | (h >>> 17);
  h = Math.imul(h, 0x1b873593);
  h = (h << 13) | (h >>> 19);
  h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  h ^= 4;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  if (h >= 0) return h;
  return h === -2147483648 ? 0 : -h;
}

/** Key group of a Java hash code. */
export function keyGroupOf(hash: number, maxParallelism: number): number {
  return murmurHash(hash) % maxParallelism;
}

/** Subtask that owns a key group. */
export function subtaskOf(keyGroup: number, parallelism: number, maxParallelism: number): number {
  return Math.floor((keyGroup * parallelism) / maxParallelism);
}

/** First and last key group (inclusive) of a subtask. */
export function keyGroupRange(
  subtask: number,
  parallelism: number,
  maxParallelism: number,
): [first: number, last: number] {
  return [
    Math.floor((subtask * maxParallelism + parallelism - 1) / parallelism),
    Math.floor(((subtask + 1) * maxParallelism - 1) / parallelism),
  ];
}

/** Upper bound of any parallelism: 2^15. */
export const MAX_PARALLELISM = 32768;

/** Max parallelism of an operator that names none. */
export function defaultMaxParallelism(parallelism: number): number {
  const wanted = parallelism + Math.floor(parallelism / 2);
  return Math.min(Math.max(2 ** Math.ceil(Math.log2(wanted)), 128), MAX_PARALLELISM);
}

export function checkParallelism(parallelism: number, maxParallelism: number, where: string): void {
  if (!Number.isInteger(parallelism) || parallelism < 1 || parallelism > maxParallelism) {
    throw new UsageError(
      `${where}: parallelism must be a whole number from 1 to ${maxParallelism} (its max parallelism), not ${parallelism}.`,
    );
  }
}
