import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { BACKENDS } from '#testing/backends.ts';
import type { HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { feed, take } from '#testing/value-script.ts';
import { f64, type Row, schema, string } from '../batch/schema.ts';
import { lateTag } from '../graph/data-stream.ts';
import { MAX_WATERMARK } from '../operators/operator.ts';
import type { StateBackendFactory } from '../state/keyed-state.ts';
import { sum } from './aggregates.ts';
import { GlobalWindows, type TimedWindows } from './assign.ts';
import {
  SlidingEventTimeWindows,
  SlidingProcessingTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
} from './assigners.ts';
import { EventTimeSessionWindows, ProcessingTimeSessionWindows } from './session-windows.ts';
import type { Trigger } from './trigger.ts';
import {
  ContinuousEventTimeTrigger,
  ContinuousProcessingTimeTrigger,
  CountTrigger,
  EndOfStreamTrigger,
  EventTimeTrigger,
  ProcessingTimeTrigger,
  PurgingTrigger,
} from './triggers.ts';

const S = schema({ k: string(), v: f64() });
const late = lateTag('late', S);

interface Setup {
  /** Null: the global window. */
  readonly windows: TimedWindows<Row<typeof S.fields>> | null;
  readonly trigger: Trigger;
  readonly lateness?: number;
  readonly clock?: ManualClock;
  readonly stateBackend?: StateBackendFactory;
}

/** Sums values per key and window; a trigger of one's own always takes the general operator. */
function windows(setup: Setup, restore?: HarnessOptions['restore']): OperatorHarness {
  const { windows: timed, trigger, lateness = 0, clock, stateBackend } = setup;
  return harnessOf(
    S,
    (rows) => {
      const keyed = rows.keyBy('k');
      if (timed === null)
        return keyed
          .window(GlobalWindows.create())
          .trigger(trigger)
          .aggregate({ s: sum('v') });
      const stream = keyed.window(timed).trigger(trigger).allowedLateness(lateness).sideOutputLateData(late);
      return stream.aggregate({ s: sum('v') });
    },
    {
      ...(clock === undefined ? {} : { clock }),
      ...(stateBackend === undefined ? {} : { stateBackend }),
      ...(restore === undefined ? {} : { restore }),
    },
  );
}

/**
 * Steps: rows (`k2@500`), watermarks (`1500`), and in processing time clock readings. Gives what came out behind each step that gave
 * something; with `restoring` the operator is another one, with the state of the last, before every step.
 */
async function run(setup: Setup, script: string, restoring: boolean): Promise<string[]> {
  let h = windows(setup);
  const out: string[] = [];
  for (const step of script.split(/ *\| */)) {
    if (restoring) h = windows(setup, [await h.snapshotLater()]);
    const { clock } = setup;
    if (step.includes('@')) feed(h, step);
    else if (clock !== undefined) h.advance(Number(step) - clock.now());
    else h.watermark(step === 'end' ? MAX_WATERMARK : Number(step));
    const text = take(h).split(' ').sort(byEnd).join(' ');
    if (text !== '') out.push(`${step}: ${text}`);
  }
  return out;
}

/** Windows that one watermark fires, by end, then by key. */
function byEnd(a: string, b: string): number {
  const end = (text: string): number => Number(/,(\d+)\)$/.exec(text)?.[1] ?? 0);
  return end(a) - end(b) || (a < b ? -1 : 1);
}

/** Rows of Flink's tests of windows without sessions. */
const NINE = 'k2@3999 k2@3000 k1@20 k1@0 k1@999 k2@1998 k2@1999 k2@1000';
const eventTime = EventTimeTrigger.create();
const session = EventTimeSessionWindows.withGap(3000);

const ways = BACKENDS.flatMap(([name, stateBackend]) =>
  [false, true].map((restoring) => ({ name, stateBackend, restoring })),
);
for (const { name, stateBackend, restoring } of ways) {
  const how = `, state on ${name}${restoring ? ', restored before every step' : ''}`;
  const steps = (setup: Setup, script: string) => run({ ...setup, stateBackend }, script, restoring);

  describe(`windows in event time in the general operator${how}`, () => {
    it('W1 tumbling 3 s without lateness', async () => {
      const setup = { windows: TumblingEventTimeWindows.of(3000), trigger: eventTime };
      expect(await steps(setup, `${NINE}|999|1999|2999|3999|4999|5999|6999|7999`)).toEqual([
        '2999: k1:3[0,3000) k2:3[0,3000)',
        '5999: k2:2[3000,6000)',
      ]);
    });

    it('W2 sliding 3 s by 1 s', async () => {
      const setup = { windows: SlidingEventTimeWindows.of(3000, 1000), trigger: eventTime };
      expect(await steps(setup, `${NINE}|999|1999|2999|3999|4999|5999|6999|7999`)).toEqual([
        '999: k1:3[-2000,1000)',
        '1999: k1:3[-1000,2000) k2:3[-1000,2000)',
        '2999: k1:3[0,3000) k2:3[0,3000)',
        '3999: k2:5[1000,4000)',
        '4999: k2:2[2000,5000)',
        '5999: k2:2[3000,6000)',
      ]);
    });

    it('W3 tumbling 2 s, lateness 500, purging: a late firing holds the late row only', async () => {
      const trigger = PurgingTrigger.of(eventTime);
      const setup = { windows: TumblingEventTimeWindows.of(2000), trigger, lateness: 500 };
      expect(await steps(setup, 'k2@500|1500|k2@1300|2300|k2@1997|6000|k2@1998|7000')).toEqual([
        '2300: k2:2[0,2000)',
        'k2@1997: k2:1[0,2000)',
        'k2@1998: late:k2@1998,6000,4002',
      ]);
    });

    it('W4 tumbling 2 s, late rows to the side output', async () => {
      const setup = { windows: TumblingEventTimeWindows.of(2000), trigger: eventTime };
      expect(await steps(setup, 'k2@1000|1985|k2@1980|1999|k2@1998|k2@2001|2999|3999')).toEqual([
        '1999: k2:2[0,2000)',
        'k2@1998: late:k2@1998,1999,1',
        '3999: k2:1[2000,4000)',
      ]);
    });

    it('W5 sliding 3 s by 1 s, late rows that fit no living window to the side output', async () => {
      const setup = { windows: SlidingEventTimeWindows.of(3000, 1000), trigger: eventTime };
      const script = 'k2@1000|1999|k2@2000|3000|k1@3001 k2@2400 k2@2400 k1@3001 k2@3900|6000|k1@3001|25000';
      expect(await steps(setup, script)).toEqual([
        '1999: k2:1[-1000,2000)',
        '3000: k2:2[0,3000)',
        '6000: k1:2[1000,4000) k2:5[1000,4000) k1:2[2000,5000) k2:4[2000,5000) k1:2[3000,6000) k2:1[3000,6000)',
        'k1@3001: late:k1@3001,6000,2999',
      ]);
    });

    it('W6 sessions of 3 s', async () => {
      const setup = { windows: session, trigger: eventTime };
      const script =
        'k2:1@0 k2:2@1000 k2:3@2500 k1:1@10 k1:2@1000|k1:3@2500 k2:4@5501 k2:5@6000 k2:5@6000 k2:6@6050|12000|k2:10@15000 k2:20@15000|17999';
      expect(await steps(setup, script)).toEqual([
        '12000: k1:6[10,5500) k2:6[0,5500) k2:20[5501,9050)',
        '17999: k2:30[15000,18000)',
      ]);
    });

    const lateSessions =
      'k2@1000|1999|k2@2000|4998|k2@4500|k2@8500|7400|k2@7000|11501|k2@11600|14600|k2@10000|k2@14500|20000|100000';
    const beginning = ['11501: k2:5[1000,11500)', '14600: k2:1[11600,14600)'];

    it('W7 sessions of 3 s, lateness 0', async () => {
      expect(await steps({ windows: session, trigger: eventTime }, lateSessions)).toEqual([
        ...beginning,
        'k2@10000: late:k2@10000,14600,4600',
        '20000: k2:1[14500,17500)',
      ]);
    });

    it('W8 sessions of 3 s, lateness 10, keeping and purging', async () => {
      expect(await steps({ windows: session, trigger: eventTime, lateness: 10 }, lateSessions)).toEqual([
        ...beginning,
        'k2@10000: k2:2[10000,14600)',
        '20000: k2:3[10000,17500)',
      ]);
      expect(
        await steps({ windows: session, trigger: PurgingTrigger.of(eventTime), lateness: 10 }, lateSessions),
      ).toEqual([...beginning, 'k2@10000: k2:1[10000,14600)', '20000: k2:1[10000,17500)']);
    });

    it('W9 sessions of 3 s, lateness 10000, keeping and purging', async () => {
      expect(await steps({ windows: session, trigger: eventTime, lateness: 10_000 }, lateSessions)).toEqual([
        ...beginning,
        'k2@10000: k2:7[1000,14600)',
        '20000: k2:8[1000,17500)',
      ]);
      const trigger = PurgingTrigger.of(eventTime);
      expect(await steps({ windows: session, trigger, lateness: 10_000 }, lateSessions)).toEqual([
        ...beginning,
        'k2@10000: k2:1[1000,14600)',
        '20000: k2:1[1000,17500)',
      ]);
    });

    it('W10 a lateness beyond all time never cleans up', async () => {
      const t = 8.64e15;
      const setup = { windows: TumblingEventTimeWindows.of(1000), trigger: eventTime, lateness: Infinity };
      expect(await steps(setup, `k@${t - 1750}|${t - 1500}|${t - 1001}|${t + 1e9}|k@${t - 1750}`)).toEqual([
        `${t - 1001}: k:1[${t - 2000},${t - 1000})`,
        `k@${t - 1750}: k:2[${t - 2000},${t - 1000})`,
      ]);
    });

    it('W11 sessions of 3 s that fire and purge with every fourth row: counts merge', async () => {
      const setup = { windows: session, trigger: PurgingTrigger.of(CountTrigger.of(4)) };
      const script =
        'k2:1@0 k2:2@1000 k2:3@2500 k2:4@3500|k1:1@10 k1:2@1000|k1:3@2500|k1:1@6000 k1:2@6500 k1:3@7000|k1:10@4500';
      expect(await steps(setup, script)).toEqual([
        'k2:1@0 k2:2@1000 k2:3@2500 k2:4@3500: k2:10[0,6500)',
        'k1:10@4500: k1:22[10,10000)',
      ]);
    });

    it('W12 the global window, every 3 s of event time', async () => {
      const setup = { windows: null, trigger: ContinuousEventTimeTrigger.of(3000) };
      const script =
        'k1@0 k1@20 k1@999|k2@3000 k2@3999 k2@1998 k2@1999 k2@1000|1000|2000|3000|4000|5000|6000|7000|8000';
      expect(await steps(setup, script)).toEqual(['3000: k1:3@Infinity', '6000: k1:3@Infinity k2:5@Infinity']);
    });

    it('W13 the global window fires and purges with every fourth row', async () => {
      const setup = { windows: null, trigger: PurgingTrigger.of(CountTrigger.of(4)) };
      const script = 'k2@0 k2@0|k1@0 k1@0|k2@0|k1@0|k2@0|k1@0|k2@0 k2@0|k2@0 k2@0|end';
      expect(await steps(setup, script)).toEqual([
        'k2@0: k2:4@Infinity',
        'k1@0: k1:4@Infinity',
        'k2@0 k2@0: k2:4@Infinity',
      ]);
    });

    it('W14 the global window fires at the end of the input', async () => {
      const setup = { windows: null, trigger: EndOfStreamTrigger.create() };
      expect(await steps(setup, `${NINE}|1000|8000|1000000|end`)).toEqual(['end: k1:3@Infinity k2:5@Infinity']);
    });

    it('W15 sessions of 3 s, every 2 s of event time', async () => {
      const setup = { windows: session, trigger: ContinuousEventTimeTrigger.of(2000) };
      const script = 'k1:1@1500|k2:1@0 k2:3@2500 k2:2@1000|2500|k2:5@4000|3000|k1:2@4000|k2:4@3500|4000';
      expect(await steps(setup, script)).toEqual([
        '2500: k1:1[1500,4500) k2:6[0,5500)',
        '4000: k1:3[1500,7000) k2:15[0,7000)',
      ]);
    });
  });

  describe(`windows in processing time in the general operator${how}`, () => {
    const trigger = ProcessingTimeTrigger.create();

    it('W16 tumbling 3 s', async () => {
      const setup = { windows: TumblingProcessingTimeWindows.of(3000), trigger, clock: new ManualClock() };
      expect(await steps(setup, '3|k2@1 k2@1 k2@1 k1@1 k1@1|5000|k1@1 k1@1 k1@1|7000')).toEqual([
        '5000: k1:2[0,3000) k2:3[0,3000)',
        '7000: k1:3[3000,6000)',
      ]);
    });

    it('W17 sliding 3 s by 1 s', async () => {
      const setup = { windows: SlidingProcessingTimeWindows.of(3000, 1000), trigger, clock: new ManualClock() };
      expect(await steps(setup, '3|k2@1|1000|k2@1 k2@1|2000|k1@1 k1@1|3000|k1@1 k1@1 k1@1|7000')).toEqual([
        '1000: k2:1[-2000,1000)',
        '2000: k2:3[-1000,2000)',
        '3000: k1:2[0,3000) k2:3[0,3000)',
        '7000: k1:5[1000,4000) k2:2[1000,4000) k1:5[2000,5000) k1:3[3000,6000)',
      ]);
    });

    it('W18 sessions of 3 s', async () => {
      const windows = ProcessingTimeSessionWindows.withGap(3000);
      const setup = { windows, trigger, clock: new ManualClock() };
      expect(await steps(setup, '3|k2@1|1000|k2@1|5000|k2@1 k2@1 k1@1 k1@1 k1@1|10000')).toEqual([
        '5000: k2:2[3,4000)',
        '10000: k1:3[5000,8000) k2:2[5000,8000)',
      ]);
    });

    it('GW1 the global window, every 100 ms of the clock while there are rows', async () => {
      const every = ContinuousProcessingTimeTrigger.of(100);
      const setup = { windows: null, trigger: every, clock: new ManualClock() };
      expect(await steps(setup, '10|k@1|50|k@1|101|200|k@1|201|250')).toEqual([
        '101: k:2@Infinity',
        '201: k:3@Infinity',
      ]);
    });
  });
}

describe('a look at the windows of the general operator', () => {
  const ask = (h: OperatorHarness, query: object = {}): unknown => h.inspect({ keys: null, limit: 10, ...query });

  it('W31 the open windows can be looked at, the next to fire first, all or by key', () => {
    const h = windows({ windows: SlidingEventTimeWindows.of(20, 10), trigger: eventTime, lateness: 100 });
    feed(h, 'b@1 a@1 a@11 a@12').watermark(9);
    const a = [
      { key: 'a', start: 0, end: 20, values: [3] },
      { key: 'a', start: 10, end: 30, values: [2] },
    ];
    const b = { key: 'b', start: 0, end: 20, values: [1] };
    expect(ask(h)).toEqual({ open: [b, ...a], count: 3 });
    expect(ask(h, { keys: ['a', 'nobody'] })).toEqual({ open: a, count: 3 });
    expect(ask(h, { perKey: 1 })).toEqual({ open: [b, a[0]], count: 3 });
    expect(ask(h, { limit: 1 })).toEqual({ open: [b], count: 3 });
    h.take();
    expect(take(feed(h, 'a@2').watermark(MAX_WATERMARK))).toBe('a:2[-10,10) b:1[0,20) a:4[0,20) a:2[10,30)');
    expect(ask(h)).toEqual({ open: [], count: 0 });
  });

  it('W31 so can sessions that have merged, windows in processing time, and windows of functions', () => {
    const sessions = windows({ windows: EventTimeSessionWindows.withGap(10), trigger: eventTime });
    feed(sessions, 'a@1 a@9 a@30');
    expect(ask(sessions)).toEqual({
      open: [
        { key: 'a', start: 1, end: 19, values: [2] },
        { key: 'a', start: 30, end: 40, values: [1] },
      ],
      count: 2,
    });
    const clock = new ManualClock(1005);
    const byClock = windows({
      windows: TumblingProcessingTimeWindows.of(1000),
      trigger: ProcessingTimeTrigger.create(),
      clock,
    });
    feed(byClock, 'a@1');
    expect(ask(byClock)).toEqual({ open: [{ key: 'a', start: 1000, end: 2000, values: [1] }], count: 1 });
    byClock.advance(1000);
    expect(ask(byClock)).toEqual({ open: [], count: 0 });
    const reduced = harnessOf(S, (rows) =>
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .trigger(eventTime)
        .reduce((a) => a),
    );
    feed(reduced, 'a@1');
    expect(ask(reduced)).toEqual({ open: [{ key: 'a', start: 0, end: 10, values: [] }], count: 1 });
  });

  it('W31 so can the global one, which is from the beginning to the end of all time', () => {
    const h = windows({ windows: null, trigger: PurgingTrigger.of(CountTrigger.of(3)) });
    feed(h, 'b@1 a@1 a@2 c@1 c@1 c@1');
    const [start, end] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    const open = [
      { key: 'b', start, end, values: [1] },
      { key: 'a', start, end, values: [2] },
    ];
    expect(ask(h)).toEqual({ open, count: 2 });
    expect(ask(h, { keys: ['a', 'c'] })).toEqual({ open: [open[1]], count: 2 });
    h.take();
    expect(take(feed(h, 'b@1 a@1'))).toBe('a:3@Infinity');
  });
});
