import { describe, expect, it } from 'vitest';
import { reading, runReadings } from '#testing/run-readings.ts';
import { buildTrends } from './trends.ts';

const trends = (...readings: Parameters<typeof runReadings>[2]) =>
  runReadings((params) => buildTrends({ ...params, windowMs: 1000 }), 'trends', readings);

describe('trends', () => {
  it('compare each window of a device with the one before', async () => {
    expect(
      (
        await trends(
          reading('a', 0, { temperature: 18 }),
          reading('b', 500),
          reading('a', 900, { temperature: 21 }),
          reading('a', 1100, { temperature: 17.5 }),
          reading('b', 1200, { temperature: 23 }),
          reading('a', 2999, { temperature: 17.5 }),
        )
      ).sort(),
    ).toEqual(['a,1000,2000,1,17.5,-3.5', 'a,2000,3000,1,17.5,0', 'b,1000,2000,1,23,3']);
  });

  it('say nothing of a window whose predecessor is empty', async () => {
    expect(await trends(reading('a', 0), reading('a', 2500))).toEqual([]);
  });
});
