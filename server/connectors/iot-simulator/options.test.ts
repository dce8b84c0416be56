import { describe, expect, it } from 'vitest';
import { UsageError } from '#base/errors.ts';
import { formatDisorder, parseDisorder } from './disorder.ts';
import { FIXED_START, parseSimulate } from './options.ts';

describe('simulator options', () => {
  it('the text of the command line becomes options', () => {
    const options = parseSimulate(
      'devices=10k, rate=2.5k,events=10M,seed=7,splits=3,disorder=lognormal:500ms,0.8,malformed=0.001,late=0.01,skew=0.1:2s,offline=0.05,hot=0.5,churn=1.5,start=1600000000000,speed=60,profile=noise,hold=3s,behind=1m',
    );
    expect(options).toEqual({
      devices: 10_000,
      rate: 2500,
      events: 10_000_000,
      seed: 7,
      splits: 3,
      disorder: { kind: 'lognormal', medianMs: 500, sigma: 0.8 },
      malformed: 0.001,
      late: 0.01,
      skew: { share: 0.1, maxMs: 2000 },
      offline: 0.05,
      hot: 0.5,
      churn: 1.5,
      start: 1_600_000_000_000,
      speed: 60,
      profile: 'noise',
      tick: 500,
      holdMs: 3000,
      behindMs: 60_000,
    });
  });

  it('a run with an end starts at a fixed time and as fast as it goes; one without, now and at a rate', () => {
    expect(parseSimulate('events=10')).toMatchObject({ start: FIXED_START, rate: null });
    expect(parseSimulate('events=10,rate=5')).toMatchObject({ start: FIXED_START, rate: 5 });
    expect(parseSimulate('')).toMatchObject({ devices: 1000, start: null, rate: 1000, events: null, splits: 4 });
  });

  it('there are never more splits than devices', () => {
    expect(parseSimulate('devices=2').splits).toBe(2);
    expect(() => parseSimulate('devices=2,splits=3')).toThrow('splits=3: every split needs a device');
  });

  it.each([
    ['dvices=3', 'unknown key "dvices"; keys are devices, rate, events'],
    ['devices', '"devices" is not of the form key=value'],
    ['devices=1,devices=2', 'devices is given twice'],
    ['devices=0', 'devices=0: must be from 1 to 10000000'],
    ['devices=many', 'devices=many: must be a number such as 500, 10k'],
    ['rate=fast', 'rate=fast: must be max, or events per second'],
    ['rate=0', 'rate=0: must be max, or'],
    ['events=-1', 'events=-1: must be unbounded or'],
    ['malformed=1%', 'malformed=1%: must be a share from 0 to 1'],
    ['late=2', 'late=2: must be from 0 to 1'],
    ['disorder=gauss:1s', 'disorder=gauss:1s: must be none, uniform:D'],
    ['disorder=exp', 'disorder=exp: "" is not a time'],
    ['disorder=exp:2', '"2" is not a time such as 200ms'],
    ['disorder=none:1s', 'none takes no parameter'],
    ['disorder=lognormal:1s', 'takes a median and a sigma'],
    ['disorder=lognormal:1s,9', 'sigma "9" must be above 0'],
    ['skew=2s', 'skew=2s: must be none or SHARE:D'],
    ['profile=rain', 'profile=rain: must be weather or noise'],
    ['rate=5,tick=3', 'tick=3: needs rate=max'],
    ['rate=max,speed=2', 'speed=2: needs a rate'],
    ['start=5', 'start=5: must be from 86400000'],
  ])('%j is refused in one line that says what is allowed', (text, message) => {
    let error: unknown;
    try {
      parseSimulate(text);
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toContain(message);
    expect((error as UsageError).message).not.toContain('\n');
  });

  it.each(['none', 'uniform:1s', 'exp:1500ms', 'lognormal:500ms,0.8'])(
    'the delay model %s is written as it was read',
    (text) => {
      expect(formatDisorder(parseDisorder(text))).toBe(text);
    },
  );
});
