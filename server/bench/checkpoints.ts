/** Bench `checkpoints`: what exactly-once every second costs, how long tasks stand still for it, and how long a checkpoint takes. */

import { WeirError } from '#base/errors.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import { DEFAULT_STATE } from '#engine/state/keyed-state.ts';
import type { TaskManagers } from '#runtime/job/task-managers.ts';
import type { JobSpec } from '#runtime/messages.ts';
import type { CheckpointStatistics } from '#shared/checkpoints.ts';
import { withCheckpoints } from './bench-checkpoints.ts';
import { collectGarbage } from './garbage.ts';
import { IOT, iotParams } from './iot-params.ts';
import { type Comparison, compare, cpuText, millions, type Pass, ratioText, type Series, series } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { expectCount, newTaskManagers, runJob, warmUp } from './run-job.ts';
import { KEEPER, keysJob } from './state-jobs.ts';

const INTERVAL_MS = 1000;
/** Pairs at least. */
const PAIRS = 7;
/** A run has to see several checkpoints. */
const LEAST_SECONDS = 4;
const MANY = 1_000_000;
const ROUND = 1 << 20;

interface Subject {
  readonly name: string;
  readonly operator: string;
  readonly spec: (units: number) => JobSpec;
  /** Units of a run at least. */
  readonly least: number;
  /** Of the speed without checkpoints; null: told for what it is. */
  readonly goal: number | null;
  /** ms */
  readonly sync: number | null;
  readonly duration: number | null;
}

const iot =
  (devices: number) =>
  (events: number): JobSpec => {
    const options = parseSimulate(`profile=noise,rate=max,devices=${devices},events=${events}`);
    return { name: 'iot', params: iotParams({ kind: 'simulator', options }, 1) };
  };
const keys = (rows: number): JobSpec =>
  keysJob({ keys: MANY, rows, access: 'uniform', valueBytes: 0, state: DEFAULT_STATE });

const SUBJECTS: readonly Subject[] = [
  { name: '1000 devices', operator: IOT.windows, spec: iot(1000), least: ROUND, goal: 0.95, sync: 5, duration: null },
  {
    name: '100000 devices',
    operator: IOT.windows,
    spec: iot(100_000),
    least: 20 * ROUND,
    goal: 0.9,
    sync: 20,
    duration: null,
  },
  { name: '1 M keys', operator: KEEPER, spec: keys, least: 8 * ROUND, goal: null, sync: null, duration: 2000 },
];

interface Row extends Comparison {
  readonly of: Subject;
  /** Of the slowest subtask of each checkpoint, ms. */
  readonly sync: Series;
  /** From the trigger to the last acknowledgement, ms. */
  readonly duration: Series;
}

export async function checkpointsBench({ runs, seconds, say }: BenchOptions): Promise<Report> {
  const taskManagers = newTaskManagers(1);
  const pairs = Math.max(PAIRS, runs);
  const rows: Row[] = [];
  try {
    say('other jobs first …');
    await warmUp(taskManagers);
    for (const of of SUBJECTS) {
      await collectGarbage();
      let units = of.least;
      // The first is slower than all others, and would make them too short.
      for (let time = 0; time < 2; time++) {
        const { rate } = await plain(taskManagers, of, units);
        units = Math.max(of.least, Math.ceil((rate * Math.max(seconds, LEAST_SECONDS)) / ROUND) * ROUND);
      }
      say(`${of.name}: ${pairs} pairs of ${units / 1e6} M …`);
      const sync: number[] = [];
      const duration: number[] = [];
      const found = await compare(
        pairs,
        () => checkpointed(taskManagers, of, units, sync, duration),
        () => plain(taskManagers, of, units),
        1,
      );
      if (duration.length === 0) throw new WeirError('BENCH_CHECKPOINTS', `${of.name}: no checkpoint was taken.`);
      rows.push({ of, sync: series(sync), duration: series(duration), ...found });
    }
  } finally {
    await taskManagers.close();
  }
  return report(rows, pairs);
}

async function plain(taskManagers: TaskManagers, of: Subject, units: number): Promise<Pass> {
  const done = await runJob(taskManagers, of.spec(units));
  expectCount(`${of.name}, without checkpoints`, done.recordsIn(of.operator), units);
  return { units, rate: units / done.seconds };
}

/** Adds what the checkpoints took to `sync` and `duration`. */
function checkpointed(
  taskManagers: TaskManagers,
  of: Subject,
  units: number,
  sync: number[],
  duration: number[],
): Promise<Pass> {
  return withCheckpoints(INTERVAL_MS, async (checkpoints) => {
    let last: CheckpointStatistics | null = null;
    const syncOf = new Map<number, number>();
    const done = await runJob(taskManagers, of.spec(units), {
      checkpoints,
      look: (master) => {
        last = master.checkpoints;
        for (const { id } of last?.history ?? []) {
          const tasks = master.checkpointDetails(id)?.tasks ?? [];
          const times = tasks.flatMap((task) => task.acknowledgements.map(({ syncMs }) => syncMs));
          syncOf.set(id, Math.max(0, ...times));
        }
      },
    });
    expectCount(`${of.name}, with checkpoints`, done.recordsIn(of.operator), units);
    const rows = ((last as CheckpointStatistics | null)?.history ?? []).filter(({ status }) => status === 'COMPLETED');
    for (const row of rows) {
      duration.push(row.durationMs);
      sync.push(syncOf.get(row.id) as number);
    }
    return { units, rate: units / done.seconds };
  });
}

const ms = ({ median, max }: Series): string => `${median.toFixed(1)}, at most ${max.toFixed(1)}`;
const verdict = (value: number, goal: number | null, holds: (value: number, goal: number) => boolean): string =>
  goal === null ? '' : holds(value, goal) ? 'goal' : 'MISSED';
const below = (value: number, goal: number): boolean => value < goal;

function report(rows: readonly Row[], pairs: number): Report {
  return {
    bench: 'checkpoints',
    question: 'exactly-once every second: what does it cost, how long do tasks stand still, how long does it take?',
    columns: [
      'job',
      'M/s',
      'without',
      'ratio',
      'goal',
      '',
      'CPU ns / row',
      'standstill, ms',
      'below',
      '',
      'checkpoint, ms',
      'below',
      '',
    ],
    rows: rows.map((row) => [
      row.of.name,
      millions(row.subject),
      millions(row.yardstick),
      ratioText(row),
      row.of.goal?.toFixed(2) ?? '',
      verdict(row.ratio, row.of.goal, (value, goal) => value >= goal),
      cpuText(row),
      ms(row.sync),
      row.of.sync?.toFixed(0) ?? '',
      verdict(row.sync.median, row.of.sync, below),
      ms(row.duration),
      row.of.duration?.toFixed(0) ?? '',
      verdict(row.duration.median, row.of.duration, below),
    ]),
    notes: [
      `Medians [min..max] of ${pairs} pairs in turns, parallelism 1; ratio of medians [of pairs].`,
      'Standstill: of the slowest task of each checkpoint; checkpoint: from its trigger to its last acknowledgement. Medians over all checkpoints.',
    ],
    data: rows.map(({ of, ...row }) => ({ ...row, job: of.name, goal: of.goal })),
  };
}
