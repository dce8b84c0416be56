import { describe, expect, it } from 'vitest';
import { DEFAULT_STATE } from '#engine/state/keyed-state.ts';
import { reading, runReadings } from '#testing/run-readings.ts';
import { buildAlerts } from './alerts.ts';

const alerts = (...readings: Parameters<typeof runReadings>[2]) =>
  runReadings((params) => buildAlerts({ ...params, silenceMs: 1000, state: DEFAULT_STATE }), 'alerts', readings);

describe('alerts', () => {
  it('a device without readings for a while is silent, once, and then back', async () => {
    expect(
      await alerts(
        reading('a', 0),
        reading('b', 0),
        reading('a', 500),
        reading('b', 900),
        reading('b', 1700),
        reading('b', 2600),
        reading('a', 2600),
        reading('b', 2601),
      ),
    ).toEqual(['a,1500,silent,,', 'a,2600,back,,2100']);
  });

  it('the end of the input is no silence', async () => {
    expect(await alerts(reading('a', 0))).toEqual([]);
  });

  it('a value far from what the device usually says is unusual, and so for other sensors by themselves', async () => {
    const usual = Array.from({ length: 30 }, (_, i) =>
      reading('a', i, { temperature: 20 + (i % 2), humidity: 50 + (i % 3) }),
    );
    expect(await alerts(...usual, reading('a', 30, { temperature: 35 }), reading('a', 31, { humidity: 10 }))).toEqual([
      'a,30,unusual,temperature,35',
      'a,31,unusual,humidity,10',
    ]);
  });

  it('says nothing before it has learnt what is usual', async () => {
    expect(await alerts(reading('a', 0), reading('a', 1, { temperature: 80 }))).toEqual([]);
  });
});
