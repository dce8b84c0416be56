import { describe, expect, it } from 'vitest';
import type { Totals, VertexNumbers } from '#shared/live.ts';
import { sampleJob } from '../../live/sample-frames.ts';
import { formatTime } from '../../ui/format.ts';
import { type Facts, judge } from './verdict.ts';

const totals: Totals = {
  events: 1e6,
  eventsPerSecond: 4210,
  windows: 100,
  windowsPerSecond: 20,
  errors: 3,
  late: 1,
  watermark: 0,
  watermarkLagMs: 5800,
  latency: null,
};
const vertices = (blocked: number, busy: number): VertexNumbers => ({
  busy: [
    [0.2, 0.2],
    [0.5, busy],
  ],
  backpressured: [
    [0, blocked],
    [0, 0],
  ],
  idle: [
    [0.8, 0.8 - blocked],
    [0.5, 1 - busy],
  ],
  watermark: [
    [0, 0],
    [0, 0],
  ],
  idleStatus: [
    [false, false],
    [false, false],
  ],
});
const link = { state: 'live', words: 'Live', stale: false, blocked: null, since: null } as const;
const facts: Facts = {
  link,
  job: sampleJob(),
  totals,
  vertices: vertices(0, 0.5),
  holders: null,
  now: 1_000_000,
  injections: [],
  errorsPerSecond: 0,
  latePerSecond: 0,
};

describe('verdict', () => {
  it('is one sentence when all is well', () => {
    expect(judge(facts)).toMatchObject({
      headline: 'Healthy',
      details: '4.21k events/s, watermark 5.8 s behind, 20 windows/s.',
    });
  });
  it('speaks of no watermark in processing time', () => {
    const job = { ...sampleJob(), timeMode: 'processing' } as const;
    expect(judge({ ...facts, job, totals: { ...totals, watermarkLagMs: null } }).details).toBe(
      '4.21k events/s, 20 windows/s.',
    );
  });
  it('names who is held back and whom it waits for', () => {
    const verdict = judge({ ...facts, vertices: vertices(0.7, 0.98) });
    expect(verdict.headline).toBe('read is held back');
    expect(verdict.details).toBe('Subtask 2 is 70 % backpressured. It waits for window, 98 % busy.');
  });
  it('measures the lag against bound and window', () => {
    expect(judge({ ...facts, totals: { ...totals, watermarkLagMs: 40_000 } }).headline).toBe(
      'The watermark lags behind',
    );
  });
  it('names who holds the watermark back, if somebody does', () => {
    const holder = {
      state: 'behind',
      operator: 0,
      subtask: 1,
      split: 'simulator-3',
      origin: 'd17',
      since: 987_500,
      rowsAt: 988_000,
    } as const;
    const held = { ...facts, totals: { ...totals, watermarkLagMs: 40_000 } };
    const of = [null, null, 0, null, 0, 0, 0];
    expect(judge({ ...held, holders: { list: [holder], of, aligned: [] } }).details).toBe(
      `It is 40.0 s behind, with an out-of-orderness bound of 5 s. Windows close that much later. Held back by source, subtask 2, split simulator-3, device d17: no events for 12 s, since ${formatTime(988_000)}.`,
    );
    const moving = { ...holder, since: 999_000, rowsAt: 999_900 };
    expect(judge({ ...held, holders: { list: [moving], of, aligned: [] } }).details).not.toContain('Held back');
  });
  it('does not call it a lag when a file holds events of former days', () => {
    const old = { ...totals, watermarkLagMs: 3 * 86_400_000 };
    expect(judge({ ...facts, job: { ...sampleJob(), simulator: null }, totals: old }).headline).toBe('Healthy');
    expect(judge({ ...facts, totals: old }).headline).toBe('The watermark lags behind');
  });
  it('notices when many events are refused', () => {
    expect(judge({ ...facts, errorsPerSecond: 2000 }).headline).toBe('Many events are refused');
  });
  it('tells the cause of a failure, the end, and no job', () => {
    const job = sampleJob();
    expect(judge({ ...facts, job: { ...job, state: 'FAILED', failure: 'disk full' } }).details).toBe('disk full');
    expect(judge({ ...facts, job: { ...job, state: 'FINISHED' } }).headline).toBe('The job finished');
    expect(judge({ ...facts, job: null }).headline).toBe('No job is running');
  });
  it('does not call old data healthy', () => {
    expect(judge({ ...facts, link: { ...link, stale: true } }).headline).toBe('The page shows old data');
  });
  it('says what is being injected', () => {
    const injection = {
      id: 1,
      kind: 'burst',
      strength: 2,
      durationMs: 1,
      malformed: null,
      startedAt: 0,
      endsAt: 1,
      running: true,
      affected: 0,
    } as const;
    expect(judge({ ...facts, injections: [injection] }).details).toContain('Injected right now: traffic burst.');
  });
});
