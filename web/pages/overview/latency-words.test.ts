import { describe, expect, it } from 'vitest';
import { sampleJob } from '../../live/sample-frames.ts';
import { latencyWords } from './latency-words.ts';

describe('latency of an operator', () => {
  const job = sampleJob();

  it('is that of the markers that came by, or none yet; at the source it begins', () => {
    const known = job.operators.map((_, i) => (i === 4 ? { p50: 0.41, p95: 3, p99: 12.2, max: 1500 } : null));
    const words = latencyWords(job, known);
    expect(words.map((w) => w.short)).toEqual([
      'latency from here',
      'no latency yet',
      'no latency yet',
      'no latency yet',
      'p50 0.4 · p99 12 ms',
      'no latency yet',
      'no latency yet',
    ]);
    expect(words[4]?.full).toBe(
      'Latency from the source, markers of the last 10 s: p50 0.4 ms, p95 3 ms, p99 12 ms, longest 1.5 s.',
    );
  });
  it('of a sink says as well how long results take from their event on', () => {
    const out = job.operators.map((_, i) => (i === 5 ? { p50: 190, p95: 200, p99: 206, max: 210 } : null));
    expect(latencyWords(job, undefined, out)[5]?.full).toBe(
      'No latency marker came by in the last 10 s. From event in to result out: p50 190 ms, p95 200 ms, p99 206 ms, longest 210 ms.',
    );
  });
  it('says each unit where they differ', () => {
    const slow = job.operators.map(() => ({ p50: 200, p95: 1000, p99: 1250, max: 1500 }));
    expect(latencyWords(job, slow)[1]?.short).toBe('p50 200 ms · p99 1.3 s');
  });
  it('is not known before the first numbers', () => {
    expect(latencyWords(job, undefined)[1]?.short).toBe('no latency yet');
  });
});
