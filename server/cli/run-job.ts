/** `weir run JOB`: one job, from its input to its summary. */

import { isatty } from 'node:tty';
import { explain } from '#engine/graph/explain.ts';
import { READINGS } from '#jobs/readings.ts';
import { buildJob } from '#jobs/registry.ts';
import { JobSampler } from '#runtime/metrics/sampler.ts';
import { type IotPlan, planIot } from './iot-options.ts';
import { newsLines } from './news-lines.ts';
import { takeOutput } from './output-lock.ts';
import { describePostgres, preparePostgres } from './postgres-flags.ts';
import { ProgressReporter } from './progress.ts';
import { makeReadingsJob } from './readings-job.ts';
import { rowsOut } from './rows-out.ts';
import type { RunFlags, RunnableJob } from './runnable-jobs.ts';
import { INTERRUPTED, onStopSignal } from './stop.ts';
import { describeSummary, summarize } from './summary.ts';

const SAMPLE_MS = 100;

/** Gives the exit code. */
export async function runJob(job: RunnableJob, flags: RunFlags): Promise<number> {
  const json = flags.json === true;
  const onTerminal = isatty(1);
  const plan = planIot(flags, {
    simulate: null,
    parallelism: 1,
    console: json ? null : onTerminal ? 'table' : 'lines',
    live: false,
  });
  const spec = { name: job.name, params: job.params(plan, flags) };
  if (flags.explain === true) {
    process.stdout.write(explain(buildJob(spec)));
    return 0;
  }
  await takeOutput(plan.params.output);
  const { master, graph, errors, files } = makeReadingsJob(spec, plan, flags);
  await preparePostgres(graph);
  const sampler = new JobSampler(graph, master.cells);

  let interrupted = false;
  let readerGone = false;
  const say = (line: string): void => {
    progress?.clear();
    process.stderr.write(`weir: ${line}\n`);
  };
  const unlisten = onStopSignal(() => {
    interrupted = true;
    say('stopping, and keeping what was read so far; once more ends it at once.');
    void master.stop();
  });
  master.onNews((news) => {
    for (const line of newsLines(news)) say(line);
  });
  master.onReport(READINGS.resultsConsole, () => {
    if (readerGone) return;
    readerGone = true;
    void master.cancel();
  });

  // A table on the same terminal shows by itself how the job goes on.
  const quiet = json || (plan.params.console === 'table' && isatty(2));
  const progress = quiet
    ? null
    : new ProgressReporter({
        terminal: isatty(2),
        columns: process.stderr.columns ?? 80,
        write: (text) => process.stderr.write(text),
      });

  // Rows of other sources (rules, tables) are no events.
  const readings = (): number => rowsOut(graph, master.cells, READINGS.source);
  const startedAt = performance.now();
  await master.start();
  const sampling = setInterval(() => {
    sampler.sample(Date.now());
    const totals = sampler.numbers()?.totals;
    if (!totals || !progress) return;
    progress.update({
      events: readings(),
      eventsPerSecond: totals.eventsPerSecond,
      share: shareOf(plan, readings(), files?.progress ?? null),
      elapsedMs: performance.now() - startedAt,
    });
  }, SAMPLE_MS);
  const state = await master.done;
  const durationMs = performance.now() - startedAt;
  clearInterval(sampling);
  // Of a job that failed or was cancelled the taps have said their last word already.
  if (state === 'FINISHED') await errors.pull(false);
  unlisten();
  progress?.clear();

  sampler.sample(Date.now());
  const totals = sampler.numbers()?.totals ?? { events: 0, windows: 0, errors: 0, late: 0 };
  const summary = summarize({
    job: graph.name,
    state,
    failure: master.failure,
    interrupted,
    totals: { ...totals, events: readings() },
    results: { name: job.results, count: totals.windows || rowsOut(graph, master.cells, job.results) },
    counts: errors.counts,
    durationMs,
    output: plan.params.output,
    table: plan.params.postgres === null ? null : describePostgres(plan.params.postgres),
  });
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else if (!readerGone) process.stderr.write(describeSummary(summary));
  if (state === 'FAILED') {
    process.stderr.write(`weir: ${master.failure?.message ?? 'the job failed'}\n`);
    return 1;
  }
  return interrupted && plan.bounded ? INTERRUPTED : 0;
}

function shareOf(
  { params }: IotPlan,
  events: number,
  files: { bytes: number; totalBytes: number | null } | null,
): number | null {
  if (files !== null) return files.totalBytes ? Math.min(1, files.bytes / files.totalBytes) : null;
  if (params.source.kind !== 'simulator' || params.source.options.events === null) return null;
  return Math.min(1, events / params.source.options.events);
}
