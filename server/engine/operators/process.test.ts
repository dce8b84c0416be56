import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { BATCH_ROWS } from '../batch/record-batch.ts';
import { bytes, f64, i32, nullable, schema, string } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { OutputTag, type ProcessFunction } from './process.ts';

const In = schema({ k: nullable(string()), v: f64(), p: nullable(bytes()) });
const Narrow = schema({ v: f64(), k: string() });
const Other = schema({ text: string() });
const bad = new OutputTag('bad', Other);
const more = new OutputTag('more', schema({ n: i32() }));

type In = typeof In.fields;
type Narrow = typeof Narrow.fields;

const narrow = (fn: ProcessFunction<In, Narrow>): OperatorHarness =>
  harnessOf(In, (rows) => rows.process('step', { output: Narrow, sideOutputs: [bad, more], create: () => fn }));

const row = (k: string | null, v: number) => ({ k, v, p: null });
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => row('a', from + i));
const mainValues = (h: OperatorHarness): unknown[] =>
  h.emissions().flatMap((e) => (e.kind === 'row' && e.output === 'main' ? [e.row.v] : []));

describe('process functions', () => {
  it('PR1 forward passes the row on, narrowed to the output’s columns, with timestamp, watermark and split', () => {
    const h = narrow((r, _ctx, out) => {
      if (r.v !== 2) out.forward();
    });
    h.rows([row('a', 1), row('b', 2), row('c', 3)], { times: [10, 20, 30], watermarks: [5, 6, 7], split: 3 });
    expect(h.take()).toEqual(['{"v":1,"k":"a"} @10 wm 5', '{"v":3,"k":"c"} @30 wm 7']);
    expect(h.consumers.get('main')?.split).toBe(3);
    h.rows([row('d', 4)]);
    expect(h.take()).toEqual(['{"v":4,"k":"d"} @null']);
  });

  it('PR2 a collected row has the timestamp, the watermark in force and the split of the row it was made from', () => {
    const h = narrow((r, _ctx, out) => {
      out.collect({ k: `${r.k}!`, v: r.v * 2 });
      out.collect({ k: 'x', v: 0 });
    });
    h.rows([row('a', 1), row('b', 2)], { times: [10, null], watermarks: [5, 6], split: 3 });
    expect(h.take()).toEqual([
      '{"v":2,"k":"a!"} @10 wm 5',
      '{"v":0,"k":"x"} @10 wm 5',
      '{"v":4,"k":"b!"} @null wm 6',
      '{"v":0,"k":"x"} @null wm 6',
    ]);
    expect(h.consumers.get('main')?.split).toBe(3);
    h.rows([row('c', 3)], { split: 4 });
    expect(h.consumers.get('main')?.split).toBe(4);
  });

  it('PR3 forwarded and collected rows keep their order, also where the first collect comes late', () => {
    const h = narrow((r, _ctx, out) => {
      if (r.v === 3) out.collect({ k: 'new', v: 30 });
      out.forward();
      if (r.v === 4) out.collect({ k: 'new', v: 40 });
    });
    h.rows(numbers(1, 6), { times: [1, 2, 3, 4, 5] });
    expect(mainValues(h)).toEqual([1, 2, 30, 3, 4, 40, 5]);
    h.rows(numbers(6, 8));
    expect(mainValues(h)).toEqual([6, 7]);
  });

  it('PR3 a row may be forwarded more than once', () => {
    const h = narrow((r, _ctx, out) => {
      for (let i = 0; i < r.v; i++) out.forward();
    });
    h.rows([row('a', 2), row('b', 0), row('c', 1)]);
    expect(h.take()).toEqual(['{"v":2,"k":"a"} @null', '{"v":2,"k":"a"} @null', '{"v":1,"k":"c"} @null']);
    const many = narrow((_r, _ctx, out) => {
      for (let i = 0; i < 3; i++) out.forward();
    });
    many.rows(numbers(0, BATCH_ROWS));
    expect(mainValues(many)).toEqual(numbers(0, BATCH_ROWS).flatMap((r) => [r.v, r.v, r.v]));
  });

  it('PR4 side outputs get their rows, with the timestamp of the row; the main output is untouched', () => {
    const h = narrow((r, ctx, out) => {
      if (r.v < 0) ctx.output(bad, { text: `negative ${r.k}` });
      else out.forward();
      if (r.v === 7) ctx.output(more, { n: 7 });
    });
    h.rows([row('a', 1), row('b', -1), row('c', 7)], { times: [10, 20, 30] });
    expect(h.take().sort()).toEqual(
      ['bad {"text":"negative b"} @20', 'more {"n":7} @30', '{"v":1,"k":"a"} @10', '{"v":7,"k":"c"} @30'].sort(),
    );
    expect([h.cells[OperatorCell.RECORDS_IN], h.cells[OperatorCell.RECORDS_OUT]]).toEqual([3, 4]);
  });

  it('PR4 an undeclared tag is an error that names operator and tag', () => {
    const h = narrow((_r, ctx) => ctx.output(new OutputTag('oops', Other), { text: '' }));
    expect(() => h.rows([row('a', 1)])).toThrow('step: side output "oops" was not declared; list it in sideOutputs.');
  });

  it('PR4 wrong types name operator and side output', () => {
    const h = narrow((_r, ctx) => ctx.output(more, { n: 0.5 }));
    expect(() => h.rows([row('a', 1)])).toThrow('step, side output more: field "n" is i32 but was given 0.5 (number).');
  });

  it('PR5 the context knows timestamp, watermark in force, processing time and subtask', () => {
    const seen: unknown[] = [];
    const h = narrow((_r, ctx) => {
      seen.push([ctx.timestamp, ctx.currentWatermark, ctx.currentProcessingTime, ctx.subtask]);
    });
    h.clock.set(1000);
    h.rows([row('a', 1), row('a', 2)], { times: [10, null] });
    h.watermark(50);
    h.rows([row('a', 3)], { times: [60] });
    h.rows([row('a', 4), row('a', 5)], { times: [70, 80], watermarks: [50, 69] });
    expect(seen).toEqual([
      [10, Number.NEGATIVE_INFINITY, 1000, 0],
      [null, Number.NEGATIVE_INFINITY, 1000, 0],
      [60, 50, 1000, 0],
      [70, 50, 1000, 0],
      [80, 69, 1000, 0],
    ]);
  });

  it('PR6 forward needs an output schema whose columns are columns of the input', () => {
    const h = harnessOf(In, (rows) =>
      rows.process('step', { output: Other, create: () => (_row, _ctx, out) => out.forward() }),
    );
    expect(() => h.rows([row('a', 1)])).toThrow(
      /step: forward\(\) needs an output schema whose columns are input columns/,
    );
  });

  it('PR7 one row may make any number of rows, and holds back those behind it until all are out', () => {
    const h = narrow((r, ctx, out) => {
      if (r.v === 1) for (let i = 0; i < 5000; i++) out.collect({ k: 'x', v: i });
      else out.collect({ k: 'y', v: -1 - r.v });
      ctx.output(bad, { text: `${r.v}` });
    });
    h.credits(1);
    h.rows([row('a', 0), row('a', 1), row('a', 2)]);
    expect(h.pending).toBe(true);
    expect(mainValues(h)).toEqual([-1, ...Array.from({ length: BATCH_ROWS - 1 }, (_, i) => i)]);
    expect(h.drip()).toBeGreaterThan(1);
    const rest = h.emissions();
    const main = rest.flatMap((e) => (e.kind === 'row' && e.output === 'main' ? [e.row.v] : []));
    expect(main).toEqual([...Array.from({ length: 5000 - BATCH_ROWS + 1 }, (_, i) => i + BATCH_ROWS - 1), -3]);
    expect(rest.flatMap((e) => (e.kind === 'row' && e.output === 'bad' ? [e.row.text] : []))).toEqual(['0', '1', '2']);
  });

  it('PR8 stopping without credits and going on gives every row once and in order, whatever the function does', () => {
    const action = fc.array(fc.constantFrom('forward', 'collect', 'bad', 'more', 'burst'), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(20), action), { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.nat(2)),
        (program, credits) => {
          const rows: { v: number; does: string[] }[] = [];
          for (const [repeat, does] of program) for (let i = 0; i <= repeat; i++) rows.push({ v: rows.length, does });
          const expected: Record<string, unknown[]> = { main: [], bad: [], more: [] };
          const h = narrow((r, ctx, out) => {
            for (const what of rows[r.v]?.does ?? []) {
              if (what === 'forward') out.forward();
              else if (what === 'collect') out.collect({ k: 'c', v: r.v + 0.5 });
              else if (what === 'burst') for (let i = 0; i < 700; i++) out.collect({ k: 'b', v: i });
              else if (what === 'bad') ctx.output(bad, { text: `${r.v}` });
              else ctx.output(more, { n: r.v });
            }
          });
          for (const { v, does } of rows) {
            for (const what of does) {
              if (what === 'forward') expected.main?.push(v);
              else if (what === 'collect') expected.main?.push(v + 0.5);
              else if (what === 'burst') for (let i = 0; i < 700; i++) expected.main?.push(i);
              else if (what === 'bad') expected.bad?.push(`${v}`);
              else expected.more?.push(v);
            }
          }
          const cut = 100;
          for (let at = 0; at < rows.length; at += cut) {
            h.credits(1, 'main').credits(1, 'bad').credits(1, 'more');
            h.rows(rows.slice(at, at + cut).map(({ v }) => row('a', v)));
            for (let tries = 0; h.pending; tries++) {
              if (tries > 10_000) throw new Error('never ends');
              for (const name of ['main', 'bad', 'more']) {
                const n = credits.next().value as number;
                if (n > 0) h.credits(n, name);
              }
              h.resume();
            }
          }
          const out: Record<string, unknown[]> = { main: [], bad: [], more: [] };
          for (const e of h.emissions()) if (e.kind === 'row') out[e.output]?.push(e.row.v ?? e.row.text ?? e.row.n);
          expect(out).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('PR10 its dictionary is the operator’s own and is swept', () => {
    const h = narrow((r, _ctx, out) => out.collect({ k: `${r.v}`, v: 0 }));
    expect(h.owned.length).toBe(1);
    h.rows(numbers(0, 3));
    expect(h.owned[0]?.size).toBe(3);
  });

  it('PR11 the end comes behind the last row, after everything pending', () => {
    const h = narrow((_r, _ctx, out) => {
      for (let i = 0; i < 3000; i++) out.collect({ k: 'a', v: i });
    });
    h.credits(1).rows([row('a', 1)]);
    expect(h.pending).toBe(true);
    h.drip();
    h.credits(1).end();
    const kinds = h
      .emissions()
      .filter((e) => e.output === 'main')
      .map((e) => e.kind);
    expect(kinds.length).toBe(3001);
    expect(kinds.at(-1)).toBe('end');
  });
});
