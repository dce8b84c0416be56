/** `weir serve`: the dashboard's server, with a job running in it. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isLoopback } from '#api/access.ts';
import type { LiveJob } from '#api/live/job-handle.ts';
import { ApiServer } from '#api/server.ts';
import { systemClock } from '#base/clock.ts';
import { messageOf, UsageError } from '#base/errors.ts';
import { ResultsFeed } from '#connectors/live/results-feed.ts';
import { findOperator } from '#engine/graph/job-graph.ts';
import { IOT } from '#jobs/iot.ts';
import { Injections, nodeTimers } from '#lab/injections.ts';
import { type IotFlags, type IotPlan, planIot } from './iot-options.ts';
import { preparePostgres } from './postgres-flags.ts';
import { makeReadingsJob, type ReadingsJob } from './readings-job.ts';
import { onStopSignal } from './stop.ts';

export interface ServeFlags extends IotFlags {
  host: string;
  port: number;
  /** False: `--no-job`. */
  job: 'iot' | false;
  tokenFile?: string;
  tokenRead?: true;
  verbose?: true;
}

/** A stream in which everything that the dashboard can show happens now and then. */
const PLEASANT = 'devices=24,rate=200,disorder=exp:1s,malformed=0.005,late=0.003,offline=0.05';
const SHORTEST_TOKEN = 16;
/** A job that does not stop by then is left behind. */
const STOP_MS = 10_000;

/** Runs until it is stopped; gives the exit code. */
export async function serve(flags: ServeFlags): Promise<number> {
  const token = readToken(flags);
  const say = (line: string): void => {
    process.stderr.write(`weir: ${line}\n`);
  };
  const plan =
    flags.job === false ? null : planIot(flags, { simulate: PLEASANT, parallelism: 2, console: null, live: true });
  const job = plan === null ? null : makeReadingsJob({ name: 'iot', params: plan.params }, plan, flags);
  if (job !== null) await preparePostgres(job.graph);
  const live = plan === null || job === null ? null : liveJob(plan, job);
  const api = await ApiServer.create({
    host: flags.host,
    port: flags.port,
    token,
    tokenRead: flags.tokenRead === true,
    // Beside `dist/server`, where this runs bundled.
    pages: fileURLToPath(new URL('../web', import.meta.url)),
    job: live,
    clock: systemClock,
    log: (line) => {
      if (flags.verbose === true) say(line);
    },
  });
  let stopping = false;
  const stopped = new Promise<void>((resolve) => {
    onStopSignal(() => {
      stopping = true;
      resolve();
    });
  });
  const url = await api.listen();
  process.stdout.write(`Weir is at ${url} (Ctrl-C stops it)\n`);
  if (job !== null) {
    void job.master.done.then((state) => {
      live?.simulator?.injections.close();
      if (state === 'FAILED') say(`the job failed: ${job.master.failure?.message ?? 'no cause known'}`);
      else if (!stopping) say(`the job is ${state}; the dashboard goes on.`);
    });
    try {
      await job.master.start();
    } catch (error) {
      await api.close();
      throw error;
    }
  }
  await stopped;
  await stopJob(plan, job);
  await api.close();
  return 0;
}

async function stopJob(plan: IotPlan | null, job: ReadingsJob | null): Promise<void> {
  if (job === null || (job.master.state !== 'RUNNING' && job.master.state !== 'RESTARTING')) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_MS);
  });
  // What is shown only is not worth waiting for; what is written is finished and committed.
  const shown = plan?.params.output === null && plan.params.postgres === null;
  await Promise.race([shown ? job.master.cancel() : job.master.stop(), late]);
  clearTimeout(timer);
  if (plan?.params.output)
    process.stderr.write(`weir: kept in ${plan.params.output}: everything read until the stop.\n`);
}

function readToken({ host, tokenFile, tokenRead }: ServeFlags): string | null {
  if (tokenFile === undefined) {
    if (tokenRead === true) throw new UsageError('--token-read needs --token-file FILE.');
    if (isLoopback(host)) return null;
    throw new UsageError(`--host ${host} lets others in: it needs --token-file FILE, whose token changes things.`);
  }
  if (!existsSync(tokenFile)) throw new UsageError(`${tokenFile}: there is no such token file.`);
  let token: string;
  try {
    token = readFileSync(tokenFile, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`${tokenFile}: cannot be read, ${messageOf(error)}.`, { cause: error });
  }
  if (token.length < SHORTEST_TOKEN) {
    throw new UsageError(`${tokenFile}: a token needs at least ${SHORTEST_TOKEN} characters.`);
  }
  return token;
}

function liveJob({ params, taskManagers }: IotPlan, { master, graph, errors, simulator }: ReadingsJob): LiveJob {
  const windows = new ResultsFeed((id, query) => master.inspect(id, query), IOT.resultsLive);
  master.onReport(IOT.resultsLive, (subtask, message) => windows.onReport(subtask, message));
  return {
    handle: master,
    control: master,
    settings: {
      timeMode: params.time,
      window: params.window,
      outOfOrdernessMs: params.outOfOrdernessMs,
      allowedLatenessMs: params.allowedLatenessMs,
      taskManagers,
    },
    windows,
    errors,
    windowOperator: IOT.windows,
    aggregates: aggregatesOf(graph),
    simulator: simulator === null ? null : liveSimulator(master, simulator),
  };
}

function liveSimulator(
  master: ReadingsJob['master'],
  simulator: NonNullable<ReadingsJob['simulator']>,
): LiveJob['simulator'] {
  const injections = new Injections({
    clock: systemClock,
    timers: nodeTimers,
    control: (message) => master.control(IOT.source, message),
  });
  simulator.onInjectionProgress((id, affected, done) => injections.progress(id, affected, done));
  return {
    settings: () => simulator.settings,
    change: (settings) => master.control(IOT.source, { type: 'settings', ...settings }),
    injections,
  };
}

/** Columns of a result behind device, start and end. */
function aggregatesOf(graph: ReadingsJob['graph']): string[] {
  const place = findOperator(graph, IOT.windows);
  const operator = place === null ? undefined : graph.vertices[place.vertex]?.operators[place.operator];
  const keys = new Set(['device_id', 'window_start', 'window_end']);
  return (operator?.outputSchema?.columns ?? []).map((c) => c.name).filter((name) => !keys.has(name));
}
