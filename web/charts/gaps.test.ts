import { describe, expect, it } from 'vitest';
import { findGaps, summarize } from './gaps.ts';

describe('gaps', () => {
  it('are runs of missing values after the first that is there', () => {
    expect(findGaps([null, null, 1, null, null, 2, null, 3, null, null])).toEqual([
      [3, 4],
      [8, 9],
    ]);
  });
  it('are nothing where nothing began', () => expect(findGaps([null, null, null])).toEqual([]));
});

describe('summary', () => {
  it('knows last, extremes and direction', () => {
    expect(summarize([1, 2, null, 3, 4])).toEqual({ last: 4, min: 1, max: 4, trend: 'rising' });
    expect(summarize([4, 4, 4, 4])?.trend).toBe('steady');
    expect(summarize([9, 9, 1, 1])?.trend).toBe('falling');
  });
  it('is null without data', () => expect(summarize([null])).toBeNull());
});
