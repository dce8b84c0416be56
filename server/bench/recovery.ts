/** Bench `recovery`: how long a job stands still when a task manager is killed, with and without one that stands by, and when it is rescaled. */

import { systemClock } from '#base/clock.ts';
import { WeirError } from '#base/errors.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import { OperatorCell, TASK_CELLS } from '#engine/metrics/cells.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import { TaskManagers } from '#runtime/job/task-managers.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { withCheckpoints } from './bench-checkpoints.ts';
import { iotParams } from './iot-params.ts';
import { buildBenchJob } from './jobs.ts';
import { type Series, series } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { WORKER, warmUp } from './run-job.ts';

const DEVICES = 1000;
const INTERVAL_MS = 500;
/** Times that something is done to a job, at least. */
const TIMES = 7;
/** More than any run reads. */
const EVENTS = 100_000_000_000;
/** How long a job runs before something is done to it. */
const SETTLE_MS = 2500;
/** Speed is looked at over so long, ms. */
const WINDOW_MS = 100;
/** Full speed: this share of the median speed before. */
const FULL = 0.9;
const GIVEN_UP_MS = 30_000;

interface Subject {
  readonly name: string;
  readonly standby: boolean;
  readonly disturb: (master: JobMaster, taskManagers: TaskManagers) => Promise<void>;
  /** Below so many ms: until the first row is taken again; until rows flow as fast as before. */
  readonly first: number;
  readonly full: number | null;
}

const kill: Subject['disturb'] = async (_master, taskManagers) => taskManagers.kill(0);

interface Found {
  readonly first: number;
  readonly full: number;
}

export async function recoveryBench({ runs, say }: BenchOptions): Promise<Report> {
  const subjects: readonly Subject[] = [
    { name: 'task manager killed', standby: false, disturb: kill, first: 250, full: 1000 },
    { name: 'killed, one stands by', standby: true, disturb: kill, first: 100, full: 1000 },
    { name: 'windows rescaled 1 to 2', standby: false, disturb: rescaled, first: 1000, full: null },
  ];
  const times = Math.max(TIMES, runs);
  const found = new Map(subjects.map(({ name }): [string, Found[]] => [name, []]));
  // The first round does not count; then all of them in turns, so that what the machine does happens to all.
  for (let time = 0; time <= times; time++) {
    say(`round ${time} of ${times} …`);
    for (const subject of subjects) {
      const one = await disturbed(subject);
      if (time > 0) found.get(subject.name)?.push(one);
    }
  }
  return report(subjects, found, times);
}

/** The task with the windows gets another subtask. */
async function rescaled(master: JobMaster): Promise<void> {
  const windows = master.graph.vertices.at(-1)?.operators[0]?.id as string;
  await master.rescale({ [windows]: 2 });
}

/** One job, to which something is done. */
async function disturbed({ standby, disturb, full }: Subject): Promise<Found> {
  const taskManagers = new TaskManagers({ count: 2, slots: 1, entry: WORKER, standby });
  try {
    await warmUp(taskManagers);
    return await withCheckpoints(INTERVAL_MS, async (checkpoints) => {
      const options = parseSimulate(`profile=noise,rate=max,devices=${DEVICES},events=${EVENTS}`);
      const spec: JobSpec = { name: 'iot', params: iotParams({ kind: 'simulator', options }, 1) };
      const graph = buildBenchJob(spec);
      const master = new JobMaster({
        spec,
        graph,
        taskManagers,
        clock: systemClock,
        checkpoints,
        restart: { type: 'fixed-delay', attempts: 3, delayMs: 0 },
      });
      try {
        await master.start();
        const meter = new Meter(master);
        await meter.during(SETTLE_MS);
        if (master.checkpoints?.latest.completed == null)
          throw new WeirError('BENCH_RECOVERY', 'No checkpoint was taken.');
        return await meter.through(() => disturb(master, taskManagers), full !== null);
      } finally {
        await master.cancel();
        master.dispose();
      }
    });
  } finally {
    await taskManagers.close();
  }
}

/** Rows into the head of a task. */
const ROWS = TASK_CELLS + OperatorCell.RECORDS_IN;

/** Rows into the task with the windows, looked at every millisecond. */
class Meter {
  readonly #master: JobMaster;
  readonly #points: { readonly at: number; readonly rows: number }[] = [];

  constructor(master: JobMaster) {
    this.#master = master;
  }

  async during(ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end; ) await this.#look();
  }

  /** From the moment of `disturb` on; with more subtasks than before nothing is as before. */
  async through(disturb: () => Promise<void>, toFullSpeed: boolean): Promise<Found> {
    const before = this.#medianSpeed();
    let restarting = false;
    let running = false;
    const forget = this.#master.onState((state) => {
      if (state === 'RESTARTING') restarting = true;
      if (state === 'RUNNING' && restarting) running = true;
    });
    const began = performance.now();
    const stopped = disturb().then(
      () => null,
      (error: unknown) => error,
    );
    let first = Number.NaN;
    let rows = 0;
    for (;;) {
      await this.#look();
      const now = performance.now();
      if (now - began > GIVEN_UP_MS)
        throw new WeirError(
          'BENCH_RECOVERY',
          `The job is ${this.#master.state} after 30 s; first row after ${first.toFixed(0)} ms, ${this.#speed().toFixed(0)} rows/ms of ${before.toFixed(0)} before.`,
        );
      if (!running) {
        rows = this.#rows();
        continue;
      }
      if (Number.isNaN(first) && this.#rows() > rows) first = now - began;
      if (Number.isNaN(first)) continue;
      if (!toFullSpeed) break;
      if (now - began - first >= WINDOW_MS && this.#speed() >= FULL * before) break;
    }
    const failed = await stopped;
    if (failed !== null) throw failed;
    forget();
    return { first, full: performance.now() - began - WINDOW_MS };
  }

  #rows(): number {
    return (this.#master.cells.at(-1) ?? []).reduce((sum, cells) => sum + (cells[ROWS] ?? 0), 0);
  }

  async #look(): Promise<void> {
    this.#points.push({ at: performance.now(), rows: this.#rows() });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Over the last `WINDOW_MS`, rows per ms. */
  #speed(from = this.#points.length - 1): number {
    const last = this.#points[from] as { at: number; rows: number };
    let i = from;
    while (i > 0 && last.at - (this.#points[i] as { at: number }).at < WINDOW_MS) i--;
    const then = this.#points[i] as { at: number; rows: number };
    return (last.rows - then.rows) / Math.max(1, last.at - then.at);
  }

  /** Over the second half of what was looked at. */
  #medianSpeed(): number {
    const speeds: number[] = [];
    for (let i = this.#points.length >> 1; i < this.#points.length; i++) speeds.push(this.#speed(i));
    return series(speeds).median;
  }
}

const text = ({ median, min, max }: Series): string => `${median.toFixed(0)} [${min.toFixed(0)}..${max.toFixed(0)}]`;

function report(subjects: readonly Subject[], found: ReadonlyMap<string, readonly Found[]>, times: number): Report {
  const rows = subjects.map(({ name, first, full }) => {
    const of = found.get(name) as readonly Found[];
    return { name, first, full, firsts: series(of.map((one) => one.first)), fulls: series(of.map((one) => one.full)) };
  });
  const verdict = ({ median }: Series, goal: number | null): string =>
    goal === null ? '' : median < goal ? 'goal' : 'MISSED';
  return {
    bench: 'recovery',
    question: `${DEVICES} devices on two threads: how long until rows flow again?`,
    columns: ['what happens', 'first row, ms', 'below', '', 'full speed, ms', 'below', ''],
    rows: rows.map(({ name, first, full, firsts, fulls }) => [
      name,
      text(firsts),
      String(first),
      verdict(firsts, first),
      full === null ? '' : text(fulls),
      full === null ? '' : String(full),
      verdict(fulls, full),
    ]),
    notes: [
      `Medians [min..max] of ${times} times each, in turns, behind a round that does not count. Checkpoints every ${INTERVAL_MS} ms, restart without delay.`,
      `First row: taken by the windows' task again. Full speed: the first ${WINDOW_MS} ms at ${FULL} of the median speed before. Rescaling includes its checkpoint.`,
    ],
    data: rows,
  };
}
