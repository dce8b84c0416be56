import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import type { HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { feed, take } from '#testing/value-script.ts';
import { BATCH_ROWS } from '../batch/record-batch.ts';
import { f64, i32, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import { avg, count, max, min, sum } from './aggregates.ts';
import { EventTimeSessionWindows, ProcessingTimeSessionWindows } from './session-windows.ts';

const S = schema({ k: string(), v: f64() });
const late = lateTag('late', S);

interface Setup extends Pick<HarnessOptions, 'clock' | 'restore' | 'subtask' | 'parallelism'> {
  readonly gap?: number;
  readonly lateness?: number;
  readonly sides?: readonly string[];
  readonly processing?: boolean;
}

/** Sums values per key and session; late rows go to the side output `late`. */
function sessions({ gap = 3000, lateness = 0, processing = false, ...options }: Setup = {}): OperatorHarness {
  const assigner = processing ? ProcessingTimeSessionWindows : EventTimeSessionWindows;
  return harnessOf(
    S,
    (rows) =>
      rows
        .keyBy('k')
        .window(assigner.withGap(gap))
        .allowedLateness(lateness)
        .sideOutputLateData(late)
        .aggregate({ s: sum('v') }),
    options,
  );
}

/** The same operator elsewhere, with the state of the first. */
const restored = (h: OperatorHarness, setup: Setup): OperatorHarness => sessions({ ...setup, restore: [h.snapshot()] });

describe('sessions in event time, as Flink’s', () => {
  it('W6 session gap 3 s, with a restore', () => {
    const first = sessions();
    feed(first, 'k2:1@0 k2:2@1000 k2:3@2500 k1:1@10 k1:2@1000');
    const h = restored(first, {});
    feed(h, 'k1:3@2500 k2:4@5501 k2:5@6000 k2:5@6000 k2:6@6050').watermark(12_000);
    expect(take(h).split(' ').sort()).toEqual(['k1:6[10,5500)', 'k2:20[5501,9050)', 'k2:6[0,5500)']);
    feed(h, 'k2:10@15000 k2:20@15000').watermark(17_999);
    expect(take(h)).toBe('k2:30[15000,18000)');
  });

  /** The steps that W7, W8 and W9 have in common. */
  function zeroToFirstResults(h: OperatorHarness): void {
    feed(h, 'k2@1000').watermark(1999);
    feed(h, 'k2@2000').watermark(4998);
    feed(h, 'k2@4500 k2@8500').watermark(7400);
    feed(h, 'k2@7000').watermark(11_501);
    expect(take(h)).toBe('k2:5[1000,11500)');
    feed(h, 'k2@11600').watermark(14_600);
    expect(take(h)).toBe('k2:1[11600,14600)');
  }

  it('W7 session 3 s, lateness 0: what is late goes to the side output', () => {
    const h = sessions();
    zeroToFirstResults(h);
    feed(h, 'k2@10000');
    expect(take(h)).toBe('late:k2@10000,14600,4600');
    feed(h, 'k2@14500').watermark(20_000);
    expect(take(h)).toBe('k2:1[14500,17500)');
    h.watermark(100_000);
    expect(take(h)).toBe('');
  });

  it('W8 session 3 s, lateness 10: a late row that merges into a living session fires it at once', () => {
    const h = sessions({ lateness: 10 });
    zeroToFirstResults(h);
    feed(h, 'k2@10000');
    expect(take(h)).toBe('k2:2[10000,14600)');
    feed(h, 'k2@14500').watermark(20_000);
    expect(take(h)).toBe('k2:3[10000,17500)');
    h.watermark(100_000);
    expect(take(h)).toBe('');
  });

  it('W9 session 3 s, lateness 10000: a late row brings two sessions together that have fired', () => {
    const h = sessions({ lateness: 10_000 });
    zeroToFirstResults(h);
    feed(h, 'k2@10000');
    expect(take(h)).toBe('k2:7[1000,14600)');
    feed(h, 'k2@14500').watermark(20_000);
    expect(take(h)).toBe('k2:8[1000,17500)');
    h.watermark(100_000);
    expect(take(h)).toBe('');
  });

  it('W9 the same, restored before every step', () => {
    const setup = { lateness: 10_000 };
    let h = sessions(setup);
    const out: string[] = [];
    const steps = 'k2@1000 1999 k2@2000 4998 k2@4500 k2@8500 7400 k2@7000 11501 k2@11600 14600 k2@10000 k2@14500 20000';
    for (const step of steps.split(' ')) {
      h = restored(h, setup);
      if (step.includes('@')) feed(h, step);
      else h.watermark(Number(step));
      out.push(take(h));
    }
    expect(out.filter((text) => text !== '')).toEqual([
      'k2:5[1000,11500)',
      'k2:1[11600,14600)',
      'k2:7[1000,14600)',
      'k2:8[1000,17500)',
    ]);
  });
});

describe('sessions in processing time', () => {
  it('W18 session 3 s in processing time', () => {
    const clock = new ManualClock();
    const h = sessions({ processing: true, clock });
    h.advance(3);
    feed(h, 'k2@3999').advance(997);
    feed(h, 'k2@1').advance(4000);
    expect(take(h)).toBe('k2:2[3,4000)');
    feed(h, 'k2@7 k2@8 k1@9 k1@1 k1@1').advance(5000);
    expect(take(h).split(' ').sort()).toEqual(['k1:3[5000,8000)', 'k2:2[5000,8000)']);
  });

  it('W18 the same with a restore in between: what was open goes on', () => {
    const clock = new ManualClock();
    const first = sessions({ processing: true, clock });
    first.advance(3);
    feed(first, 'k2@3999').advance(997);
    const h = restored(first, { processing: true, clock });
    feed(h, 'k2@1').advance(4000);
    expect(take(h)).toBe('k2:2[3,4000)');
  });

  it('W33 open sessions are emitted at the end of the input', () => {
    const h = sessions({ processing: true });
    feed(h, 'a@1').watermark(MAX_WATERMARK);
    expect(take(h)).toBe('a:1[0,3000)');
  });
});

describe('sessions, Weir’s own rules', () => {
  it('SE1 sessions that touch are one, in whatever order their rows come', () => {
    for (const script of ['a@0 a@3000 a@6000', 'a@6000 a@0 a@3000', 'a@3000 a@6000 a@0', 'a@6000 a@3000 a@0']) {
      const h = sessions();
      feed(h, script).watermark(8998);
      expect(take(h)).toBe('');
      h.watermark(8999);
      expect(take(h)).toBe('a:3[0,9000)');
    }
    const apart = sessions();
    feed(apart, 'a@0 a@3001').watermark(MAX_WATERMARK);
    expect(take(apart)).toBe('a:1[0,3000) a:1[3001,6001)');
  });

  it('SE2 a merge keeps everything that was in either session, and rows in order of arrival', () => {
    const declared = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .aggregate({ n: count(), s: sum('v'), lo: min('v'), hi: max('v'), mean: avg('v') }),
    );
    const reduced = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .reduce((soFar, next) => ({ k: soFar.k, v: soFar.v + next.v })),
    );
    const Out = schema({ text: string() });
    const listed = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(EventTimeSessionWindows.withGap(10))
        .process(Out, (key, window, all, out) =>
          out.collect({ text: `${key} ${window.start}-${window.end} ${all.map((r) => r.v).join()}` }),
        ),
    );
    for (const h of [declared, reduced, listed]) {
      feed(h, 'a:5@20 a:1@0 b:7@0 a:9@21 a:2@1 a:4@11').watermark(MAX_WATERMARK);
    }
    const rows = (h: OperatorHarness) =>
      h.emissions().flatMap((e) => (e.kind === 'row' && e.row.k !== 'b' ? [e.row] : []));
    expect(rows(declared)).toEqual([{ k: 'a', window_start: 0, window_end: 31, n: 5, s: 21, lo: 1, hi: 9, mean: 4.2 }]);
    expect(rows(reduced)).toEqual([{ k: 'a', v: 21 }]);
    expect(rows(listed)).toContainEqual({ text: 'a 0-31 5,1,9,2,4' });
  });

  it('W21 sessions fire in the order of their ends, when the watermark reaches the last instant', () => {
    const h = sessions({ gap: 10 });
    feed(h, 'c@50 a@5 b@25 a@70 b@8');
    h.watermark(13);
    expect(take(h)).toBe('');
    h.watermark(1000);
    expect(take(h)).toBe('a:1[5,15) b:1[8,18) b:1[25,35) c:1[50,60) a:1[70,80)');
  });

  it('W22 a late row opens a session of its own and fires it, and a later one fires it again', () => {
    const h = sessions({ gap: 10, lateness: 100 });
    h.watermark(100);
    feed(h, 'a@50 a@55 a@40');
    expect(take(h)).toBe('a:1[50,60) a:2[50,65) a:3[40,65)');
    h.watermark(164);
    feed(h, 'a@60');
    expect(take(h)).toBe('a:1[60,70)');
    h.watermark(169);
    feed(h, 'a@60');
    expect(take(h)).toBe('late:a@60,169,109');
  });

  it('SE3 a session that has fired and grows behind the watermark waits for its new end', () => {
    const h = sessions({ gap: 10, lateness: 100 });
    feed(h, 'a@0').watermark(12);
    expect(take(h)).toBe('a:1[0,10)');
    feed(h, 'a@10');
    expect(take(h)).toBe('');
    h.watermark(18);
    expect(take(h)).toBe('');
    h.watermark(19);
    expect(take(h)).toBe('a:2[0,20)');
  });

  it('W24 late rows that nobody reads are dropped and counted', () => {
    const h = sessions({ gap: 10, sides: [] });
    h.watermark(100);
    feed(h, 'a@5 a@6 a@105');
    expect([h.cells[OperatorCell.LATE_DROPPED], take(h)]).toEqual([2, '']);
  });

  it('W25 inside a batch every row meets the watermark in force before it', () => {
    const script = 'a@0 a@8 b@30 a@18 a@5 b@40 a@60 b@9 a@25';
    const watermarks = [-100, -5, 7, 16, 16, 27, 29, 45, 49];
    for (const lateness of [0, 30]) {
      const alone = sessions({ gap: 10, lateness });
      for (const [i, part] of script.split(' ').entries()) {
        alone.watermark(watermarks[i] as number);
        feed(alone, part);
      }
      alone.watermark(MAX_WATERMARK);
      const together = sessions({ gap: 10, lateness });
      feed(together, script, { watermarks }).watermark(MAX_WATERMARK);
      const order = (text: string) => text.split(' ');
      expect(order(take(together)).sort()).toEqual(order(take(alone)).sort());
    }
  });

  it('W26 a row without timestamp is an error in event time, and EX15 so is a null key', () => {
    expect(() => sessions().rows([{ k: 'a', v: 1 }])).toThrow('A row without event timestamp');
    const h = sessions();
    const batch = h.batch([{ k: 'a', v: 1 }], { times: [1] });
    batch.codes('k')[0] = -1;
    expect(() => h.feed(batch)).toThrow('null key');
  });

  it('W27 firing 20,000 sessions and a batch of late firings stop and go on with one credit at a time', () => {
    const h = sessions({ gap: 10, lateness: 1000 });
    for (let from = 0; from < 20_000; from += BATCH_ROWS) {
      const keys = Array.from({ length: BATCH_ROWS }, (_, i) => ({ k: `k${from + i}`, v: from + i }));
      h.rows(keys, { times: keys.map(() => 5) });
    }
    h.credits(0);
    // A task asks first; the harness lets one element in that then has to wait.
    h.credits(1).watermark(100);
    expect(h.drip()).toBeGreaterThan(8);
    const results = h.emissions().filter((e) => e.kind === 'row');
    expect(new Set(results.map((e) => e.row.k)).size).toBe(results.length);
    expect(results.length).toBe(Math.ceil(20_000 / BATCH_ROWS) * BATCH_ROWS);
    const again = Array.from({ length: BATCH_ROWS }, () => ({ k: 'k1', v: 1 }));
    h.credits(1).rows(again, { times: again.map(() => 5) });
    h.drip();
    const sums = h.emissions().flatMap((e) => (e.kind === 'row' ? [e.row.s] : []));
    expect(sums).toEqual(again.map((_, i) => i + 2));
  });

  it('W28 sessions at both ends of time, and a thousand open ones of one key', () => {
    const h = sessions({ gap: 10 });
    feed(h, 'a@-8640000000000000 a@8639999999999000');
    feed(h, Array.from({ length: 1000 }, (_, i) => `a@${((i * 7919) % 1000) * 100}`).join(' '));
    h.watermark(MAX_WATERMARK);
    const results = take(h).split(' ');
    expect([results[0], results.at(-1), results.length]).toEqual([
      'a:1[-8640000000000000,-8639999999999990)',
      'a:1[8639999999999000,8639999999999010)',
      1002,
    ]);
  });

  it('W29 whole numbers as keys come back as numbers, after a restore too', () => {
    const Numbers = schema({ id: i32(), v: f64() });
    const make = (options: Pick<HarnessOptions, 'restore'> = {}) =>
      harnessOf(
        Numbers,
        (rows) => rows.keyBy('id').window(EventTimeSessionWindows.withGap(10)).aggregate({ n: count() }),
        options,
      );
    const first = make();
    first.rows(
      [-7, 3, -7].map((id) => ({ id, v: 0 })),
      { times: [1, 2, 3] },
    );
    const h = make({ restore: [first.snapshot()] });
    h.rows([{ id: 3, v: 0 }], { times: [4] }).watermark(100);
    expect(h.take()).toEqual([
      '{"id":-7,"window_start":1,"window_end":13,"n":2} @12',
      '{"id":3,"window_start":2,"window_end":14,"n":2} @13',
      'watermark 100',
    ]);
  });

  it('W30 slots and strings of sessions are used again', () => {
    const h = sessions({ gap: 10 });
    for (let round = 0; round < 300; round++) {
      feed(h, Array.from({ length: 100 }, (_, i) => `k${i}@${round * 1000 + i}`).join(' '));
      h.watermark(round * 1000 + 500);
    }
    const bytes = h.stateBytes;
    expect(bytes).toBeLessThan(64 * 1024);
    expect(take(h).split(' ').length).toBe(30_000);
  });

  it('W31 open sessions can be looked at', () => {
    const h = sessions({ gap: 10, lateness: 1000 });
    feed(h, 'a:2@0 a:3@4 a:7@100 b:1@50').watermark(20);
    take(h);
    expect(h.inspect({ keys: ['a', 'nobody'], limit: 10 })).toEqual({
      open: [{ key: 'a', start: 100, end: 110, values: [7] }],
      count: 2,
    });
    expect((h.inspect({ keys: null, limit: 1 }) as { open: unknown[] }).open.length).toBe(1);
  });

  it('SE4 state moves by key group to any parallelism, and strings get the codes of the new input', () => {
    const setup = { lateness: 50, gap: 10 };
    const one = sessions(setup);
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    feed(one, keys.map((k, i) => `${k}:${i}@${i % 7}`).join(' ')).watermark(13);
    take(one);
    const parts = [0, 1, 2].map((subtask) =>
      sessions({ ...setup, restore: [one.snapshot()], subtask, parallelism: 3 }),
    );
    const held = parts.map((h) => (h.inspect({ keys: null, limit: 1000 }) as { count: number }).count);
    const whole = sessions({ ...setup, restore: parts.map((h) => h.snapshot()) });
    expect(held.reduce((a, b) => a + b)).toBe((one.inspect({ keys: null, limit: 0 }) as { count: number }).count);
    // Another order of keys: other codes.
    const script = [...keys]
      .reverse()
      .map((k) => `${k}@5`)
      .join(' ');
    feed(one, script).watermark(MAX_WATERMARK);
    feed(whole, script).watermark(MAX_WATERMARK);
    expect(take(whole).split(' ').sort()).toEqual(take(one).split(' ').sort());
  });

  it('SE4 the watermark is part of the state', () => {
    const first = sessions({ gap: 10 });
    first.watermark(100);
    const h = restored(first, { gap: 10 });
    feed(h, 'a@5');
    expect(take(h)).toBe('late:a@5,100,95');
  });
});
