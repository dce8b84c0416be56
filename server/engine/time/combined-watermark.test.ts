import { describe, expect, it } from 'vitest';
import { CombinedWatermark } from './combined-watermark.ts';

const combined = () => {
  const log: (number | string)[] = [];
  const inputs = new CombinedWatermark(2, {
    watermark: (watermark) => log.push(watermark),
    idle: (idle) => log.push(idle ? 'idle' : 'active'),
  });
  return { inputs, take: () => log.splice(0) };
};

describe('the watermark of two inputs', () => {
  it('TI1 is the lower of the two and never falls', () => {
    const { inputs, take } = combined();
    inputs.onWatermark(10, 0);
    expect(take()).toEqual([]);
    inputs.onWatermark(5, 1);
    expect(take()).toEqual([5]);
    inputs.onWatermark(3, 0);
    inputs.onWatermark(4, 1);
    inputs.onWatermark(20, 1);
    expect(take()).toEqual([10]);
    expect(inputs.watermark).toBe(10);
  });

  it('TI2 an idle input holds nothing back, and holds it back again when it wakes up, at what has been reached', () => {
    const { inputs, take } = combined();
    inputs.onWatermark(5, 0);
    inputs.onWatermark(9, 1);
    inputs.onIdle(true, 0);
    expect(take()).toEqual([5, 9]);
    inputs.onIdle(false, 0);
    inputs.onWatermark(12, 1);
    expect(take()).toEqual([]);
    inputs.onWatermark(11, 0);
    expect(take()).toEqual([11]);
  });

  it('TI2 idle when both are; what wakes one up counts, behind the news that the stream is active', () => {
    const { inputs, take } = combined();
    inputs.onWatermark(9, 0);
    inputs.onWatermark(5, 1);
    inputs.onIdle(true, 0);
    inputs.onIdle(true, 1);
    expect(take()).toEqual([5, 'idle']);
    inputs.onIdle(false, 0);
    expect(take()).toEqual(['active', 9]);
    inputs.onIdle(true, 0);
    inputs.onWatermark(12, 1);
    expect(take()).toEqual(['idle', 'active', 12]);
  });

  it('TI3 an input that has ended holds nothing back and makes nothing jump; when both have, all time is over', () => {
    const { inputs, take } = combined();
    inputs.onWatermark(5, 1);
    inputs.onWatermark(Number.POSITIVE_INFINITY, 0);
    expect(take()).toEqual([5]);
    inputs.onIdle(true, 1);
    expect(take()).toEqual(['idle']);
    inputs.onWatermark(3, 0);
    inputs.onIdle(false, 0);
    expect(take()).toEqual([]);
    inputs.onWatermark(Number.POSITIVE_INFINITY, 1);
    expect(take()).toEqual(['active', Number.POSITIVE_INFINITY]);
  });
});
