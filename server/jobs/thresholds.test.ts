import { describe, expect, it } from 'vitest';
import { reading, runReadings } from '#testing/run-readings.ts';
import { buildThresholds, parseThresholds, USUAL_THRESHOLDS } from './thresholds.ts';

const breaches = (text: string, ...readings: Parameters<typeof runReadings>[2]) =>
  runReadings((params) => buildThresholds({ ...params, thresholds: parseThresholds(text) }), 'breaches', readings);

const lines = (...rules: readonly object[]): string => rules.map((rule) => JSON.stringify(rule)).join('\n');

describe('thresholds', () => {
  it('a reading outside is told with what was allowed, sensor by sensor', async () => {
    expect(
      await breaches(
        lines({ sensor: 'temperature', low: 10, high: 25 }, { sensor: 'humidity', low: 30, high: 60 }),
        reading('a', 0, { temperature: 25 }),
        reading('b', 10, { temperature: 26, humidity: 20 }),
        reading('a', 20, { temperature: 9.5 }),
      ),
    ).toEqual(['b,10,temperature,26,10,25', 'b,10,humidity,20,30,60', 'a,20,temperature,9.5,10,25']);
  });

  it('the threshold of the reading’s own time counts, in whatever order the file has them', async () => {
    expect(
      await breaches(
        lines(
          { from: 1000, sensor: 'temperature', low: 0, high: 18 },
          { from: 0, sensor: 'temperature', low: 0, high: 22 },
        ),
        reading('a', 999, { temperature: 20 }),
        reading('a', 1000, { temperature: 20 }),
        reading('a', 1000, { temperature: 19 }),
      ),
    ).toEqual(['a,1000,temperature,20,0,18', 'a,1000,temperature,19,0,18']);
  });

  it('nothing is judged before the first threshold, nor without any', async () => {
    expect(
      await breaches(lines({ from: 5, sensor: 'temperature', low: 30, high: 40 }), reading('a', 4), reading('a', 5)),
    ).toEqual(['a,5,temperature,20,30,40']);
    expect(await breaches('', reading('a', 4))).toEqual([]);
  });

  it.each([
    ['x', 'line 1: is no JSON'],
    [`\n${lines({ sensor: 'light', low: 0, high: 1 })}`, 'line 2: "sensor" must be one of temperature'],
    [lines({ sensor: 'humidity', high: 1 }), 'line 1: "low" must be a number'],
    [lines({ sensor: 'humidity', low: 2, high: 1 }), 'line 1: "low" 2 is above "high" 1'],
    [lines({ from: 'noon', sensor: 'humidity', low: 0, high: 1 }), 'line 1: "from" must be a number'],
  ])('refuses %j', (text, why) => {
    expect(() => parseThresholds(text)).toThrow(why);
  });

  it('has some of its own', () => {
    expect(parseThresholds(lines(...USUAL_THRESHOLDS))).toEqual(USUAL_THRESHOLDS);
  });
});
