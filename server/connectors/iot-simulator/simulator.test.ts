import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Poll } from '#engine/io/source.ts';
import { type SimulatedRow, SimulatorHarness } from './harness.ts';
import { FIXED_START } from './options.ts';

const EVERYTHING = 'disorder=exp:2s,malformed=0.02,late=0.02,skew=0.2:2s,hot=0.1,offline=0.5,churn=3,tick=0.05';

/** Rows per split, without where and when they were polled. */
function bySplit(rows: readonly SimulatedRow[]): Map<string, Omit<SimulatedRow, 'at' | 'split'>[]> {
  const splits = new Map<string, Omit<SimulatedRow, 'at' | 'split'>[]>();
  for (const { at: _at, split: _split, ...row } of rows) {
    const key = row.source ?? '';
    splits.set(key, [...(splits.get(key) ?? []), row]);
  }
  return new Map([...splits].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('simulator: bounded runs', () => {
  it('a split holds the same rows whatever the parallelism and the size of batches', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('profile=weather', 'profile=noise', 'profile=noise,disorder=uniform:1024ms,malformed=0.1'),
        fc.boolean(),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 300 }),
        fc.nat(1000),
        (profile, everything, parallelism, capacity, seed) => {
          const options = `devices=20,events=2000,splits=4,seed=${seed},${everything && !profile.includes('uniform') ? `${EVERYTHING},` : ''}${profile}`;
          const reference = bySplit(new SimulatorHarness(options).runToEnd());
          const other = bySplit(new SimulatorHarness(options, { parallelism, capacity, startAt: 5e11 }).runToEnd());
          expect(other).toEqual(reference);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('at parallelism 1 the order over splits is the same every time, a batch of each in turn', () => {
    const options = `devices=50,events=20k,splits=3,${EVERYTHING}`;
    const one = new SimulatorHarness(options, { capacity: 512 }).runToEnd();
    const two = new SimulatorHarness(options, { capacity: 512, startAt: 4e11 }).runToEnd();
    expect(two.map(({ at: _, ...row }) => row)).toEqual(one.map(({ at: _, ...row }) => row));
    expect(
      new SimulatorHarness('devices=50,events=6k,splits=3', { capacity: 500 }).runToEnd().map((r) => r.split),
    ).toEqual(Array.from({ length: 6000 }, (_, i) => Math.floor(i / 500) % 3));
  });

  it('splits that are paused give no rows while the others go on, and the same rows later', () => {
    const options = `devices=20,events=5k,splits=4,seed=4,${EVERYTHING}`;
    const harness = new SimulatorHarness(options, { capacity: 64 });
    const rows: SimulatedRow[] = [];
    const [reader] = harness.subtasks;
    for (let poll = 0; !reader?.ended; poll++) {
      reader?.paused.clear();
      // Other splits each time; sometimes all of them.
      for (let index = 0; index < 4; index++) if ((poll >> 2) % (index + 2) === 0) reader?.paused.add(index);
      const from = rows.length;
      harness.poll(0, rows);
      for (const { split } of rows.slice(from)) expect(reader?.paused.has(split)).toBe(false);
    }
    expect(bySplit(rows)).toEqual(bySplit(new SimulatorHarness(options).runToEnd()));
  });

  it('a paused split wakes nobody, and has what was due in the meantime when it goes on', () => {
    const harness = new SimulatorHarness('devices=2,splits=2,rate=100,seed=1');
    const [subtask] = harness.subtasks;
    subtask?.paused.add(0).add(1);
    harness.run(500, 10);
    expect(subtask?.reader.wakeAt).toBe(Number.POSITIVE_INFINITY);
    subtask?.paused.delete(1);
    const other = harness.run(10, 10);
    expect(new Set(other.map((row) => row.split))).toEqual(new Set([1]));
    subtask?.paused.clear();
    const both = harness.run(10, 10);
    expect(both.filter((row) => row.split === 0).length).toBeGreaterThan(20);
    expect(subtask?.reader.wakeAt).toBeLessThan(harness.clock.now() + 100);
  });

  it('another seed gives another stream', () => {
    const rows = (seed: number) =>
      new SimulatorHarness(`devices=9,events=100,seed=${seed}`).runToEnd().map((r) => r.temperature);
    expect(rows(1)).not.toEqual(rows(2));
  });

  it.each([
    `devices=30,events=5003,${EVERYTHING}`,
    'devices=7,events=3,splits=7',
    'devices=1,events=10k,profile=noise',
    'devices=10,events=5k,offline=1,tick=0.01',
  ])('%s: exactly that many events come, numbered in each split, then the end', (options) => {
    const harness = new SimulatorHarness(options, { parallelism: 2, capacity: 100 });
    const rows = harness.runToEnd();
    expect(rows).toHaveLength(harness.simulator.options.events ?? -1);
    for (const split of bySplit(rows).values()) expect(split.map((r) => r.offset)).toEqual(split.map((_, i) => i));
    const { splits } = harness.simulator.options;
    expect(harness.subtasks.map((t) => t.finished.length)).toEqual([Math.ceil(splits / 2), Math.floor(splits / 2)]);
  });

  it('a subtask without splits ends at once', () => {
    const harness = new SimulatorHarness('devices=2,splits=2,events=10', { parallelism: 3 });
    expect(harness.poll(2, [])).toBe(Poll.END);
  });

  it('a split is finished only when its last rows have been taken', () => {
    const harness = new SimulatorHarness('devices=1,splits=1,events=10');
    const rows: SimulatedRow[] = [];
    expect(harness.poll(0, rows)).toBe(Poll.MORE);
    expect(rows).toHaveLength(10);
    expect(harness.subtasks[0]?.finished).toEqual([]);
    expect(harness.poll(0, rows)).toBe(Poll.END);
    expect(harness.subtasks[0]?.finished).toEqual([0]);
  });

  it('with a rate, a bounded run has the same rows whatever the clock does', () => {
    const options = 'devices=10,events=500,rate=100,disorder=exp:1s,start=1600000000000,speed=3';
    const slow = new SimulatorHarness(options);
    const fast = new SimulatorHarness(options, { startAt: 7e11 });
    const rows = slow.run(8000);
    expect(rows).toHaveLength(500);
    expect(bySplit(fast.run(8000, 450))).toEqual(bySplit(rows));
    const span = Math.max(...rows.map((r) => r.time)) - 1_600_000_000_000;
    expect(span).toBeGreaterThan(13_000);
    expect(span).toBeLessThanOrEqual(15_000);
  });
});

describe('simulator: what is in the rows', () => {
  it('malformed and late events have their shares', () => {
    const rows = new SimulatorHarness('devices=100,events=200k,malformed=0.05,late=0.02,tick=1000').runToEnd();
    const malformed = rows.filter((r) => r.payload !== null);
    expect(malformed.length / rows.length).toBeGreaterThan(0.047);
    expect(malformed.length / rows.length).toBeLessThan(0.053);
    // 200 ms of event time in all: whatever is older came late.
    const late = rows.filter((r) => r.payload === null && r.time < FIXED_START);
    expect(late.length / rows.length).toBeGreaterThan(0.018);
    expect(late.length / rows.length).toBeLessThan(0.022);
    for (const row of late) {
      expect(row.time).toBeGreaterThanOrEqual(FIXED_START - 60_000);
      expect(row.time).toBeLessThanOrEqual(FIXED_START - 9_800);
    }
    expect(rows.every((r) => r.payloadBytes === null)).toBe(true);
    expect(rows.filter((r) => r.defect !== 0).every((r) => r.payload !== null && Number.isNaN(r.time))).toBe(true);
    expect(rows.filter((r) => r.defect === 0).every((r) => r.time === r.timestamp)).toBe(true);
  });

  it.each([
    ['uniform:2s', 1000, 1386 / 2, [0, 1999]],
    ['exp:2s', 2000, 2000 * Math.LN2, [0, 86_400_000]],
    ['lognormal:800ms,0.5', 800 * Math.exp(0.125), 800, [0, 86_400_000]],
  ] as const)('delays of %s have their mean and bounds', (disorder, mean, median, [min, max]) => {
    const rows = new SimulatorHarness(`devices=100,events=100k,splits=1,tick=100000,disorder=${disorder}`).runToEnd();
    const delays = rows.map((r) => FIXED_START - r.time).sort((a, b) => a - b);
    const average = delays.reduce((a, b) => a + b, 0) / delays.length;
    expect(Math.abs(average - mean) / mean).toBeLessThan(0.02);
    expect(delays[0]).toBeGreaterThanOrEqual(min);
    expect(delays[delays.length - 1]).toBeLessThanOrEqual(max);
    const middle = delays[delays.length / 2] as number;
    if (disorder !== 'uniform:2s') expect(Math.abs(middle - median) / median).toBeLessThan(0.03);
    else expect(delays[delays.length - 1]).toBeGreaterThan(1990);
  });

  it('profile noise: devices in turn, out of order by 0..1023 ms, `tick` events per ms, values in their bands', () => {
    const rows = new SimulatorHarness('devices=1000,events=100k,profile=noise,splits=2').runToEnd();
    const delays = [0, 1].flatMap((split) =>
      rows
        .filter((r) => r.split === split)
        .map((r, i) => Math.floor(FIXED_START + split / 500 + (i * 2) / 500) - r.time),
    );
    expect(Math.min(...delays)).toBe(0);
    expect(Math.max(...delays)).toBe(1023);
    const perDevice = new Map<string, number>();
    for (const r of rows) perDevice.set(r.device ?? '', (perDevice.get(r.device ?? '') ?? 0) + 1);
    expect(perDevice.size).toBe(1000);
    expect(new Set(perDevice.values())).toEqual(new Set([100]));
    expect(
      rows.every((r) => Number(r.temperature) >= 20 && Number(r.temperature) < 25 && Number(r.pressure) < 1050),
    ).toBe(true);
  });

  it('profile noise takes any other delay model too', () => {
    const rows = new SimulatorHarness(
      'devices=10,events=10k,profile=noise,tick=1000000,disorder=uniform:100ms',
    ).runToEnd();
    expect(Math.min(...rows.map((r) => r.time))).toBe(FIXED_START - 99);
    expect(Math.max(...rows.map((r) => r.time))).toBe(FIXED_START);
  });

  it('profile weather: a warm afternoon, humidity against temperature, two decimals, everything in range', () => {
    // 48 hours of four stations that report every ten seconds.
    const rows = new SimulatorHarness('devices=4,splits=1,events=69120,tick=0.0004').runToEnd();
    const perHour = Array.from({ length: 24 }, () => ({ sum: 0, count: 0 }));
    for (const r of rows) {
      const [t, h, p] = [Number(r.temperature), Number(r.humidity), Number(r.pressure)];
      for (const v of [t, h, p]) expect(v).toBe(Number(v.toFixed(2)));
      if (!(t > -40 && t < 85 && h > 0 && h <= 100 && p > 900 && p < 1100))
        throw new Error(`out of range: ${t} ${h} ${p}`);
      const hour = perHour[Math.floor(r.time / 3_600_000) % 24];
      if (hour === undefined) throw new Error('no such hour');
      hour.sum += t;
      hour.count++;
    }
    const mean = perHour.map((h) => h.sum / h.count);
    expect(Math.max(...mean.slice(13, 17)) - Math.min(...mean.slice(1, 6))).toBeGreaterThan(5);
    expect(
      correlation(
        rows.map((r) => Number(r.temperature)),
        rows.map((r) => Number(r.humidity)),
      ),
    ).toBeLessThan(-0.7);
    const one = rows.filter((r) => r.device === 'device-0').map((r) => Number(r.temperature));
    for (let i = 1; i < one.length; i++)
      expect(Math.abs((one[i] as number) - (one[i - 1] as number))).toBeLessThan(0.5);
  });

  it('hot devices get their share, others share the rest', () => {
    const rows = new SimulatorHarness('devices=1000,events=40k,hot=0.5').runToEnd();
    const hot = new Set(['device-0', 'device-1', 'device-2', 'device-3']);
    const share = rows.filter((r) => hot.has(r.device ?? '')).length / rows.length;
    expect(share).toBeGreaterThan(0.48);
    expect(share).toBeLessThan(0.53);
  });

  it('wrong clocks belong to a share of the devices, each off by the same time throughout', () => {
    const rows = new SimulatorHarness('devices=500,events=50k,skew=0.2:30s,tick=100000').runToEnd();
    const off = new Map<string, Set<number>>();
    for (const r of rows)
      off.set(r.device ?? '', (off.get(r.device ?? '') ?? new Set()).add(Math.round((r.time - FIXED_START) / 4)));
    const skewed = [...off.values()].filter((s) => ![...s].every((v) => v === 0));
    expect(skewed.length).toBeGreaterThan(70);
    expect(skewed.length).toBeLessThan(130);
    for (const s of off.values()) expect(s.size).toBeLessThanOrEqual(2);
  });

  it('offline devices send what they measured later, in order and complete', () => {
    const options = 'devices=40,events=80k,splits=2,tick=0.04';
    const held = new SimulatorHarness(`${options},offline=0.5`).runToEnd();
    let newest = 0;
    let backlog = 0;
    for (const r of held) {
      if (r.time < newest - 4000) backlog++;
      newest = Math.max(newest, r.time);
    }
    expect(backlog).toBeGreaterThan(500);
    const times = new Map<string, number[]>();
    for (const r of held) times.set(r.device ?? '', [...(times.get(r.device ?? '') ?? []), r.time]);
    for (const list of times.values()) {
      // One reading a second from each device, none lost, none twice, never back in time.
      for (let i = 1; i < list.length; i++) expect((list[i] as number) - (list[i - 1] as number)).toBe(1000);
    }
  });
});

function correlation(x: readonly number[], y: readonly number[]): number {
  const mean = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [(x[i] as number) - mx, (y[i] as number) - my];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xy / Math.sqrt(xx * yy);
}

describe('simulator: names', () => {
  it('each device has one name and one code, known to the dictionary before the first row', () => {
    const harness = new SimulatorHarness('devices=10k,events=10k,splits=2,profile=noise');
    const rows = harness.runToEnd();
    expect(new Set(rows.map((r) => r.device)).size).toBe(10_000);
    // Devices and the two sources.
    expect(harness.subtasks[0]?.dictionary.size).toBe(10_002);
  });

  it('many devices are registered in pieces, so that no poll takes long', () => {
    const harness = new SimulatorHarness('devices=20k,events=100,splits=1,profile=noise');
    const rows: SimulatedRow[] = [];
    let polls = 0;
    while (rows.length === 0) {
      expect(harness.poll(0, rows)).toBe(Poll.MORE);
      polls++;
    }
    expect(polls).toBe(5);
  });

  it.each(['profile=noise,devices=50', 'devices=50,malformed=0.2', 'churn=5,tick=0.01,devices=20'])(
    '%s: a dictionary that is swept all the time changes nothing in the rows',
    (more) => {
      const options = `events=6000,${more}`;
      const reference = bySplit(new SimulatorHarness(options, { capacity: 100 }).runToEnd());
      const swept = new SimulatorHarness(options, { capacity: 100, sweepEntries: 1 });
      expect(bySplit(swept.runToEnd())).toEqual(reference);
    },
  );

  it('churn does not grow the dictionary: names that are gone are let go', () => {
    const harness = new SimulatorHarness('devices=100,events=100k,churn=20,tick=0.1', { sweepEntries: 500 });
    const rows: SimulatedRow[] = [];
    let largest = 0;
    while (harness.poll(0, rows) !== Poll.END) largest = Math.max(largest, harness.subtasks[0]?.dictionary.size ?? 0);
    expect(new Set(rows.map((r) => r.device)).size).toBeGreaterThan(18_000);
    // The limit, and what one batch brings.
    expect(largest).toBeLessThan(500 + 2048);
  });

  it('churn: new names all the time, as many as asked for, and an old one never comes back', () => {
    // 1,000 s of event time with two new devices a second.
    const rows = new SimulatorHarness('devices=100,events=100k,churn=2,tick=0.1').runToEnd();
    const last = new Map<string, number>();
    const first = new Map<string, number>();
    rows.forEach((r, i) => {
      const device = r.device ?? '';
      last.set(device, i);
      if (!first.has(device)) first.set(device, i);
    });
    expect(first.size).toBeGreaterThan(1950);
    expect(first.size).toBeLessThanOrEqual(2100);
    // A device lives for 50 s of event time, 5,000 rows.
    for (const [device, at] of last) expect(at - (first.get(device) ?? 0)).toBeLessThan(9000);
  });
});

describe('simulator: rate', () => {
  it('small rates deliver each event when it is due, one split after the other', () => {
    const harness = new SimulatorHarness('devices=10,rate=10');
    const start = harness.clock.now();
    const rows = [...harness.drain(), ...harness.run(1000)];
    expect(rows.map((r) => r.at - start)).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    expect(rows.map((r) => r.time)).toEqual(rows.map((r) => r.at));
    expect(harness.subtasks[0]?.reader.wakeAt).toBe(start + 1100);
  });

  it('a rate is kept over time, whatever the pace of polling', () => {
    for (const step of [1, 7, 400]) {
      const rows = new SimulatorHarness('devices=100,rate=12345').run(10_000, step);
      expect(Math.abs(rows.length - 123_450)).toBeLessThanOrEqual(4 + 12.345 * step);
    }
  });

  it('after a pause at most a second of arrears is caught up', () => {
    const harness = new SimulatorHarness('devices=100,rate=1000');
    harness.run(100);
    harness.clock.advance(60_000);
    const rows = harness.drain();
    expect(rows.length).toBeGreaterThanOrEqual(1000);
    expect(rows.length).toBeLessThanOrEqual(1004);
    expect(Math.min(...rows.map((r) => r.time))).toBeGreaterThanOrEqual(harness.clock.now() - 1000);
    expect(harness.run(1000)).toHaveLength(1000);
  });

  it('a clock that is set back does not stop the stream', () => {
    const harness = new SimulatorHarness('devices=100,rate=1000');
    harness.run(100);
    harness.clock.set(harness.clock.now() - 3_600_000);
    expect(harness.run(1000).length).toBeGreaterThan(990);
  });

  it('at rate=max every batch is full', () => {
    const harness = new SimulatorHarness('devices=100,rate=max,disorder=exp:1s,malformed=0.1');
    for (let i = 0; i < 20; i++) {
      const rows: SimulatedRow[] = [];
      expect(harness.poll(0, rows)).toBe(Poll.MORE);
      expect(rows).toHaveLength(2048);
    }
  });

  it('live event time is wall time minus the delay', () => {
    const harness = new SimulatorHarness('devices=100,rate=5000,disorder=uniform:3s');
    const lags = harness.run(2000).map((r) => r.at - r.time);
    expect(Math.min(...lags)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...lags)).toBeLessThanOrEqual(3000);
    expect(Math.abs(lags.reduce((a, b) => a + b, 0) / lags.length - 1500)).toBeLessThan(40);
  });
});
