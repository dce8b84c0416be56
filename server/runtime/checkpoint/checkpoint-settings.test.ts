import { describe, expect, it } from 'vitest';
import { type CheckpointSettings, checkpointSettings, concurrencyOf, periodOf } from './checkpoint-settings.ts';

describe('settings of checkpoints', () => {
  it('CK1 defaults are those of Flink', () => {
    expect(checkpointSettings()).toEqual({
      intervalMs: null,
      mode: 'exactly-once',
      timeoutMs: 600_000,
      minPauseMs: 0,
      maxConcurrent: 1,
      tolerableFailures: 0,
      retained: 1,
      unaligned: false,
      alignedTimeoutMs: 0,
      incremental: false,
      savepoints: null,
      history: 10,
    });
    expect(checkpointSettings({ intervalMs: 10, tolerableFailures: Number.POSITIVE_INFINITY })).toMatchObject({
      intervalMs: 10,
      tolerableFailures: Number.POSITIVE_INFINITY,
      retained: 1,
    });
  });

  it('CK1 UA9 what cannot work is refused by name', () => {
    const refused = (given: Partial<CheckpointSettings>): string => {
      try {
        checkpointSettings(given);
      } catch (error) {
        return (error as Error).message;
      }
      return 'taken';
    };
    expect(refused({ intervalMs: 9 })).toBe('Checkpoints: intervalMs must be a whole number from 10, not 9.');
    expect(refused({ intervalMs: 10.5 })).toContain('not 10.5');
    expect(refused({ mode: 'twice' as 'exactly-once' })).toBe(
      'Checkpoints: mode must be exactly-once or at-least-once, not twice.',
    );
    expect(refused({ timeoutMs: 9 })).toContain('timeoutMs must be a whole number from 10');
    expect(refused({ minPauseMs: -1 })).toContain('minPauseMs must be a whole number from 0');
    expect(refused({ minPauseMs: 31_536_000_001 })).toContain('minPauseMs must be a year or less');
    expect(refused({ maxConcurrent: 0 })).toContain('maxConcurrent');
    expect(refused({ tolerableFailures: -1 })).toContain('tolerableFailures');
    expect(refused({ retained: 0 })).toContain('retained');
    expect(refused({ unaligned: true, mode: 'at-least-once' })).toContain('unaligned needs the mode exactly-once');
    expect(refused({ unaligned: true, maxConcurrent: 2 })).toContain('unaligned needs maxConcurrent 1, not 2');
    expect(refused({ alignedTimeoutMs: 5 })).toContain('alignedTimeoutMs must be 0 where unaligned is off');
    expect(refused({ unaligned: true, alignedTimeoutMs: -5 })).toContain('alignedTimeoutMs');
    expect(refused({ savepoints: { intervalMs: 1, retained: 1 } })).toContain('savepoints.intervalMs');
    expect(refused({ savepoints: { intervalMs: 10, retained: 0 } })).toContain('savepoints.retained');
    expect(refused({ history: -1 })).toContain('history');
    expect(refused({ unaligned: true, alignedTimeoutMs: 5, history: 0 })).toBe('taken');
  });

  it('CK6 a pause raises a shorter interval, and means one at a time', () => {
    const settings = checkpointSettings({ intervalMs: 100, minPauseMs: 300, maxConcurrent: 4 });
    expect([periodOf(settings), concurrencyOf(settings)]).toEqual([300, 1]);
    expect(concurrencyOf(checkpointSettings({ maxConcurrent: 4 }))).toBe(4);
    expect(periodOf(checkpointSettings({ minPauseMs: 300 }))).toBe(Number.POSITIVE_INFINITY);
  });
});
