import { describe, expect, it } from 'vitest';
import { sampleJob } from '../../live/sample-frames.ts';
import { watermarkWords } from './watermark-words.ts';

describe('watermark of an operator', () => {
  const job = sampleJob();
  const now = 10_000;

  it('is told where there can be one, and why there is none elsewhere', () => {
    const known = job.operators.map(({ vertex }) => (vertex === 1 ? 4000 : null));
    expect(watermarkWords(job, known, now)).toEqual([
      'before watermarks',
      'before watermarks',
      'no watermark yet',
      'without watermarks',
      'watermark 6.0 s behind',
      'watermark 6.0 s behind',
      'watermark 6.0 s behind',
    ]);
  });
  it('may be ahead of the clock', () => {
    expect(watermarkWords(job, [null, null, 12_000], now)[2]).toBe('watermark 2.0 s ahead');
  });
  it('is the end of the input once the job has finished', () => {
    expect(watermarkWords({ ...job, state: 'FINISHED' }, undefined, now)[4]).toBe('end of input');
  });
  it('means nothing in processing time', () => {
    expect(new Set(watermarkWords({ ...job, timeMode: 'processing' }, undefined, now))).toEqual(
      new Set(['processing time']),
    );
  });
  it('may come out of a source in a job without an operator for it', () => {
    const operators = job.operators.map((operator) => ({ ...operator, kind: 'map' }));
    expect(watermarkWords({ ...job, operators }, undefined, now)[0]).toBe('no watermark yet');
  });
});
