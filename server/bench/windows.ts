/** Bench `windows`: what sliding and session windows cost beside tumbling ones, on the same stream. */

import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import type { TaskManagers } from '#runtime/job/task-managers.ts';
import type { JobWindows } from '#shared/live.ts';
import { collectGarbage } from './garbage.ts';
import { IOT, iotParams } from './iot-params.ts';
import { type Comparison, compare, cpuText, millions, type Pass, ratioText } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { expectCount, newTaskManagers, runJob, warmUp } from './run-job.ts';

const DEVICES = 1000;
const TUMBLING: JobWindows = { kind: 'tumbling', sizeMs: 5000 };
interface Subject {
  readonly name: string;
  readonly window: JobWindows;
  /** Of the speed of tumbling windows; null: told for what it is. */
  readonly goal: number | null;
}
const SUBJECTS: readonly Subject[] = [
  { name: 'sliding 60 s / 1 s', window: { kind: 'sliding', sizeMs: 60_000, slideMs: 1000 }, goal: 0.5 },
  { name: 'sessions, gap 3 s', window: { kind: 'session', gapMs: 3000 }, goal: 0.5 },
  // The worst there is: a device sends every 2 ms, up to 1 s out of order, so that a hundred sessions are open that grow and merge.
  { name: 'sessions, gap 12 ms', window: { kind: 'session', gapMs: 12 }, goal: null },
];
/** Events of the first run, which says how many make a run long enough. */
const TRIAL = 4_000_000;
/** Two minutes of the stream, so that sliding windows are as full as they get. */
const LEAST = 60_000_000;
const ROUND = 1 << 20;

interface Row extends Comparison {
  readonly name: string;
  readonly goal: number | null;
  readonly events: number;
}

export async function windowsBench({ runs, seconds, say }: BenchOptions): Promise<Report> {
  const taskManagers = newTaskManagers(1);
  const rows: Row[] = [];
  try {
    say('other jobs first …');
    await warmUp(taskManagers);
    const { rate } = await run(taskManagers, TUMBLING, TRIAL);
    const events = Math.max(LEAST, Math.ceil((rate * seconds) / ROUND) * ROUND);
    for (const { name, window, goal } of SUBJECTS) {
      await collectGarbage();
      say(`${name}: ${runs} runs of ${events / 1e6} M events …`);
      const found = await compare(
        runs,
        () => run(taskManagers, window, events),
        () => run(taskManagers, TUMBLING, events),
        1,
      );
      rows.push({ name, goal, events, ...found });
    }
  } finally {
    await taskManagers.close();
  }
  return report(rows, runs);
}

/** One run at parallelism 1, all of whose events were counted at every operator. */
async function run(taskManagers: TaskManagers, window: JobWindows, events: number): Promise<Pass> {
  const options = parseSimulate(`profile=noise,rate=max,devices=${DEVICES},events=${events}`);
  const params = iotParams({ kind: 'simulator', options }, 1, { window });
  const done = await runJob(taskManagers, { name: 'iot', params });
  for (const operator of [IOT.source, IOT.validate, IOT.watermarks, IOT.windows]) {
    expectCount(`windows, events into ${operator}`, done.recordsIn(operator), events);
  }
  expectCount('windows, late events', done.totals.late, 0);
  return { units: events, rate: events / done.seconds };
}

function report(rows: readonly Row[], runs: number): Report {
  return {
    bench: 'windows',
    question: `ten aggregates in sliding and session windows, against tumbling windows of 5 s; ${DEVICES} devices, parallelism 1`,
    columns: ['windows', 'M events/s', 'tumbling', 'ratio', 'goal', '', 'CPU ns / event'],
    rows: rows.map((row) => [
      row.name,
      millions(row.subject),
      millions(row.yardstick),
      ratioText(row),
      row.goal?.toFixed(2) ?? '',
      row.goal === null ? '' : row.ratio >= row.goal ? 'goal' : 'MISSED',
      cpuText(row),
    ]),
    notes: [
      `Medians [min..max] of ${runs} runs each, in turns with runs of tumbling windows; ratio of medians [of neighbouring runs].`,
      'CPU: processor time of all threads, of these windows / of tumbling ones: the ratio that it would give if nobody else used the machine.',
    ],
    data: rows,
  };
}
