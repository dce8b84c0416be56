/** Bench `generator`: the engine against a hand-written loop on the same stream. */

import { WeirError } from '#base/errors.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import type { TaskManagers } from '#runtime/job/task-managers.ts';
import { collectGarbage } from './garbage.ts';
import { IOT, iotParams } from './iot-params.ts';
import { type Comparison, compare, cpuText, millions, type Pass, ratioText } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { Rival } from './rival.ts';
import { expectCount, newTaskManagers, runJob, WORKER, warmUp } from './run-job.ts';
import { faultOf } from './yardstick.ts';

const DEVICES = [1000, 100_000];
/** What must hold, and what is hoped for, of one loop and of two. */
const GOALS = [
  { parallelism: 1, least: 0.45, goal: 0.7 },
  { parallelism: 2, least: 0.4, goal: 0.65 },
];
/** Events of the first of the runs that say how many make a run long enough. */
const TRIAL = 4_000_000;
const TRIALS = 2;
/** A run begins with naming all devices to all threads, half a second of work with 100,000 of them: fewer events would measure that. */
const LEAST = 20 * 2 ** 20;
const ROUND = 1 << 20;

interface Row extends Comparison {
  readonly parallelism: number;
  readonly devices: number;
  readonly events: number;
  readonly windows: number;
  readonly least: number;
  readonly goal: number;
}

export async function generatorBench({ runs, seconds, say }: BenchOptions): Promise<Report> {
  const rivals = [new Rival(WORKER), new Rival(WORKER)];
  const rows: Row[] = [];
  /** Results that a stream gives, whoever works on it. */
  const results = new Map<string, number>();
  try {
    for (const { parallelism, least, goal } of GOALS) {
      const taskManagers = newTaskManagers(parallelism);
      try {
        say(`parallelism ${parallelism}: other jobs first …`);
        await warmUp(taskManagers);
        for (const devices of DEVICES) {
          let events = TRIAL;
          for (let i = 0; i < TRIALS; i++) {
            const { rate } = await runEngine(taskManagers, parallelism, devices, events, results);
            events = Math.max(LEAST, Math.ceil((rate * seconds) / ROUND) * ROUND);
          }
          await collectGarbage();
          say(`parallelism ${parallelism}, ${devices} devices: ${runs} runs of ${events / 1e6} M events …`);
          const found = await compare(
            runs,
            () => runEngine(taskManagers, parallelism, devices, events, results),
            () => runLoops(rivals.slice(0, parallelism), devices, events / parallelism),
          );
          const windows = results.get(`${devices}/${events}`) ?? 0;
          rows.push({ parallelism, devices, events, windows, least, goal, ...found });
        }
      } finally {
        await taskManagers.close();
      }
    }
  } finally {
    await Promise.all(rivals.map((rival) => rival.close()));
  }
  return report(rows, runs);
}

/** One run, all of whose events were counted at every operator. */
async function runEngine(
  taskManagers: TaskManagers,
  parallelism: number,
  devices: number,
  events: number,
  results: Map<string, number>,
): Promise<Pass> {
  const options = parseSimulate(`profile=noise,rate=max,devices=${devices},events=${events}`);
  const run = await runJob(taskManagers, {
    name: 'iot',
    params: iotParams({ kind: 'simulator', options }, parallelism),
  });
  const what = `generator, parallelism ${parallelism}, ${devices} devices`;
  for (const operator of [IOT.source, IOT.validate, IOT.watermarks, IOT.windows]) {
    expectCount(`${what}, events into ${operator}`, run.recordsIn(operator), events);
  }
  expectCount(`${what}, errors`, run.totals.errors, 0);
  expectCount(`${what}, late events`, run.totals.late, 0);
  const key = `${devices}/${events}`;
  const windows = results.get(key) ?? run.totals.windows;
  results.set(key, windows);
  expectCount(`${what}, results`, run.totals.windows, windows);
  if (windows < devices) throw new WeirError('BENCH_COUNT', `${what}: ${windows} results of ${devices} devices.`);
  return { units: events, rate: events / run.seconds };
}

/** Loops that run at the same time, their speeds added up. */
export async function runLoops(
  rivals: readonly Rival[],
  devices: number,
  events: number,
  form: 'plain' | 'touch' | 'faster' = 'faster',
): Promise<Pass> {
  const passes = await Promise.all(rivals.map((rival) => rival.yardstick({ devices, events, form })));
  let rate = 0;
  let units = 0;
  for (const pass of passes) {
    const fault = faultOf(pass);
    if (fault !== null) throw new WeirError('BENCH_COUNT', `yardstick: ${fault}.`);
    rate += pass.events / pass.seconds;
    units += pass.events;
  }
  return { units, rate };
}

function report(rows: readonly Row[], runs: number): Report {
  return {
    bench: 'generator',
    question: 'simulator -> validate -> keyBy -> ten aggregates in 5 s windows, against hand-written loops',
    columns: ['parallelism, devices', 'M events/s', 'yardstick', 'ratio', 'at least', 'goal', '', 'CPU ns / event'],
    rows: rows.map((row) => [
      `${row.parallelism}, ${row.devices}`,
      millions(row.subject),
      millions(row.yardstick),
      ratioText(row),
      row.least.toFixed(2),
      row.goal.toFixed(2),
      row.ratio >= row.goal ? 'goal' : row.ratio >= row.least ? 'holds' : 'FAILS',
      cpuText(row),
    ]),
    notes: [
      `Medians [min..max] of ${runs} runs each, in turns; ratio of medians [of neighbouring runs].`,
      'CPU: processor time of all threads, of Weir / of the yardstick: the ratio that it would give if nobody else used the machine.',
      'Yardstick: as many loops at the same time as the parallelism says, their speeds added up.',
      `Events of a run: ${rows.map((row) => `${row.events / 1e6} M`).join(', ')}; each counted at every operator, none late or refused.`,
    ],
    data: rows,
  };
}
