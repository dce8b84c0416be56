import { describe, expect, it } from 'vitest';
import { UsageError, WeirError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { defaultRestart, parseRestart, type RestartSettings, restartWords } from './restart-settings.ts';
import { recoverFrom, restartStrategy } from './restart-strategies.ts';

const strategy = (words: string, seed = 1) => restartStrategy(parseRestart(words), new Random(seed));

/** Delay after a failure at that instant. */
function fail(restart: ReturnType<typeof strategy>, now: number): number {
  restart.notifyFailure(now);
  return restart.backoffMs(now);
}

describe('restart strategies', () => {
  it('R1 exponential: delays grow by the multiplier', () => {
    const restart = strategy(
      'exponential-delay,initial-backoff=4ms,backoff-multiplier=2.3,max-backoff=300ms,jitter-factor=0',
    );
    expect([0, 1000, 2000].map((now) => fail(restart, now))).toEqual([4, 9, 21]);
  });

  it('R2 exponential: the first delay again after a long time without failure', () => {
    const restart = strategy(
      'exponential-delay,initial-backoff=1ms,max-backoff=5ms,backoff-multiplier=2,reset-backoff-threshold=8ms,jitter-factor=0.25',
    );
    expect(fail(restart, 0)).toBe(1);
    expect(fail(restart, 1 + 8 - 1)).toBe(2);
    expect(fail(restart, 1 + 8 - 1 + 2 + 8)).toBe(1);
  });

  it('R3 exponential: so many attempts', () => {
    const restart = strategy(
      'exponential-delay,initial-backoff=1ms,max-backoff=3ms,backoff-multiplier=1.2,attempts-before-reset-backoff=13',
    );
    for (let failure = 0; failure < 14; failure++) {
      expect(restart.canRestart(failure * 10)).toBe(true);
      restart.notifyFailure(failure * 10);
    }
    expect(restart.canRestart(140)).toBe(false);
  });

  it('R4 exponential: jitter, never beyond the longest delay', () => {
    const seen = [new Set<number>(), new Set<number>(), new Set<number>(), new Set<number>()];
    for (let seed = 0; seed < 200; seed++) {
      const restart = strategy(
        'exponential-delay,initial-backoff=2ms,max-backoff=7ms,backoff-multiplier=2,jitter-factor=0.25',
        seed,
      );
      for (const [n, delays] of seen.entries()) delays.add(fail(restart, n * 100));
    }
    expect(seen.map((delays) => [...delays].sort())).toEqual([[2], [3, 4, 5], [6, 7], [7]]);
  });

  it('R5 exponential: there is no delay before a failure', () => {
    expect(() => strategy('exponential-delay').backoffMs(0)).toThrow(
      'Nothing has failed yet: call notifyFailure first.',
    );
  });

  it('RS1 exponential: failures before the restart belong to it; no number of them breaks it', () => {
    const restart = strategy('exponential-delay,jitter-factor=0,attempts-before-reset-backoff=1');
    expect([fail(restart, 0), fail(restart, 400), fail(restart, 1000)]).toEqual([1000, 600, 0]);
    expect(restart.canRestart(1000)).toBe(true);
    restart.notifyFailure(1001);
    expect(restart.canRestart(1001)).toBe(false);
    const patient = strategy('exponential-delay,jitter-factor=1,backoff-multiplier=9');
    for (let i = 0; i < 2000; i++) {
      const delay = fail(patient, i * 100_000);
      expect(delay >= 1000 && delay <= 60_000).toBe(true);
    }
  });

  it('R6 failure rate: so many within an interval', () => {
    const restart = strategy('failure-rate,max-failures-per-interval=3,failure-rate-interval=10s,delay=250ms');
    for (let failure = 0; failure < 3; failure++) {
      expect(fail(restart, 0)).toBe(250);
      expect(restart.canRestart(0)).toBe(true);
    }
    restart.notifyFailure(0);
    expect(restart.canRestart(0)).toBe(false);
    expect(restart.canRestart(10_000)).toBe(false);
    expect(restart.canRestart(10_001)).toBe(true);

    const patient = strategy('failure-rate,max-failures-per-interval=1,failure-rate-interval=1ms');
    for (let now = 0; now < 40; now += 2) {
      patient.notifyFailure(now);
      expect(patient.canRestart(now)).toBe(true);
    }
  });

  it('R7 fixed delay: so many restarts in all', () => {
    const restart = strategy('fixed-delay,delay=5s');
    expect([fail(restart, 0), restart.canRestart(0)]).toEqual([5000, true]);
    restart.notifyFailure(1e9);
    expect(restart.canRestart(1e9)).toBe(false);
    const patient = strategy('fixed-delay,attempts=infinite');
    for (let i = 0; i < 100; i++) patient.notifyFailure(0);
    expect(patient.canRestart(0)).toBe(true);
  });

  it('RS2 with checkpoints a job comes back with growing delays, without them it does not', () => {
    expect(defaultRestart(false)).toEqual({ type: 'none' });
    expect(defaultRestart(true)).toEqual({
      type: 'exponential-delay',
      initialMs: 1000,
      maxMs: 60_000,
      multiplier: 1.5,
      resetMs: 3_600_000,
      jitter: 0.1,
      attempts: Number.POSITIVE_INFINITY,
    });
    const none = strategy('none');
    none.notifyFailure(0);
    expect(none.canRestart(0)).toBe(false);
  });

  it('RS3 what can never work is not tried again; where the strategy gives up, the error names it', () => {
    const settings = parseRestart('fixed-delay');
    const restart = restartStrategy(settings, new Random(1));
    const usage = new UsageError('no such column');
    expect(recoverFrom(usage, restart, settings, 0)).toEqual({ restart: false, error: usage });
    const error = new WeirError('LOST', 'Task manager 2 is gone.');
    expect(recoverFrom(error, restart, settings, 0)).toEqual({ restart: true, backoffMs: 1000 });
    const refused = recoverFrom(error, restart, settings, 0);
    if (refused.restart) throw new Error('restarted');
    expect([(refused.error as WeirError).code, refused.error.message, refused.error.cause]).toEqual([
      'RECOVERY_SUPPRESSED',
      'Recovery is suppressed by fixed-delay,attempts=1,delay=1s: Task manager 2 is gone.',
      error,
    ]);
  });
});

describe('restart strategies in words', () => {
  it('RS4 names, aliases, keys and defaults of Flink', () => {
    const read: Record<string, RestartSettings> = {
      off: { type: 'none' },
      disable: { type: 'none' },
      'fixeddelay,attempts=3': { type: 'fixed-delay', attempts: 3, delayMs: 1000 },
      'fixed-delay, attempts=3, delay=0': { type: 'fixed-delay', attempts: 3, delayMs: 0 },
      failurerate: { type: 'failure-rate', maxFailures: 1, intervalMs: 60_000, delayMs: 1000 },
      'exponentialdelay,max-backoff=5m,jitter-factor=0': {
        ...(defaultRestart(true) as Extract<RestartSettings, { type: 'exponential-delay' }>),
        maxMs: 300_000,
        jitter: 0,
      },
    };
    for (const [words, settings] of Object.entries(read)) {
      expect(parseRestart(words)).toEqual(settings);
      expect(parseRestart(restartWords(settings))).toEqual(settings);
    }
    expect(restartWords(defaultRestart(true))).toBe(
      'exponential-delay,initial-backoff=1s,max-backoff=1m,backoff-multiplier=1.5,reset-backoff-threshold=1h,jitter-factor=0.1,attempts-before-reset-backoff=infinite',
    );
  });

  it('RS4 what cannot be read is refused, with what would be right', () => {
    const refused = (words: string): string => {
      try {
        return restartWords(parseRestart(words));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused('always')).toBe(
      'There is no restart strategy "always"; there are: none, fixed-delay, failure-rate, exponential-delay.',
    );
    expect(refused('toString')).toContain('There is no restart strategy "toString"');
    expect(refused('fixed-delay,tries=3')).toBe(
      'Restart strategy fixed-delay has no setting "tries"; there are: attempts, delay.',
    );
    expect(refused('none,delay=1s')).toBe('Restart strategy none has no setting "delay"; there are: none.');
    expect(refused('fixed-delay,attempts=0')).toBe(
      'Restart strategy fixed-delay: attempts must be a whole number, 1 or more, or infinite, not "0".',
    );
    expect(refused('fixed-delay,delay')).toBe(
      'Restart strategy fixed-delay: delay must be a time such as 200ms, 5s, 1m, 1h or 1d, not "".',
    );
    expect(refused('exponential-delay,initial-backoff=0')).toContain('1d, more than 0, not "0"');
    expect(refused('exponential-delay,backoff-multiplier=1')).toContain('must be a number greater than 1, not "1"');
    expect(refused('exponential-delay,jitter-factor=1.1')).toContain('must be a number from 0 to 1, not "1.1"');
    expect(refused('exponential-delay,initial-backoff=2m')).toBe(
      'Restart strategy exponential-delay: initial-backoff 2m must not be longer than max-backoff 1m.',
    );
  });
});
