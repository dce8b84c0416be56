/** Bench `state`: what keyed state costs beside tumbling windows, with a time to live, by number of keys, and on disk. */

import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import { DEFAULT_STATE } from '#engine/state/keyed-state.ts';
import type { TaskManagers } from '#runtime/job/task-managers.ts';
import { collectGarbage } from './garbage.ts';
import { IOT, iotParams } from './iot-params.ts';
import { type Comparison, compare, cpuText, millions, type Pass, ratioText } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { expectCount, newTaskManagers, runJob, warmUp } from './run-job.ts';
import { devicesJob, KEEPER, type KeysParams, keysJob } from './state-jobs.ts';

const DEVICES = 1000;
/** Longer than any run: what is measured is the keeping of times, not that values go. */
const TTL_MS = 3_600_000;
const MANY = 1_000_000;
/** Bytes of a cached counter, with all that belongs to it (`cached-backend.ts`): room for a tenth of the keys. */
const CACHE_BYTES = (MANY / 10) * 215;
const ROUND = 1 << 18;

interface Row extends Comparison {
  readonly name: string;
  readonly against: string;
  readonly goal: number | null;
}

type Run = (taskManagers: TaskManagers, units: number) => Promise<Pass>;

const tumbling: Run = async (taskManagers, events) => {
  const options = parseSimulate(`profile=noise,rate=max,devices=${DEVICES},events=${events}`);
  const done = await runJob(taskManagers, { name: 'iot', params: iotParams({ kind: 'simulator', options }, 1) });
  expectCount('events into the windows', done.recordsIn(IOT.windows), events);
  return { units: events, rate: events / done.seconds };
};

const counters =
  (ttlMs: number | null): Run =>
  async (taskManagers, events) => {
    const done = await runJob(taskManagers, devicesJob({ devices: DEVICES, events, ttlMs }));
    expectCount('events into the keeper', done.recordsIn(KEEPER), events);
    return { units: events, rate: events / done.seconds };
  };

const keyed =
  (params: Omit<KeysParams, 'rows'>): Run =>
  async (taskManagers, rows) => {
    const done = await runJob(taskManagers, keysJob({ ...params, rows }));
    expectCount('rows into the keeper', done.recordsIn(KEEPER), rows);
    return { units: rows, rate: rows / done.seconds };
  };

const onHeap = (keys: number, access: KeysParams['access']): Run =>
  keyed({ keys, access, valueBytes: 0, state: DEFAULT_STATE });
const onDisk = (keys: number, access: KeysParams['access']): Run =>
  keyed({ keys, access, valueBytes: 0, state: { stateBackend: 'level', stateCacheBytes: CACHE_BYTES } });

interface Subject {
  readonly name: string;
  readonly subject: Run;
  readonly against: string;
  readonly yardstick: Run;
  /** Of the yardstick's speed; null: told for what it is. */
  readonly goal: number | null;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: `ValueState, ${DEVICES} devices`,
    subject: counters(null),
    against: 'tumbling windows',
    yardstick: tumbling,
    goal: 0.25,
  },
  {
    name: 'with a time to live',
    subject: counters(TTL_MS),
    against: 'without',
    yardstick: counters(null),
    goal: 0.9,
  },
  ...[10_000, 100_000, MANY].map((keys) => ({
    name: `${keys} keys, uniform`,
    subject: onHeap(keys, 'uniform'),
    against: '1000 keys',
    yardstick: onHeap(1000, 'uniform'),
    goal: null,
  })),
  {
    name: 'level, 1 M keys, Zipf',
    subject: onDisk(MANY, 'zipf'),
    against: 'heap',
    yardstick: onHeap(MANY, 'zipf'),
    goal: 0.1,
  },
  {
    name: 'level, 1 M keys, uniform',
    subject: onDisk(MANY, 'uniform'),
    against: 'heap',
    yardstick: onHeap(MANY, 'uniform'),
    goal: null,
  },
];

export async function stateBench({ runs, seconds, say }: BenchOptions): Promise<Report> {
  const taskManagers = newTaskManagers(1);
  const rows: Row[] = [];
  try {
    say('other jobs first …');
    await warmUp(taskManagers);
    for (const { name, subject, against, yardstick, goal } of SUBJECTS) {
      await collectGarbage();
      // The slower of both decides how much makes a run long enough.
      const { rate } = await subject(taskManagers, ROUND);
      const units = Math.max(ROUND, Math.ceil((rate * seconds) / ROUND) * ROUND);
      say(`${name}: ${runs} runs of ${units / 1e6} M …`);
      const found = await compare(
        runs,
        () => subject(taskManagers, units),
        () => yardstick(taskManagers, units),
        1,
      );
      rows.push({ name, against, goal, ...found });
    }
  } finally {
    await taskManagers.close();
  }
  return {
    bench: 'state',
    question:
      'a value per key from a KeyedProcessFunction: beside windows, with a time to live, by number of keys, on disk',
    columns: ['state', 'M events/s', 'against', 'M events/s', 'ratio', 'goal', '', 'CPU ns / event'],
    rows: rows.map((row) => [
      row.name,
      millions(row.subject),
      row.against,
      millions(row.yardstick),
      ratioText(row),
      row.goal?.toFixed(2) ?? '',
      row.goal === null ? '' : row.ratio >= row.goal ? 'goal' : 'MISSED',
      cpuText(row),
    ]),
    notes: [
      `Medians [min..max] of ${runs} runs each, in turns; ratio of medians [of neighbouring runs].`,
      'The first two are the main job with a counter per device where it has windows; the others bare keys. On disk, a tenth of the keys fits into the cache.',
    ],
    data: rows,
  };
}
