import { describe, expect, it } from 'vitest';
import { harnessOf } from '#testing/harness-of.ts';
import { f64, schema, string } from '../batch/schema.ts';
import type { KeyedBlock, KeyedBlocks } from '../state/keyed-blocks.ts';
import type { TakenSnapshot } from '../state/snapshot.ts';
import { sum } from './aggregates.ts';
import { TumblingEventTimeWindows } from './assigners.ts';

const Row = schema({ k: string(), v: f64() });
const KEYS = 300;

function windows() {
  const harness = harnessOf(Row, (rows) =>
    rows
      .keyBy('k')
      .window(TumblingEventTimeWindows.of(10))
      .aggregate({ s: sum('v') }),
  );
  const add = (v: number, time: number, keys = KEYS): void => {
    const rows = Array.from({ length: keys }, (_, i) => ({ k: `key ${i}`, v: v + i }));
    harness.rows(rows, { times: rows.map(() => time) });
  };
  return { harness, add };
}

function blocksOf({ keyed }: TakenSnapshot): KeyedBlock[] {
  return [...(keyed as KeyedBlocks)].filter((step) => Array.isArray(step)) as KeyedBlock[];
}

const copied = (blocks: readonly KeyedBlock[]): KeyedBlock[] => blocks.map(([group, bytes]) => [group, bytes.slice()]);
const memoryOf = (blocks: readonly KeyedBlock[]): Set<ArrayBufferLike> =>
  new Set(blocks.map(([, bytes]) => bytes.buffer));

describe('memory that blocks of windows are made in', () => {
  it('ST11 is used again once a snapshot is written, and not before', () => {
    const { harness, add } = windows();
    const plain = windows();
    const change = (...what: Parameters<typeof add>): void => {
      add(...what);
      plain.add(...what);
    };
    change(1, 5);
    const [first, second] = [harness.takeSnapshot(1), harness.takeSnapshot(2)] as [TakenSnapshot, TakenSnapshot];
    const [ofFirst, ofSecond] = [blocksOf(first), blocksOf(second)];
    const before = copied(ofSecond);
    first.written?.();
    // Twice as many entries: what was enough is not any more. Then fewer.
    change(7, 15);
    const third = harness.takeSnapshot(3);
    const ofThird = blocksOf(third);
    expect(ofThird).toEqual(plain.harness.snapshot(3).keyed);
    expect(ofSecond).toEqual(before);
    third.written?.();
    second.written?.();
    harness.watermark(12);
    plain.harness.watermark(12);
    change(9, 15, KEYS / 2);
    const ofFourth = blocksOf(harness.takeSnapshot(4));
    expect(ofFourth).toEqual(plain.harness.snapshot(4).keyed);
    const known = new Set([...memoryOf(ofFirst), ...memoryOf(ofSecond), ...memoryOf(ofThird)]);
    expect([...memoryOf(ofFourth)].filter((memory) => !known.has(memory))).toEqual([]);
    const before4 = copied(ofFourth);
    // Who has it has not given it back.
    expect(blocksOf(harness.takeSnapshot(5))).toEqual(before4);
    expect(ofFourth).toEqual(before4);
  });

  it('ST11 is part of the state while it is held', () => {
    const { harness, add } = windows();
    add(1, 5);
    const bytes = (): number => harness.stateBytes;
    const empty = bytes();
    const taken = harness.takeSnapshot(1);
    const blocks = blocksOf(taken);
    taken.written?.();
    const held = blocks.reduce((sum, [, { buffer }]) => sum + buffer.byteLength, 0);
    expect(bytes()).toBe(empty + held);
    expect(blocksOf(harness.takeSnapshot(2)).length).toBe(blocks.length);
    expect(bytes()).toBe(empty);
  });
});
