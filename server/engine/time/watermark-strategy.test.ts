import { describe, expect, it } from 'vitest';
import { IdlenessTimer } from './idleness.ts';
import { BoundedOutOfOrderness, type WatermarkGenerator, type WatermarkOutput } from './watermark-generators.ts';
import { boundedOutOfOrderness, forGenerator, monotonousTimestamps } from './watermark-strategy.ts';

/** What a generator has emitted, in order. */
class Emitted implements WatermarkOutput {
  readonly watermarks: number[] = [];
  emitWatermark(watermark: number): void {
    this.watermarks.push(watermark);
  }
  markIdle(): void {}
  markActive(): void {}
}

const emitted = (generator: WatermarkGenerator, ...timestamps: number[]): number[] => {
  const output = new Emitted();
  for (const t of timestamps) generator.onEvent({}, t, output);
  generator.onPeriodicEmit(output);
  return output.watermarks;
};

describe('bounded out-of-orderness', () => {
  it('M1 no watermark before the first row', () => expect(emitted(new BoundedOutOfOrderness(10))).toEqual([]));
  it('M2 maximum - bound - 1: equal timestamps may still come', () =>
    expect(emitted(new BoundedOutOfOrderness(10), 1337)).toEqual([1326]));
  it('M3 only the largest timestamp counts', () =>
    expect(emitted(new BoundedOutOfOrderness(10), 12345, 12300, 12340, 12280)).toEqual([12334]));
  it('M4 asking twice gives the same', () => {
    const generator = new BoundedOutOfOrderness(10);
    expect([emitted(generator, 723456), emitted(generator)]).toEqual([[723445], [723445]]);
  });
  it('WM1 monotonous timestamps are a bound of 0; negative timestamps are fine', () => {
    expect(monotonousTimestamps().watermarks).toEqual({ kind: 'bounded', outOfOrdernessMs: 0 });
    expect(emitted(new BoundedOutOfOrderness(0), -5)).toEqual([-6]);
  });
});

describe('idleness', () => {
  it('M5 idle only once more than the timeout has passed between two checks without a row', () => {
    const timer = new IdlenessTimer(10);
    expect(timer.isIdle(0)).toBe(false);
    expect(timer.isIdle(10)).toBe(false);
    expect(timer.isIdle(11)).toBe(true);
    expect(timer.isIdle(11)).toBe(true);
    timer.activity();
    expect(timer.isIdle(12)).toBe(false);
    expect(timer.isIdle(100)).toBe(false); // starts the clock
    expect(timer.isIdle(110)).toBe(false);
    expect(timer.isIdle(111)).toBe(true);
  });

  it('M6 a timeout of 0 or less is an error', () => {
    for (const ms of [0, -1, Number.NaN]) {
      expect(() => new IdlenessTimer(ms)).toThrow('must be more than 0');
      expect(() => boundedOutOfOrderness(0, { idleTimeoutMs: ms })).toThrow('The idle timeout must be more than 0');
      expect(() => forGenerator(() => new BoundedOutOfOrderness(0)).withIdleness(ms)).toThrow('The idle timeout');
    }
  });
});

describe('a strategy', () => {
  it('WM10 refuses settings that can never work, by name', () => {
    expect(() => boundedOutOfOrderness(-1)).toThrow('Out-of-orderness must be 0 or more, not -1 ms.');
    expect(() => boundedOutOfOrderness(Number.NaN)).toThrow('Out-of-orderness');
    expect(() => boundedOutOfOrderness(0, { emit: 0 })).toThrow(
      'The watermark interval must be more than 0, not 0 ms.',
    );
  });

  it('WM10 is periodic every 200 ms without idle timeout unless told otherwise, as in Flink', () => {
    const common = { emit: 200, idleTimeoutMs: null, timestampAssigner: null };
    expect(boundedOutOfOrderness(5)).toMatchObject({ watermarks: { kind: 'bounded', outOfOrdernessMs: 5 }, ...common });
    expect(forGenerator(() => new BoundedOutOfOrderness(5))).toMatchObject(common);
  });

  it('WM10 is not changed by giving it more settings', () => {
    const strategy = boundedOutOfOrderness(5);
    expect(strategy.withIdleness(7)).toMatchObject({ idleTimeoutMs: 7 });
    expect(strategy.withTimestampAssigner(() => 1).withIdleness(7).timestampAssigner).not.toBeNull();
    expect(strategy).toMatchObject({ idleTimeoutMs: null, timestampAssigner: null });
  });
});
