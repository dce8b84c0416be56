import { describe, expect, it } from 'vitest';
import {
  checkParallelism,
  defaultMaxParallelism,
  javaHash,
  keyGroupOf,
  keyGroupRange,
  murmurHash,
  subtaskOf,
} from './key-groups.ts';

const devices = Array.from({ length: 8 }, (_, i) => `device-${i}`);
const groupOf = (key: string): number => keyGroupOf(javaHash(key), 128);

describe('key groups, as Flink’s', () => {
  it('K1 murmur of an int', () => {
    expect([0, 1, -1, 42, -2147483648, 2147483647].map(murmurHash)).toEqual([
      593689054, 68075478, 1982413648, 1134849565, 1718298732, 1653689534,
    ]);
  });

  it('K2 key group of an int', () => {
    expect([0, 1, -1, 42, 123456, 1000].map((h) => keyGroupOf(h, 128))).toEqual([94, 86, 80, 29, 48, 7]);
  });

  it('K3 key group of a string, by Java’s hash code', () => {
    expect(devices.map(javaHash)).toEqual(devices.map((_, i) => 1109190265 + i));
    expect(devices.map(groupOf)).toEqual([112, 3, 35, 33, 2, 31, 22, 31]);
  });

  it('K4 subtask of a string', () => {
    const at = (p: number): string => devices.map((d) => subtaskOf(groupOf(d), p, 128)).join(',');
    expect([2, 3, 4, 5].map(at)).toEqual(['1,0,0,0,0,0,0,0', '2,0,0,0,0,0,0,0', '3,0,1,1,0,0,0,0', '4,0,1,1,0,1,0,1']);
  });

  it('K5 other strings, the empty one too', () => {
    expect(['sensor-001', 'a', ''].map(groupOf)).toEqual([18, 81, 94]);
    expect([javaHash('ä😀'), javaHash('polygenelubricants')]).toEqual([1992007, -2147483648]);
  });

  it('K6 default max parallelism', () => {
    expect([1, 85, 86, 128, 170, 171, 200, 1000, 21846, 32768].map(defaultMaxParallelism)).toEqual([
      128, 128, 256, 256, 256, 256, 512, 2048, 32768, 32768,
    ]);
  });

  const ranges = (max: number, p: number): [number, number][] =>
    Array.from({ length: p }, (_, i) => keyGroupRange(i, p, max));

  it('K7 ranges of 10 groups over 4', () => {
    expect(ranges(10, 4)).toEqual([
      [0, 2],
      [3, 4],
      [5, 7],
      [8, 9],
    ]);
  });

  it('K8 ranges of 128 groups over 3 and 5', () => {
    expect(ranges(128, 3)).toEqual([
      [0, 42],
      [43, 85],
      [86, 127],
    ]);
    expect(ranges(128, 5)).toEqual([
      [0, 25],
      [26, 51],
      [52, 76],
      [77, 102],
      [103, 127],
    ]);
  });

  it('K9 every group is in the range of the subtask that gets its rows', () => {
    for (const [max, p] of [
      [128, 1],
      [128, 7],
      [128, 128],
      [300, 11],
      [32768, 33],
    ] as const) {
      for (const [subtask, [first, last]] of ranges(max, p).entries()) {
        for (let group = first; group <= last; group++) expect(subtaskOf(group, p, max)).toBe(subtask);
      }
      expect(ranges(max, p).reduce((sum, [first, last]) => sum + last - first + 1, 0)).toBe(max);
    }
  });

  it('K10 a parallelism beyond its bounds is refused by name', () => {
    for (const p of [0, -1, 1.5, 129, Number.NaN]) {
      expect(() => checkParallelism(p, 128, 'windows')).toThrow(
        `windows: parallelism must be a whole number from 1 to 128 (its max parallelism), not ${p}.`,
      );
    }
    expect(() => checkParallelism(128, 128, 'windows')).not.toThrow();
  });
});
