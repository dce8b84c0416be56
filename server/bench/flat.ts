/**
 * Bench `flat`: whether anything grows. A job as `weir serve` runs it, at 1 M events/s, with the main thread doing what it does while somebody
 * looks: cells ten times a second, results and errors fetched from the taps.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '#base/clock.ts';
import { WeirError } from '#base/errors.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import { ErrorsFeed } from '#connectors/live/errors-feed.ts';
import { ResultsFeed } from '#connectors/live/results-feed.ts';
import { OPERATOR_CELLS, OperatorCell, TASK_CELLS, TaskCell } from '#engine/metrics/cells.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import { type JobNumbers, JobSampler } from '#runtime/metrics/sampler.ts';
import { collectGarbage } from './garbage.ts';
import { IOT, iotParams } from './iot-params.ts';
import { buildBenchJob } from './jobs.ts';
import { slope } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
import { newTaskManagers } from './run-job.ts';

const RATE = 1_000_000;
const STEADY = 'devices=1000,rate=1M,disorder=exp:1s,malformed=0.001,late=0.001';
/** Each of 100,000 devices reports about ten times and is then replaced by one with a new name. */
const CHURNING = 'profile=noise,devices=100k,rate=1M,churn=100000';
const CHURN_DEVICES = 100_000;
const CHURN_PER_SECOND = 100_000;
/** `--churn` goes on until so many names have been seen. */
const DISTINCT = 5_200_000;
const PARALLELISM = 2;
const LOOK_MS = 100;
/** The delay is measured with a timer of this period, which is no delay. */
const TIMER_MS = 5;
/** Samples of a run; the first ones are warm-up. */
const SAMPLES = 40;
const WARM_UP_SHARE = 0.3;
/** What may pass for noise in memory over the measured part of a run, as a share of what is held. */
const NOISE_SHARE = 0.05;
/** Growth below this (MB, ms, entries) is none. */
const NEGLIGIBLE = 0.5;
/** Shorter runs cannot tell growth from warming up. */
const TELLING_MINUTES = 2;

interface Sample {
  /** Since the start, s. */
  readonly at: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly delayMeanMs: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  readonly dictionaryEntries: number;
  readonly stateMb: number;
  readonly events: number;
  /** Distinct device names so far, as many as were due. */
  readonly distinct: number;
}

export async function flatBench({ minutes, churn, say }: BenchOptions): Promise<Report> {
  const text = churn ? CHURNING : STEADY;
  const seconds = churn ? Math.max(minutes * 60, (DISTINCT - CHURN_DEVICES) / CHURN_PER_SECOND) : minutes * 60;
  const spec = {
    name: 'iot',
    params: iotParams({ kind: 'simulator', options: parseSimulate(text) }, PARALLELISM, {
      live: true,
      watermarkEmit: 200,
      idleTimeoutMs: 30_000,
    }),
  };
  const graph = buildBenchJob(spec);
  const taskManagers = newTaskManagers(PARALLELISM);
  const master = new JobMaster({ spec, graph, taskManagers, clock: systemClock });
  const watcher = new Watcher(master, new JobSampler(graph, master.cells));
  const samples: Sample[] = [];
  try {
    await master.start();
    say(`${text}: ${(seconds / 60).toFixed(1)} minutes …`);
    watcher.start();
    const began = performance.now();
    for (let i = 1; i <= SAMPLES; i++) {
      const due = (i * seconds * 1000) / SAMPLES - (performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due)));
      if (master.state !== 'RUNNING') {
        throw new WeirError('BENCH_JOB', `flat: the job is ${master.state}: ${master.failure?.message ?? ''}`);
      }
      samples.push(await watcher.sample((performance.now() - began) / 1000, churn));
    }
    watcher.stop();
    await master.cancel();
  } finally {
    watcher.stop();
    await taskManagers.close();
  }
  return report(samples, text, seconds / 60, churn);
}

/** Looks at a job as the dashboard's server does, and at the process. */
class Watcher {
  readonly #master: JobMaster;
  readonly #sampler: JobSampler;
  readonly #results: ResultsFeed;
  readonly #errors: ErrorsFeed;
  readonly #delay = monitorEventLoopDelay({ resolution: TIMER_MS });
  #timer: NodeJS.Timeout | null = null;

  constructor(master: JobMaster, sampler: JobSampler) {
    this.#master = master;
    this.#sampler = sampler;
    const inspect = (id: string, query: unknown): Promise<unknown[]> => master.inspect(id, query);
    this.#results = new ResultsFeed(inspect, IOT.resultsLive);
    this.#errors = new ErrorsFeed(inspect, IOT.errorsLive, IOT.lateLive, () => systemClock.now());
  }

  start(): void {
    this.#delay.enable();
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  stop(): void {
    this.#delay.disable();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async sample(at: number, churn: boolean): Promise<Sample> {
    const ms = (nanos: number): number => Math.round(Math.max(0, nanos - TIMER_MS * 1e6) / 1e4) / 100;
    const delay = {
      delayMeanMs: ms(this.#delay.mean),
      delayP99Ms: ms(this.#delay.percentile(99)),
      delayMaxMs: ms(this.#delay.max),
    };
    await collectGarbage();
    const { rss, heapUsed } = process.memoryUsage();
    // Collecting held the loop up; that is the bench's doing.
    this.#delay.reset();
    const mb = (bytes: number): number => Math.round(bytes / 1e4) / 100;
    return {
      at: Math.round(at * 10) / 10,
      rssMb: mb(rss),
      heapMb: mb(heapUsed),
      ...delay,
      dictionaryEntries: this.#dictionaryEntries(),
      stateMb: mb(this.#sum((cells) => cells[TaskCell.STATE_BYTES] ?? 0)),
      events: this.#sampler.numbers()?.totals.events ?? 0,
      distinct: churn ? CHURN_DEVICES + Math.floor(at * CHURN_PER_SECOND) : 0,
    };
  }

  async #look(): Promise<void> {
    this.#sampler.sample(Date.now());
    const numbers = this.#sampler.numbers() as JobNumbers;
    // As large as what a browser is sent; nobody reads it here.
    JSON.stringify(numbers);
    await this.#results.pull();
    await this.#errors.pull(true);
  }

  #dictionaryEntries(): number {
    return this.#sum((cells) => {
      let entries = 0;
      for (let o = TASK_CELLS; o < cells.length; o += OPERATOR_CELLS) {
        entries += cells[o + OperatorCell.DICTIONARY_ENTRIES] ?? 0;
      }
      return entries;
    });
  }

  #sum(of: (cells: Float64Array) => number): number {
    return this.#master.cells.flat().reduce((sum, cells) => sum + of(cells), 0);
  }
}

interface Trend {
  readonly what: string;
  readonly unit: string;
  readonly median: number;
  readonly largest: number;
  readonly perMinute: number;
  /** Over the measured part. */
  readonly grown: number;
  readonly flat: boolean;
}

function report(samples: readonly Sample[], text: string, minutes: number, churn: boolean): Report {
  const measured = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  const trends = [
    trend('resident memory', 'MB', measured, (s) => s.rssMb, NOISE_SHARE),
    trend('heap of the main thread', 'MB', measured, (s) => s.heapMb, NOISE_SHARE),
    trend('event loop delay, mean', 'ms', measured, (s) => s.delayMeanMs, 0.5),
    trend('event loop delay, p99', 'ms', measured, (s) => s.delayP99Ms, 0.5),
    trend(
      'dictionary entries',
      '',
      measured,
      (s) => s.dictionaryEntries,
      churn ? Number.POSITIVE_INFINITY : NOISE_SHARE,
    ),
    trend('keyed state', 'MB', measured, (s) => s.stateMb, NOISE_SHARE),
  ];
  const telling = minutes >= TELLING_MINUTES;
  const last = samples.at(-1);
  const first = measured[0];
  const rate = last && first && last.at > first.at ? (last.events - first.events) / (last.at - first.at) : 0;
  const grows = trends.filter((t) => !t.flat).map((t) => t.what);
  const verdict = grows.length === 0 ? 'flat' : `grows: ${grows.join(', ')}`;
  return {
    bench: churn ? 'flat --churn' : 'flat',
    question: `does anything grow at ${RATE / 1e6} M events/s (${text})`,
    columns: ['', 'median', 'largest', 'per minute', 'over the run', ''],
    rows: trends.map((t) => [
      t.what,
      `${number(t.median)} ${t.unit}`.trimEnd(),
      number(t.largest),
      signed(t.perMinute),
      signed(t.grown),
      t.flat ? 'flat' : 'grows',
    ]),
    notes: [
      `${minutes.toFixed(1)} minutes, ${samples.length} samples after collecting garbage, the first ${WARM_UP_SHARE * 100} % left out as warm-up; slopes are medians of pairs.`,
      `Read ${(rate / 1e6).toFixed(3)} M events/s.${churn ? ` ${((last?.distinct ?? 0) / 1e6).toFixed(1)} M distinct devices; dictionaries are bounded, not constant: they grow between sweeps.` : ''}`,
      telling
        ? `Verdict: ${verdict}.`
        : `${verdict}, but a run below ${TELLING_MINUTES} minutes cannot tell growth from warming up.`,
    ],
    data: { settings: text, minutes, eventsPerSecond: rate, verdict: telling ? verdict : null, trends, samples },
  };
}

/** `noise`: growth over the measured part, as a share of the median, that still counts as flat. */
function trend(
  what: string,
  unit: string,
  samples: readonly Sample[],
  of: (s: Sample) => number,
  noise: number,
): Trend {
  const values = samples.map(of).sort((a, b) => a - b);
  const median = values[values.length >> 1] ?? 0;
  const perSecond = slope(samples.map((s) => [s.at, of(s)] as const));
  const span = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0);
  const grown = perSecond * span;
  return {
    what,
    unit,
    median,
    largest: values.at(-1) ?? 0,
    perMinute: perSecond * 60,
    grown,
    flat: grown <= noise * median || grown < NEGLIGIBLE,
  };
}

function number(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(value < 10 ? 2 : 1);
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${number(Math.abs(value))}`;
}
