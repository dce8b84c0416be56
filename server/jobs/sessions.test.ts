import { describe, expect, it } from 'vitest';
import { reading, runReadings } from '#testing/run-readings.ts';
import { buildSessions } from './sessions.ts';

const sessions = (...readings: Parameters<typeof runReadings>[2]) =>
  runReadings((params) => buildSessions({ ...params, gapMs: 1000, outOfOrdernessMs: 500 }), 'sessions', readings);

describe('sessions of activity', () => {
  it('end when a device has been silent for the gap', async () => {
    expect(
      await sessions(
        reading('a', 0, { temperature: 18 }),
        reading('a', 900, { temperature: 21 }),
        reading('b', 950),
        reading('a', 5000, { temperature: 17 }),
      ),
    ).toEqual(['a,0,1900,2,18,21', 'b,950,1950,1,20,20', 'a,5000,6000,1,17,17']);
  });

  it('grow together when a reading comes between two of them', async () => {
    expect(await sessions(reading('a', 0), reading('a', 1100), reading('a', 800))).toEqual(['a,0,2100,3,20,20']);
  });
});
