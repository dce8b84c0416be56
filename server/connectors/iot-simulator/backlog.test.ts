import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import { RawReading } from '../iot/reading.ts';
import { Backlog } from './backlog.ts';
import { Round } from './devices.ts';
import { ReadingRows } from './rows.ts';

const CAPACITY = 64;

function makeRows(devices: readonly number[], time: number): ReadingRows {
  const rows = ReadingRows.of(RecordBatch.allocate(RawReading, undefined, CAPACITY), 0);
  devices.forEach((device, k) => {
    rows.device[k] = device;
    rows.eventTime[k] = time + k;
  });
  return rows;
}

describe('backlog', () => {
  it('what goes in comes out once, per device in order, and what is not silent stays where it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ devices: fc.array(fc.nat(9), { maxLength: CAPACITY }), toggle: fc.nat(9) }), {
          maxLength: 40,
        }),
        (steps) => {
          const backlog = new Backlog(10, 10_000);
          const seen: number[][] = Array.from({ length: 10 }, () => []);
          const expected: number[][] = Array.from({ length: 10 }, () => []);
          const take = (rows: ReadingRows, end: number) => {
            for (let k = 0; k < end; k++) seen[rows.device[k] as number]?.push(rows.eventTime[k] as number);
          };
          const release = () => {
            while (backlog.ready) {
              const rows = makeRows([], 0);
              take(rows, backlog.release(rows, 0, 7));
            }
          };
          steps.forEach(({ devices, toggle }, i) => {
            const rows = makeRows(devices, i * 1000);
            devices.forEach((device, k) => {
              expected[device]?.push(i * 1000 + k);
            });
            take(rows, backlog.holdBack(rows, 0, devices.length));
            if (backlog.isSilent(toggle)) backlog.wake(toggle);
            else backlog.silence(toggle);
            release();
          });
          backlog.releaseAll();
          release();
          expect(seen).toEqual(expected);
          expect(backlog.held).toBe(0);
        },
      ),
    );
  });

  it('holds no more than its limit, and uses the room again', () => {
    const backlog = new Backlog(2, 100);
    for (let round = 0; round < 5; round++) {
      backlog.silence(0);
      for (let i = 0; i < 10; i++) expect(backlog.holdBack(makeRows(new Array(50).fill(0), i), 0, 50)).toBe(0);
      expect(backlog.held).toBe(100);
      backlog.wake(0);
      const rows = makeRows([], 0);
      let out = 0;
      while (backlog.ready) out += backlog.release(rows, 0, CAPACITY);
      expect(out).toBe(100);
    }
  });

  it('an injection silences as many devices as it can get, none of them twice', () => {
    const backlog = new Backlog(10, 100);
    expect(backlog.silenceFor(1, 7, new Random(1))).toBe(7);
    expect(backlog.silenceFor(2, 7, new Random(2))).toBe(3);
    expect(Array.from({ length: 10 }, (_, d) => backlog.isSilent(d))).not.toContain(false);
    backlog.wakeAllOf(1);
    expect(Array.from({ length: 10 }, (_, d) => backlog.isSilent(d)).filter((s) => s)).toHaveLength(3);
    backlog.wakeAllOf(2);
    expect(backlog.anySilent).toBe(false);
  });
});

describe('round', () => {
  it('visits every device once before it visits any again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(7919, 15_838)), (count) => {
        const round = new Round(count);
        const rows = makeRows([], 0);
        const seen = new Set<number>();
        for (let i = 0; i < count; i++) {
          round.fill(rows, 0, 1);
          seen.add(rows.device[0] as number);
        }
        expect(seen.size).toBe(count);
      }),
    );
  });
});
