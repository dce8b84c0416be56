import { describe, expect, it } from 'vitest';
import { f64, schema } from '#engine/batch/schema.ts';
import type { JobEdge, Partitioner } from '#engine/graph/job-graph.ts';
import { consumersOf } from './channels.ts';

const edge = (partitioner: Partitioner): JobEdge => ({
  from: 0,
  fromOperator: 0,
  tag: null,
  to: 1,
  input: 0,
  partitioner,
  schema: schema({ v: f64() }),
});
const reached = (partitioner: Partitioner, producers: number, consumers: number): number[][] =>
  Array.from({ length: producers }, (_, p) => consumersOf(edge(partitioner), p, producers, consumers));

describe('which subtasks an exchange connects', () => {
  it('EX18 forward: each to its own', () => {
    expect(reached({ kind: 'forward' }, 3, 3)).toEqual([[0], [1], [2]]);
  });

  it('EX18 hash, rebalance and broadcast: each to all', () => {
    for (const p of [{ kind: 'hash', column: 0 }, { kind: 'rebalance' }, { kind: 'broadcast' }] as const) {
      expect(reached(p, 2, 3)).toEqual([
        [0, 1, 2],
        [0, 1, 2],
      ]);
    }
  });

  it('EX19 rescale: local shares, as Flink deals them', () => {
    const rescale = (producers: number, consumers: number): number[][] =>
      reached({ kind: 'rescale' }, producers, consumers);
    expect(rescale(2, 4)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(rescale(2, 3)).toEqual([[0, 1], [2]]);
    expect(rescale(4, 2)).toEqual([[0], [0], [1], [1]]);
    expect(rescale(3, 2)).toEqual([[0], [1], [1]]);
  });

  it('EX19 rescale reaches every consumer, and uses every producer', () => {
    for (let producers = 1; producers <= 9; producers++) {
      for (let consumers = 1; consumers <= 9; consumers++) {
        const all = reached({ kind: 'rescale' }, producers, consumers);
        expect(all.every((list) => list.length > 0)).toBe(true);
        expect(new Set(all.flat()).size).toBe(consumers);
      }
    }
  });
});
