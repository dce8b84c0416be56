/** Async operators in whole jobs: answers come with the event loop, in an order drawn from a seed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { f64, i32, schema, string } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { count, sum } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { LocalExecutor } from './local-executor.ts';

const Reading = schema({ device: string(), value: f64() });
const Placed = schema({ device: string(), value: f64(), room: i32() });

describe('async jobs', () => {
  it('AS13 windows behind a lookup are those of the same job without waiting', async () => {
    const settings = fc.record({
      seed: fc.integer(),
      rows: fc.integer({ min: 0, max: 300 }),
      capacity: fc.integer({ min: 1, max: 20 }),
      ordered: fc.boolean(),
      parallelism: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(settings, async ({ seed, rows: size, capacity, ordered, parallelism }) => {
        const random = new Random(seed);
        const rows = Array.from({ length: size }, (_, i) => ({
          row: { device: `d${random.below(5)}`, value: random.below(100) },
          time: i * 10 - random.below(200),
        }));
        const run = async (lookup: boolean): Promise<string[]> => {
          const results = new CollectSink();
          const env = new StreamExecutionEnvironment({ name: 'lookup', parallelism });
          const readings = env
            .fromSource(fromRows(Reading, rows, { cut: () => 1 + random.below(50) }), 'rows')
            .setParallelism(1)
            .assignTimestampsAndWatermarks(boundedOutOfOrderness(50, { emit: 'on-event' }))
            .setParallelism(1);
          const place = ({ device, value }: { device: string; value: number }) => ({
            device,
            value,
            room: Number(device.slice(1)),
          });
          const placed = lookup
            ? readings
                .asyncWait('rooms', {
                  output: Placed,
                  capacity,
                  ordered,
                  timeoutMs: 1000,
                  create: () => ({
                    asyncInvoke: async (row) => {
                      for (let turns = random.below(4); turns > 0; turns--)
                        await new Promise((resolve) => setImmediate(resolve));
                      return [place(row)];
                    },
                  }),
                })
                .setParallelism(1)
            : readings.map('rooms', Placed, place).setParallelism(1);
          placed
            .keyBy('device')
            .window(TumblingEventTimeWindows.of(100))
            .aggregate({ n: count(), total: sum('value'), room: sum('room') })
            .sinkTo(results, 'results');
          await new LocalExecutor(env.jobGraph(), { seed, channels: 'mixed' }).runAsync();
          return results.committed.map(({ row }) => JSON.stringify(row)).sort();
        };
        expect(await run(true)).toEqual(await run(false));
      }),
      { numRuns: 40, seed: 4 },
    );
  });

  it('AS6 an error fails the job and names the operator', async () => {
    const env = new StreamExecutionEnvironment({ name: 'lookup' });
    env
      .fromSource(fromRows(Reading, [{ row: { device: 'a', value: 1 }, time: 0 }]), 'rows')
      .asyncWait('rooms', {
        output: Placed,
        ordered: true,
        timeoutMs: 1000,
        create: () => ({ asyncInvoke: () => Promise.reject(new Error('no such room')) }),
      })
      .sinkTo(new CollectSink(), 'results');
    await expect(new LocalExecutor(env.jobGraph()).runAsync()).rejects.toThrow('rooms: no such room');
  });
});
