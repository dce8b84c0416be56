import { expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { i32, schema, string } from '../batch/schema.ts';
import { valueState } from './descriptors.ts';
import type { ValueState } from './keyed-state.ts';
import { timeToLive } from './ttl.ts';

const Reading = schema({ device: string(), v: i32() });
const TTL_MS = 1000;
const BATCH = 256;

/** Bytes of snapshots while devices come that are never seen again, a batch every 100 ms. */
function sizes(ttlMs: number | null): number[] {
  const clock = new ManualClock(0);
  const h = harnessOf(
    Reading,
    (rows) =>
      rows.keyBy('device').process('last', {
        output: Reading,
        create: () => {
          let last: ValueState<number>;
          return {
            open: (ctx) => {
              last = ctx.getState(valueState('last', ttlMs === null ? {} : { ttl: timeToLive(ttlMs) }));
            },
            processElement: ({ v }) => last.update(v),
          };
        },
      }),
    { clock },
  );
  const found: number[] = [];
  for (let batch = 0; batch < 80; batch++) {
    h.rows(Array.from({ length: BATCH }, (_, i) => ({ device: `device-${100_000 + batch * BATCH + i}`, v: i })));
    h.advance(100);
    h.sweep().take();
    if (batch % 20 === 19) found.push(h.snapshot().keyed.reduce((sum, [, { length }]) => sum + length, 0));
  }
  return found;
}

it('T17 state with a time to live stays as large as it is while ids come that are never seen again; without one it grows with them', () => {
  const [, second, , last] = sizes(TTL_MS) as [number, number, number, number];
  expect(last / second).toBeLessThan(1.1);
  const [first, , , grown] = sizes(null) as [number, number, number, number];
  expect(grown / first).toBeGreaterThan(3.5);
  expect(grown / last).toBeGreaterThan(3);
});
