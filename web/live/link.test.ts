import { describe, expect, it } from 'vitest';
import { describeLink, type LinkFacts } from './link.ts';

const fine: LinkFacts = {
  synced: true,
  everSynced: true,
  lostAt: null,
  attempts: 0,
  ageMs: 180,
  rateHz: 10,
  restartedAt: null,
};
const words = (change: Partial<LinkFacts>, now = 100_000): string =>
  describeLink({ ...fine, ...change }, now, () => '12:04:11').words;

describe('connection in words', () => {
  it('tells the age while all is well', () => expect(words({})).toBe('Live · 0.2 s old'));
  it('is slow after two seconds', () => expect(words({ ageMs: 3100 })).toBe('Slow · 3 s old'));
  it('names a reduced rate', () => expect(words({ rateHz: 2 })).toBe('Reduced rate · 2/s'));
  it('says for five seconds that the server restarted', () => {
    expect(words({ restartedAt: 96_000 })).toBe('Server restarted, history reloaded');
    expect(words({ restartedAt: 94_000 })).toBe('Live · 0.2 s old');
  });
  it('counts attempts, then says since when', () => {
    expect(words({ synced: false, lostAt: 99_000, attempts: 2 })).toBe('Reconnecting (2)…');
    expect(words({ synced: false, lostAt: 80_000, attempts: 9 })).toBe('Offline since 12:04:11');
  });
  it('connects before anything was ever there', () => {
    expect(words({ synced: false, everSynced: false })).toBe('Connecting…');
  });
  it('gives a reason why nothing can be changed only while disconnected', () => {
    const clock = (): string => '12:04:11';
    expect(describeLink({ ...fine, ageMs: 9000 }, 0, clock).blocked).toBeNull();
    expect(describeLink({ ...fine, synced: false, lostAt: 0 }, 1, clock).blocked).toBe('Not connected since 12:04:11');
  });
});
