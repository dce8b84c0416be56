import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatorHarness } from '#testing/harness.ts';
import { bool, f64, nullable, type Row, schema, timestamp } from '../batch/schema.ts';
import { BoundedOutOfOrderness, NO_TIMESTAMP, type WatermarkGenerator } from '../time/watermark-generators.ts';
import {
  boundedOutOfOrderness,
  type EmitWatermarks,
  forGenerator,
  monotonousTimestamps,
  type WatermarkStrategy,
} from '../time/watermark-strategy.ts';
import { WatermarksOperator } from './watermarks.ts';

const S = schema({ mark: bool(), at: nullable(timestamp()), v: f64() });
type S = typeof S.fields;
type Given = Partial<Row<S>> & { time?: number | null };

const harness = (strategy: WatermarkStrategy<S>): OperatorHarness =>
  new OperatorHarness(new WatermarksOperator(strategy as unknown as WatermarkStrategy), { input: S, output: S });

const feed = (h: OperatorHarness, rows: readonly Given[], split = -1): OperatorHarness =>
  h.rows(
    rows.map(({ mark = false, at = null, v = 0 }) => ({ mark, at, v })),
    { times: rows.map(({ time = null }) => time), split },
  );

/** What came out: timestamps of rows with the watermark that came with them, watermarks, statuses. */
const trace = (h: OperatorHarness): string[] =>
  h.emissions().map((e) => {
    if (e.kind === 'row') return e.watermark === null ? `${e.time}` : `${e.time}|${e.watermark}`;
    if (e.kind === 'watermark') return `wm ${e.watermark}`;
    return e.kind === 'idle' ? (e.idle ? 'idle' : 'active') : e.kind;
  });

/** A marked row promises that everything up to its own timestamp has come. */
const punctuated = (timing = {}): WatermarkStrategy<S> =>
  forGenerator<S>(
    () => ({
      onEvent: (row, time, output) => {
        if (row.mark) output.emitWatermark(time);
      },
      onPeriodicEmit: () => {},
    }),
    timing,
  );

describe('punctuated watermarks', () => {
  it('WM11 are in force from the row behind the mark on, at once, and never go back', () => {
    const h = harness(punctuated());
    feed(h, [{ time: 5 }, { time: 7, mark: true }, { time: 6 }, { time: 3, mark: true }, { time: 9, mark: true }]);
    expect(trace(h)).toEqual(['5|-Infinity', '7|-Infinity', '6|7', '3|7', '9|7', 'wm 9']);
    feed(h, [{ time: 8 }]);
    expect(trace(h)).toEqual(['8']);
  });

  it('WM11 each split has a generator of its own', () => {
    let made = 0;
    const h = harness(
      forGenerator<S>(() => {
        const mine = 100 * ++made;
        return { onEvent: (_row, _time, output) => output.emitWatermark(mine), onPeriodicEmit: () => {} };
      }),
    );
    const [a, b] = [h.splits.add(), h.splits.add()];
    feed(h, [{ time: 1 }], b);
    feed(h, [{ time: 1 }, { time: 1 }], a);
    expect(trace(h)).toEqual(['1', '1|-Infinity', '1|100', 'wm 100']);
    h.splits.finish(a);
    feed(h, [{ time: 2 }], b);
    expect([...trace(h), made]).toEqual(['2|200', 'wm 200', 2]);
  });

  it('WM11 rows without timestamp are shown as behind every instant', () => {
    const seen: number[] = [];
    const h = harness(forGenerator<S>(() => ({ onEvent: (_row, time) => seen.push(time), onPeriodicEmit: () => {} })));
    feed(h, [{ time: null }, { time: 4 }]);
    expect(seen).toEqual([NO_TIMESTAMP, 4]);
  });

  it('WM11 one that is no instant is refused', () => {
    for (const watermark of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const h = harness(
        forGenerator<S>(() => ({
          onEvent: (_row, _time, output) => output.emitWatermark(watermark),
          onPeriodicEmit: () => {},
        })),
      );
      expect(() => feed(h, [{ time: 1 }])).toThrow(`A watermark is a finite number of milliseconds, not ${watermark}.`);
    }
  });
});

describe('periodic watermarks of a generator', () => {
  it('WM12 are asked for every interval, rows or not', () => {
    let now = 0;
    const h = harness(
      forGenerator<S>(() => ({ onEvent: () => {}, onPeriodicEmit: (output) => output.emitWatermark(now) }), {
        emit: 50,
      }),
    );
    h.splits.add();
    feed(h, [{ time: 1 }], 0);
    for (now = 10; now <= 30; now += 10) h.advance(50);
    expect(trace(h)).toEqual(['1', 'wm 10', 'wm 20', 'wm 30']);
  });

  it('WM12 carry the ingestion of the first batch that raised the largest timestamp', () => {
    const h = harness(forGenerator<S>(() => new BoundedOutOfOrderness(0)));
    const at = (ingestedAt: number, time: number): void => {
      const batch = h.batch([{ mark: false, at: null, v: 0 }], { times: [time] });
      batch.ingestedAt = ingestedAt;
      h.feed(batch);
    };
    const raised: number[] = [];
    const main = h.consumers.get('main') as unknown as { watermark: (w: number, ingestedAt: number) => void };
    const watermark = main.watermark.bind(main);
    main.watermark = (w, ingestedAt) => {
      raised.push(ingestedAt);
      watermark(w, ingestedAt);
    };
    at(11, 5);
    at(12, 9);
    h.advance(200);
    at(250, 3);
    at(260, 10);
    h.advance(200);
    expect(raised).toEqual([11, 260]);
  });
});

describe('idleness of a generator', () => {
  it('WM13 a split that its generator marks idle holds back nothing until its next row or watermark', () => {
    const h = harness(
      forGenerator<S>(() => ({
        onEvent: (row, time, output) => {
          if (row.mark) output.markIdle();
          else output.emitWatermark(time);
        },
        onPeriodicEmit: () => {},
      })),
    );
    const [a, b] = [h.splits.add(), h.splits.add()];
    feed(h, [{ time: 5 }], a);
    feed(h, [{ time: 9 }], b);
    feed(h, [{ time: 6, mark: true }], a);
    expect(trace(h)).toEqual(['5', '9', 'wm 5', '6', 'wm 9']);
    feed(h, [{ time: 7 }], a);
    feed(h, [{ time: 20 }], b);
    expect(trace(h)).toEqual(['7', '20']);
    feed(h, [{ time: 12 }], a);
    expect(trace(h)).toEqual(['12', 'wm 12']);
    feed(h, [{ time: 12, mark: true }], a);
    feed(h, [{ time: 12, mark: true }], b);
    h.advance(200);
    expect(trace(h)).toEqual(['12', 'wm 20', '12', 'idle']);
  });

  it('WM5 the timeout holds for every kind', () => {
    for (const strategy of [punctuated(), monotonousTimestamps(), forGenerator(() => new BoundedOutOfOrderness(0))]) {
      const h = harness((strategy as WatermarkStrategy<S>).withIdleness(1000));
      const [a, b] = [h.splits.add(), h.splits.add()];
      feed(h, [{ time: 5, mark: true }], a);
      for (let t = 10; t < 18; t++) feed(h, [{ time: t, mark: true }], b).advance(200);
      const last = trace(h).findLast((l) => l.startsWith('wm'));
      expect(Number(last?.slice(3))).toBeGreaterThan(10);
      h.advance(2000);
      expect(trace(h).at(-1)).toBe('idle');
    }
  });
});

describe('timestamps that are assigned', () => {
  const assigned = (emit: EmitWatermarks): WatermarkStrategy<S> =>
    boundedOutOfOrderness(0, { emit }).withTimestampAssigner<S>((row, given) => row.at ?? given);

  it('WM14 replace those of the source, before anything looks at them', () => {
    const h = harness(assigned('on-event'));
    feed(h, [{ time: 100, at: 5 }, { time: 8 }, { at: null }, { at: 7 }]);
    expect(trace(h)).toEqual(['5|-Infinity', '8|4', 'null|7', '7|7', 'wm 7']);
  });

  it('WM14 leave the batch as it was given', () => {
    const h = harness(assigned(200));
    const batch = h.batch([{ mark: false, at: 5, v: 0 }], { times: [100] });
    h.feed(batch);
    expect([batch.time[0], ...trace(h)]).toEqual([100, '5']);
  });

  it('WM14 are numbers, or an error that names the operator', () => {
    const h = harness(boundedOutOfOrderness(0).withTimestampAssigner<S>((row) => row.at as number));
    expect(() => feed(h, [{ at: null }])).toThrow('operator: a timestamp is a number of milliseconds, not null.');
  });
});

describe('any kind', () => {
  it('WM11 how the input is cut into batches changes nothing, and a bounded generator does what the loops do', () => {
    const rows = fc.array(fc.record({ split: fc.nat(2), time: fc.option(fc.integer({ min: -50, max: 200 })) }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        rows,
        fc.nat(20),
        fc.constantFrom<EmitWatermarks>('on-event', 100),
        fc.array(fc.nat(3)),
        (given, bound, emit, cuts) => {
          const run = (strategy: WatermarkStrategy<S>, cut: readonly number[]): string[] => {
            const h = harness(strategy);
            for (let s = 0; s < 3; s++) h.splits.add();
            let current = 'none';
            const lines: string[] = [];
            const take = (): void => {
              for (const e of h.emissions()) {
                if (e.kind === 'watermark') current = `${e.watermark}`;
                if (e.kind !== 'row') continue;
                if (e.watermark !== null && e.watermark !== Number.NEGATIVE_INFINITY) current = `${e.watermark}`;
                lines.push(`${e.time} in ${current}`);
              }
            };
            let batch: typeof given = [];
            const flush = (): void => {
              if (batch[0] !== undefined) feed(h, batch, batch[0].split);
              batch = [];
              take();
            };
            for (const [i, row] of given.entries()) {
              if (batch.length > 0 && (batch[0]?.split !== row.split || cut[i % cut.length] === 0 || cut.length === 0))
                flush();
              batch.push(row);
              // Timers stand between the same rows, however these are cut.
              if (i % 7 === 6) {
                flush();
                h.advance(100);
                take();
              }
            }
            flush();
            return lines;
          };
          const generator = (): WatermarkStrategy<S> =>
            forGenerator(() => new BoundedOutOfOrderness(bound) as WatermarkGenerator<S>, { emit });
          const one = run(boundedOutOfOrderness(bound, { emit }), []);
          expect(run(boundedOutOfOrderness(bound, { emit }), cuts)).toEqual(one);
          expect(run(generator(), [])).toEqual(one);
          expect(run(generator(), cuts)).toEqual(one);
        },
      ),
      { numRuns: 300, seed: 20 },
    );
  });
});
