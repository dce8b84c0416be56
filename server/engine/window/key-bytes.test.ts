import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { harnessOf } from '#testing/harness-of.ts';
import { ByteWriter } from '../batch/row-bytes.ts';
import { f64, schema, string } from '../batch/schema.ts';
import { javaHash, keyGroupOf } from '../exchange/key-groups.ts';
import type { OperatorSnapshot } from '../state/snapshot.ts';
import { sum } from './aggregates.ts';
import { TumblingEventTimeWindows } from './assigners.ts';
import { KeyBytes } from './key-bytes.ts';

const MAX_PARALLELISM = 128;

describe('keys as snapshots write them', () => {
  it('ST3 a code stands for the key that it has, whatever was forgotten before, and for the one it has while it is pinned', () => {
    const steps = fc.array(fc.tuple(fc.nat(40), fc.string({ maxLength: 12 }), fc.boolean()), { maxLength: 300 });
    fc.assert(
      fc.property(steps, fc.nat(3000), (codes, padding) => {
        const texts = new Map<number, string>();
        const textOf = (code: number): string => texts.get(code) as string;
        const keys = new KeyBytes({
          hash: (code) => javaHash(textOf(code)),
          save: (code, to) => to.text(textOf(code)),
        });
        for (const [code, text, pinned] of codes) {
          keys.forget(code);
          texts.set(code, text + 'x'.repeat(padding));
          if (pinned) keys.pin();
          const place = keys.place(code);
          keys.forget(code + 1);
          if (pinned) {
            expect(keys.place(code)).toBe(place);
            keys.unpin();
          }
        }
        for (const [code, text] of texts) {
          const [saved, expected] = [new ByteWriter(), new ByteWriter()];
          keys.save(code, saved);
          expected.text(text);
          expect(saved.written()).toEqual(expected.written());
          expect(keys.group(code, MAX_PARALLELISM)).toBe(keyGroupOf(javaHash(text), MAX_PARALLELISM));
        }
      }),
      { seed: 11, numRuns: 30 },
    );
  });

  it('SL5 keys of any length, all in one key group or each in its own, go on as they were', () => {
    const Row = schema({ k: string(), v: f64() });
    const build = (restore?: readonly OperatorSnapshot[]) =>
      harnessOf(
        Row,
        (rows) =>
          rows
            .keyBy('k')
            .window(TumblingEventTimeWindows.of(10))
            .aggregate({ s: sum('v') }),
        {
          maxParallelism: MAX_PARALLELISM,
          ...(restore === undefined ? {} : { restore }),
        },
      );
    const names = Array.from({ length: 300 }, (_, i) => `${'ä'.repeat((i * 7) % 150)}${i}`);
    const crowded = Array.from({ length: 20_000 }, (_, i) => `key ${i}`).filter(
      (name) => keyGroupOf(javaHash(name), MAX_PARALLELISM) === 5,
    );
    const keys = [...names, ...crowded];
    const rows = keys.flatMap((k, i) => [0, 10].map((time) => ({ k, v: i + 0.1, time })));
    const feed = (h: ReturnType<typeof build>) =>
      h.rows(
        rows.map(({ k, v }) => ({ k, v })),
        { times: rows.map(({ time }) => time) },
      );
    const undisturbed = feed(build());
    const restored = build([feed(build()).snapshot()]);
    for (const h of [undisturbed, restored]) h.watermark(99);
    const results = undisturbed.take();
    expect(results).toHaveLength(rows.length + 1);
    expect(restored.take().sort()).toEqual(results.sort());
  });
});
