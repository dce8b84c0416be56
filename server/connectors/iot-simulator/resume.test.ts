import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { type ReadRow, SourceRun, type SourceSnapshot } from '#testing/source-run.ts';
import { parseSimulate } from './options.ts';
import { IotSimulator } from './simulator.ts';

const EVERYTHING =
  'disorder=exp:2s,malformed=0.02,late=0.02,skew=0.2:2s,hot=0.1,offline=0.5,churn=3,tick=0.05,profile=weather';
const simulator = (options: string) => new IotSimulator(parseSimulate(options));
const text = ({ row, time, split }: ReadRow) => JSON.stringify([split, time, row]);

/** Options of a run that goes on from another one. */
const from = (run: SourceRun | null): { restored?: SourceSnapshot } =>
  run === null ? {} : { restored: run.snapshot() };

/** Rows of each split, in their order. */
function bySplit(rows: readonly ReadRow[]): Record<string, string[]> {
  const splits: Record<string, string[]> = {};
  for (const row of rows) {
    const list = splits[row.split] ?? [];
    splits[row.split] = list;
    list.push(text(row));
  }
  return Object.fromEntries(Object.entries(splits).sort());
}

describe('a simulator that goes on from a checkpoint', () => {
  it('SR2 gives every split the very rows that were still to come, cut anywhere, again and again, at any parallelism', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          `devices=20,events=1500,splits=4,${EVERYTHING}`,
          'devices=9,events=1500,splits=2,profile=noise,malformed=0.1',
          'devices=9,events=900,splits=3,profile=noise,disorder=lognormal:1s,1',
          'devices=7,events=900,splits=3,rate=9000,offline=1,churn=1000',
        ),
        fc.nat(1000),
        fc.integer({ min: 5, max: 80 }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(3), { maxLength: 30 })), { maxLength: 3 }),
        fc.integer({ min: 1, max: 5 }),
        async (options, seed, capacity, legs, last) => {
          const source = simulator(`${options},seed=${seed}`);
          const whole = await new SourceRun(source, { capacity: 64 }).toEnd();
          const rows: ReadRow[] = [];
          let startAt = 0;
          let run: SourceRun | null = null;
          for (const [parallelism, polls] of legs) {
            const restored = from(run);
            run?.close();
            startAt += 1_000_000;
            run = new SourceRun(source, { ...restored, parallelism, capacity, clock: new ManualClock(startAt) });
            for (const subtask of polls) await run.poll(subtask % parallelism);
            rows.push(...run.rows);
          }
          const restored = from(run);
          const end = await new SourceRun(source, { ...restored, parallelism: last, capacity }).toEnd();
          expect(bySplit([...rows, ...end.rows])).toEqual(bySplit(whole.rows));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('SR3 and at parallelism 1 all rows in the same order, a batch of each split in turn', async () => {
    const source = simulator(`devices=50,events=6k,splits=3,${EVERYTHING}`);
    const whole = await new SourceRun(source, { capacity: 100 }).toEnd();
    for (const polls of [1, 7, 30, 59, 61]) {
      const first = new SourceRun(source, { capacity: 100 });
      for (let i = 0; i < polls; i++) await first.poll(0);
      const second = await new SourceRun(source, { capacity: 100, restored: first.snapshot() }).toEnd();
      expect([...first.rows, ...second.rows].map(text)).toEqual(whole.rows.map(text));
    }
  });

  it('SR2 a split whose last rows are out is finished once more, and counts as being read until then', async () => {
    const source = simulator('devices=2,splits=2,events=20');
    const first = new SourceRun(source);
    await first.poll(0);
    await first.poll(0);
    expect(first.rows).toHaveLength(20);
    const restored = first.snapshot();
    expect(restored.splits[0]).toHaveLength(2 - first.finished.length);
    const second = await new SourceRun(source, { restored }).toEnd();
    expect(second.rows).toEqual([]);
    expect([...first.finished, ...second.finished].sort()).toEqual(['simulator-0', 'simulator-1']);
  });
});

/** Polls once a millisecond for `ms`. */
async function pass(run: SourceRun, ms: number): Promise<void> {
  for (let i = 0; i < ms; i++) {
    run.clock.advance(1);
    await run.poll(0);
    await run.poll(0);
  }
}

const now = 1_800_000_000_000;
const inject = (kind: string, strength: number, durationMs: number) => ({
  type: 'inject',
  injection: { id: 1, kind, strength, durationMs, malformed: null, startedAt: now, endsAt: now + durationMs },
});

describe('a simulator that follows the clock', () => {
  it('SR4 keeps device order, offsets and what is drawn; event time goes on with the clock, arrears of a second are made up', async () => {
    const source = simulator('devices=10,splits=1,rate=1000,profile=noise,disorder=none');
    const whole = new SourceRun(source, { clock: new ManualClock(now) });
    await pass(whole, 300);
    const first = new SourceRun(source, { clock: new ManualClock(now) });
    await pass(first, 100);
    const second = new SourceRun(source, { clock: new ManualClock(now + 60_000), restored: first.snapshot() });
    await pass(second, 200);
    const values = ({ row }: ReadRow) => [row.device_id, row.offset, row.temperature];
    expect([...first.rows, ...second.rows].map(values).slice(0, 200)).toEqual(whole.rows.map(values).slice(0, 200));
    const [before, behind] = [first.rows.at(-1)?.time ?? 0, second.rows[0]?.time ?? 0];
    expect(before).toBeLessThanOrEqual(now + 100);
    expect(behind).toBeGreaterThanOrEqual(now + 59_000);
  });

  it('SR5 settings that were changed are those of the checkpoint, and are known to whoever asks', async () => {
    const options = 'devices=10,splits=2,events=4k,seed=3,rate=100k';
    const change = { type: 'settings', rate: 50_000, malformed: 0.3, late: 0.2, disorder: 'exp:1s' };
    const clock = () => new ManualClock(now);
    const whole = new SourceRun(simulator(options), { clock: clock() });
    await whole.poll(0);
    whole.control(change);
    await whole.toEnd();
    const first = new SourceRun(simulator(options), { clock: clock() });
    await first.poll(0);
    first.control(change);
    await pass(first, 3);
    const again = simulator(options);
    const second = new SourceRun(again, { clock: clock(), restored: first.snapshot(), parallelism: 2 });
    expect(again.settings).toMatchObject({ rate: 50_000, malformed: 0.3, late: 0.2, disorder: 'exp:1s' });
    await second.toEnd();
    expect(bySplit([...first.rows, ...second.rows])).toEqual(bySplit(whole.rows));
  });

  it.each([
    ['malformed', 50, 0],
    ['late', 100, 1000],
    ['offline', 3, 400],
    ['disorder', 50, 400],
    ['burst', 3, 400],
  ])(
    'SR5 an injection (%s) goes on, makes all it was asked for, and tells how much that was',
    async (kind, strength, durationMs) => {
      const options = 'devices=10,splits=2,rate=1000,seed=3';
      const told: [number, boolean][] = [];
      const start = (restored?: SourceSnapshot, at = now) => {
        const source = simulator(options);
        source.onInjectionProgress((_, affected, done) => told.push([affected, done]));
        return new SourceRun(source, { clock: new ManualClock(at), ...(restored === undefined ? {} : { restored }) });
      };
      const whole = start();
      whole.control(inject(kind, strength, durationMs));
      await pass(whole, 1500);
      const [affected, done] = told.at(-1) as [number, boolean];
      expect(done).toBe(true);
      expect(affected).toBeGreaterThan(0);

      told.length = 0;
      const first = start();
      first.control(inject(kind, strength, durationMs));
      await pass(first, 150);
      const second = start(first.snapshot(), first.clock.now());
      await pass(second, 1350);
      expect(told.at(-1)).toEqual([affected, true]);
      expect(bySplit([...first.rows, ...second.rows])).toEqual(bySplit(whole.rows));
    },
  );

  it('SR5 what was stopped behind the checkpoint stays stopped, what was begun behind it begins again', async () => {
    const source = simulator('devices=10,splits=2,rate=1000,seed=3');
    const told: [number, number, boolean][] = [];
    source.onInjectionProgress((...news) => told.push(news));
    const late = (id: number) => {
      const order = inject('late', 100, 1000);
      return { ...order, injection: { ...order.injection, id } };
    };
    const first = new SourceRun(source, { clock: new ManualClock(now) });
    first.control(late(1));
    await pass(first, 100);
    const restored = first.snapshot();
    first.control({ type: 'stop', id: 1 });
    first.control(late(2));
    await pass(first, 100);
    first.close();
    const second = new SourceRun(source, { clock: new ManualClock(now + 200), restored });
    const injected = (id: number): number => second.rows.filter(({ row }) => `${row.source}`.endsWith(`#${id}`)).length;
    await pass(second, 300);
    expect(injected(1)).toBe(0);
    expect(injected(2)).toBeGreaterThan(0);
    expect(told.at(-1)?.[0]).toBe(2);
    await pass(second, 700);
    expect(told.at(-1)).toEqual([2, injected(2), true]);
    second.close();
    // One that was stopped while nothing ran.
    source.stopInjection(1);
    const third = new SourceRun(source, { clock: new ManualClock(now + 1200), restored });
    await pass(third, 50);
    expect(third.rows.filter(({ row }) => `${row.source}`.includes('#'))).toEqual([]);
  });
});
