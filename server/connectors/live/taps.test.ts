import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import { f64, type Schema, schema, string, timestamp } from '#engine/batch/schema.ts';
import type { WriterContext } from '#engine/io/sink.ts';
import { LIMITS } from '#shared/live.ts';
import { ReadingError } from '../iot/reading.ts';
import { ErrorsFeed, injectionOf } from './errors-feed.ts';
import { ErrorsTap, type ErrorsTapWriter } from './errors-tap.ts';
import { LateTap } from './late-tap.ts';
import { ResultsFeed } from './results-feed.ts';
import { ResultsTap, type ResultsTapWriter } from './results-tap.ts';

const results = schema({
  device_id: string(),
  window_start: timestamp(),
  window_end: timestamp(),
  count: f64(),
  t_avg: f64(),
});
const late = schema({
  device_id: string(),
  event_timestamp: timestamp(),
  temperature: f64(),
  watermark: timestamp(),
  late_by_ms: f64(),
});

const clock = new ManualClock(1_000_000);
const context = (of: Schema, subtask = 0): WriterContext => ({
  subtask,
  parallelism: 2,
  clock,
  schema: of,
  restored: [],
  report() {},
  wake() {},
  fail(error) {
    throw error;
  },
});

/** Device, start, count, and the end of windows that are not of 5 s. */
type ResultCells = readonly [device: string, start: number, count: number, end?: number];

function resultBatch(rows: readonly ResultCells[], dictionary = new Dictionary()): RecordBatch {
  const batch = RecordBatch.allocate(results, dictionary, Math.max(rows.length, 1));
  for (const [i, [device, start, count, end = start + 5000]] of rows.entries()) {
    batch.codes('device_id')[i] = dictionary.codeOf(device);
    batch.f64('window_start')[i] = start;
    batch.f64('window_end')[i] = end;
    batch.f64('count')[i] = count;
    batch.f64('t_avg')[i] = 21.5;
  }
  batch.size = rows.length;
  return batch;
}

function errorBatch(
  rows: readonly { reason: string; field: string | null; payload: string; source?: string }[],
): RecordBatch {
  const dictionary = new Dictionary();
  const batch = RecordBatch.allocate(ReadingError, dictionary, Math.max(rows.length, 1));
  for (const [i, row] of rows.entries()) {
    batch.codes('reason')[i] = dictionary.codeOf(row.reason);
    batch.codes('field')[i] = row.field === null ? -1 : dictionary.codeOf(row.field);
    batch.bytes('payload').append(i, new TextEncoder().encode(row.payload));
    batch.f64('payload_bytes')[i] = Number.NaN;
    batch.codes('source')[i] = dictionary.codeOf(row.source ?? 'simulator-0');
    batch.f64('offset')[i] = i;
    batch.f64('ingested_at')[i] = 1;
  }
  batch.size = rows.length;
  return batch;
}

const feedOf = (...writers: ResultsTapWriter[]): ResultsFeed =>
  new ResultsFeed(
    async (_, query) => [...writers].reverse().map((w) => structuredClone(w.inspect(structuredClone(query)))),
    'results-live',
  );

describe('results tap', () => {
  it('keeps the newest results of a device and no more than the limit', () => {
    const tap = new ResultsTap().createWriter(context(results));
    for (let i = 0; i < LIMITS.resultsPerDevice + 10; i++) tap.write(resultBatch([['a', i * 5000, i]]));
    const { rows, total, devices } = tap.inspect({ cursors: [0], limit: 10_000, devices: null, pinned: [] });
    expect(rows).toHaveLength(LIMITS.resultsPerDevice);
    expect(rows.at(-1)).toMatchObject({
      device: 'a',
      start: 129 * 5000,
      end: 130 * 5000,
      values: [129, 21.5],
      lateUpdate: false,
    });
    expect(total).toBe(LIMITS.resultsPerDevice + 10);
    expect(devices).toBe(1);
  });

  it('calls a second result of the same device and window a late update, which replaces the first', () => {
    const tap = new ResultsTap().createWriter(context(results));
    tap.write(
      resultBatch([
        ['a', 0, 1],
        ['b', 0, 1],
        ['a', 5000, 1],
      ]),
    );
    tap.write(resultBatch([['a', 0, 2]]));
    const { rows } = tap.inspect({ cursors: [0], limit: 100, devices: null, pinned: [] });
    expect(rows.map((r) => [r.device, r.start, r.values[0], r.lateUpdate])).toEqual([
      ['b', 0, 1, false],
      ['a', 5000, 1, false],
      ['a', 0, 2, true],
    ]);
  });

  it('lets a session that grew, or took in others, take their place, and keeps sliding windows apart', async () => {
    const tap = new ResultsTap().createWriter(context(results));
    const feed = feedOf(tap);
    const write = async (...rows: ResultCells[]): Promise<[number, number, string][]> => {
      tap.write(resultBatch(rows));
      await feed.pull();
      return feed.results(['a'], 0, 100).map((r) => [r.start, r.end, r.pane]);
    };
    expect(await write(['a', 100, 1, 400], ['a', 900, 1, 1200], ['a', 5000, 1, 5300])).toHaveLength(3);
    expect(await write(['a', 100, 3, 1500])).toEqual([
      [5000, 5300, 'on-time'],
      [100, 1500, 'late-update'],
    ]);
    expect(await write(['a', 6000, 1, 9000], ['a', 7000, 1, 10_000])).toHaveLength(4);
  });

  it('knows a late update also behind a late update of an older window', () => {
    const tap = new ResultsTap().createWriter(context(results));
    tap.write(
      resultBatch([
        ['a', 0, 1],
        ['a', 5000, 1],
        ['a', 0, 2],
        ['a', 5000, 2],
      ]),
    );
    const { rows } = tap.inspect({ cursors: [0], limit: 100, devices: null, pinned: [] });
    expect(rows.map((r) => [r.start, r.values[0], r.lateUpdate])).toEqual([
      [0, 2, true],
      [5000, 2, true],
    ]);
  });

  it('watches the first devices seen and those named in the query, and counts the others only', () => {
    const tap = new ResultsTap().createWriter(context(results));
    const dictionary = new Dictionary();
    const all = Array.from({ length: LIMITS.watchedDevices + 5 }, (_, i) => `d${i}`);
    const write = (start: number): void =>
      tap.write(
        resultBatch(
          all.map((d) => [d, start, 1] as const),
          dictionary,
        ),
      );
    write(0);
    const first = tap.inspect({ cursors: [0], limit: 10_000, devices: null, pinned: ['d64'] });
    expect(first.rows.map((r) => r.device)).toEqual(all.slice(0, LIMITS.watchedDevices));
    expect(first.devices).toBe(all.length);
    write(5000);
    const second = tap.inspect({ cursors: [first.cursor], limit: 10_000, devices: ['d64'], pinned: ['d64'] });
    expect(second.rows.map((r) => [r.device, r.start])).toEqual([['d64', 5000]]);
    tap.inspect({ cursors: [0], limit: 0, devices: null, pinned: [] });
    write(10_000);
    const third = tap.inspect({ cursors: [second.cursor], limit: 10_000, devices: null, pinned: [] });
    expect(third.rows).toHaveLength(LIMITS.watchedDevices);
  });

  it('follows a dictionary code to the device that it stands for now', () => {
    const tap = new ResultsTap().createWriter(context(results));
    const dictionary = new Dictionary(1);
    for (const device of ['a', 'b', 'c']) {
      tap.write(resultBatch([[device, 0, 1]], dictionary));
      expect(dictionary.find(device)).toBe(0);
      dictionary.sweepIfLarge();
    }
    const { rows } = tap.inspect({ cursors: [0], limit: 100, devices: null, pinned: [] });
    expect(rows.map((r) => r.device)).toEqual(['a', 'b', 'c']);
  });

  it('reads only the rows that are selected', () => {
    const tap = new ResultsTap().createWriter(context(results));
    const batch = resultBatch([
      ['a', 0, 1],
      ['b', 0, 1],
      ['c', 0, 1],
    ]);
    batch.selection = Int32Array.from([1]);
    batch.selected = 1;
    tap.write(batch);
    const { rows, total } = tap.inspect({ cursors: [0], limit: 100, devices: null, pinned: [] });
    expect(rows.map((r) => r.device)).toEqual(['b']);
    expect(total).toBe(1);
  });
});

describe('results feed', () => {
  it('gives every result of all subtasks once, with rising ids', async () => {
    const one = new ResultsTap().createWriter(context(results, 0));
    const two = new ResultsTap().createWriter(context(results, 1));
    const feed = feedOf(one, two);
    one.write(resultBatch([['a', 0, 1]]));
    two.write(resultBatch([['b', 0, 1]]));
    await feed.pull();
    await feed.pull();
    one.write(resultBatch([['a', 5000, 2]]));
    await feed.pull();
    expect(feed.devicesSeen).toBe(2);
    expect(feed.chosen).toEqual(['a', 'b']);
    expect(feed.results(feed.chosen, 0, 100).map((r) => [r.id, r.device, r.start])).toEqual([
      [1, 'b', 0],
      [2, 'a', 0],
      [3, 'a', 5000],
    ]);
    expect(feed.results(['a'], 2, 100).map((r) => r.id)).toEqual([3]);
  });

  it('chooses no more devices than the limit over all subtasks', async () => {
    const taps = [0, 1].map((subtask) => new ResultsTap().createWriter(context(results, subtask)));
    for (const [s, tap] of taps.entries()) {
      tap.write(resultBatch(Array.from({ length: 50 }, (_, i) => [`s${s}-${i}`, 0, 1] as const)));
    }
    const feed = feedOf(...taps);
    await feed.pull();
    expect(feed.chosen).toHaveLength(LIMITS.watchedDevices);
    expect(feed.results(feed.chosen, 0, 10_000)).toHaveLength(LIMITS.watchedDevices);
    expect(feed.devicesSeen).toBe(100);
  });
});

describe('errors tap', () => {
  it('counts exactly by reason and field, however many rows pass between two questions', () => {
    const tap = new ErrorsTap().createWriter(context(ReadingError));
    const rows = Array.from({ length: 1000 }, (_, i) =>
      i % 4 === 0
        ? { reason: 'malformed_json', field: null, payload: `x${i}` }
        : { reason: 'missing_field', field: 'humidity', payload: `x${i}` },
    );
    tap.write(errorBatch(rows));
    const answer = tap.inspect({ cursors: [0], limit: 1000 });
    expect(answer.counts).toEqual([
      { reason: 'malformed_json', field: null, count: 250 },
      { reason: 'missing_field', field: 'humidity', count: 750 },
    ]);
    expect(answer.rows.map((r) => r.payload)).toEqual(rows.slice(-LIMITS.recentErrors).map((r) => r.payload));
    expect(tap.inspect({ cursors: [answer.cursor], limit: 1000 }).rows).toEqual([]);
  });

  it('cuts a payload to the preview, names its whole length, and shows invalid UTF-8 as U+FFFD', () => {
    const tap = new ErrorsTap().createWriter(context(ReadingError));
    const batch = errorBatch([
      { reason: 'malformed_json', field: null, payload: '€'.repeat(5000) },
      { reason: 'malformed_json', field: null, payload: 'ab' },
      { reason: 'malformed_json', field: null, payload: '' },
    ]);
    batch.bytes('payload').append(1, Uint8Array.of(0x61, 0xff, 0x62));
    batch.bytes('payload').setNull(2);
    tap.write(batch);
    const { rows } = tap.inspect({ cursors: [0], limit: 10 });
    expect(rows[0]?.payload).toBe('€'.repeat(LIMITS.payloadPreview));
    expect(rows[0]?.payloadBytes).toBe(15_000);
    expect(rows[1]?.payload).toBe('a\ufffdb');
    expect(rows[2]).toMatchObject({ payload: '', payloadBytes: 0 });
  });

  it('bounds its counters when reasons never end', () => {
    const tap = new ErrorsTap().createWriter(context(ReadingError));
    tap.write(errorBatch(Array.from({ length: 1000 }, (_, i) => ({ reason: `r${i}`, field: null, payload: '' }))));
    const { counts } = tap.inspect({ cursors: [0], limit: 0 });
    expect(counts).toHaveLength(257);
    expect(counts.at(-1)).toEqual({ reason: 'other', field: null, count: 744 });
  });
});

describe('errors feed', () => {
  const taps = (): { errors: ErrorsTapWriter[]; feed: ErrorsFeed } => {
    const errors = [0, 1].map((s) => new ErrorsTap().createWriter(context(ReadingError, s)));
    const lates = [0, 1].map((s) => new LateTap().createWriter(context(late, s)));
    const inspect = async (id: string, query: unknown): Promise<unknown[]> =>
      structuredClone((id === 'errors-live' ? errors : lates).map((w) => w.inspect(query)).reverse());
    return { errors, feed: new ErrorsFeed(inspect, 'errors-live', 'late-live', () => clock.now()) };
  };

  it('adds up the counters of all subtasks and gives each row once', async () => {
    const { errors, feed } = taps();
    errors[0]?.write(errorBatch([{ reason: 'wrong_type', field: 'pressure', payload: 'p', source: 'simulator-1#7' }]));
    errors[1]?.write(errorBatch([{ reason: 'wrong_type', field: 'pressure', payload: 'q' }]));
    await feed.pull(true);
    await feed.pull(true);
    expect(feed.counts).toMatchObject([{ reason: 'wrong_type', field: 'pressure', count: 2 }]);
    expect(feed.errorsAfter(0).map((r) => [r.id, r.payload, r.injection])).toEqual([
      [1, 'q', null],
      [2, 'p', 7],
    ]);
    expect(feed.errorsAfter(1).map((r) => r.id)).toEqual([2]);
  });

  it('gives the rate over the last seconds, not since the start', async () => {
    const { errors, feed } = taps();
    const bad = (n: number): RecordBatch =>
      errorBatch(Array.from({ length: n }, () => ({ reason: 'malformed_json', field: null, payload: '' })));
    await feed.pull(false);
    for (let second = 0; second < 20; second++) {
      errors[0]?.write(bad(second < 10 ? 100 : 7));
      clock.advance(1000);
      await feed.pull(false);
    }
    expect(feed.counts).toEqual([{ reason: 'malformed_json', field: null, count: 1070, perSecond: 7 }]);
  });

  it('hears the last word of a tap that nobody had asked, and counts nothing twice when somebody had', async () => {
    const told: unknown[] = [];
    const tap = new ErrorsTap().createWriter({ ...context(ReadingError, 1), report: (message) => told.push(message) });
    const inspect = async (id: string, query: unknown): Promise<unknown[]> => [
      null,
      id === 'errors-live' ? tap.inspect(query) : null,
    ];
    const feed = new ErrorsFeed(inspect, 'errors-live', 'late-live', () => clock.now());
    tap.write(errorBatch([{ reason: 'malformed_json', field: null, payload: 'seen' }]));
    await feed.pull(true);
    tap.write(errorBatch([{ reason: 'malformed_json', field: null, payload: 'unseen' }]));
    tap.close();
    feed.onErrorsReport(1, structuredClone(told[0]));
    expect(feed.counts).toMatchObject([{ count: 2 }]);
    expect(feed.errorsAfter(0).map((r) => r.payload)).toEqual(['seen', 'unseen']);
  });

  it('names the injection that made a row and nothing else', () => {
    expect(injectionOf('simulator-3#12')).toBe(12);
    expect(injectionOf('simulator-3')).toBeNull();
    expect(injectionOf('/data/simulator-3#12.ndjson')).toBeNull();
  });
});

describe('late tap', () => {
  it('keeps event, watermark and lateness of the newest rows', () => {
    const tap = new LateTap().createWriter(context(late));
    const dictionary = new Dictionary();
    const batch = RecordBatch.allocate(late, dictionary, 1);
    batch.codes('device_id')[0] = dictionary.codeOf('a');
    batch.f64('event_timestamp')[0] = 1000;
    batch.f64('temperature')[0] = 20.5;
    batch.f64('watermark')[0] = 9000;
    batch.f64('late_by_ms')[0] = 8000;
    batch.size = 1;
    tap.write(batch);
    expect(tap.inspect({ cursors: [0], limit: 5 })).toEqual({
      subtask: 0,
      cursor: 1,
      total: 1,
      rows: [
        {
          seq: 1,
          at: clock.now(),
          device: 'a',
          eventTimestamp: 1000,
          watermark: 9000,
          lateByMs: 8000,
          values: { temperature: 20.5 },
        },
      ],
    });
  });
});
