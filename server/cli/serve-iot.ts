/** `weir serve`: the dashboard's server, with a job running in it. */

import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isLoopback } from '#api/access.ts';
import type { JobSettings, LiveJob } from '#api/live/job-handle.ts';
import { ApiServer } from '#api/server.ts';
import { systemClock } from '#base/clock.ts';
import { messageOf, UsageError } from '#base/errors.ts';
import { ResultsFeed } from '#connectors/live/results-feed.ts';
import { findOperator } from '#engine/graph/job-graph.ts';
import { IOT } from '#jobs/iot.ts';
import { Faults, type FaultsOptions } from '#lab/faults/faults.ts';
import { Injections, nodeTimers } from '#lab/injections.ts';
import { Rescales } from '#lab/rescales.ts';
import { MAX_TASK_MANAGERS } from '#runtime/job/task-managers.ts';
import type { ResumeWish } from '#shared/savepoints.ts';
import type { CheckpointFlags } from './checkpoint-flags.ts';
import { type IotFlags, type IotPlan, planIot } from './iot-options.ts';
import { takeOutput } from './output-lock.ts';
import { preparePostgres } from './postgres-flags.ts';
import { makeReadingsJob, type ReadingsJob } from './readings-job.ts';
import { rowsOut } from './rows-out.ts';
import { SavepointShelf } from './savepoint-shelf.ts';
import { removeTemporary, servedCheckpoints } from './serve-checkpoints.ts';
import { onStopSignal } from './stop.ts';
import { listenToSupervisor, type Orders, reportToSupervisor, tell } from './supervised.ts';
import { Upgrading } from './upgrading.ts';

export interface ServeFlags extends IotFlags {
  host: string;
  port: number;
  /** False: `--no-job`. */
  job: 'iot' | false;
  tokenFile?: string;
  tokenRead?: true;
  verbose?: true;
  supervise?: true;
}

/** A stream in which everything that the dashboard can show happens now and then. */
const PLEASANT = 'devices=24,rate=200,disorder=exp:1s,malformed=0.005,late=0.003,offline=0.05';
const SHORTEST_TOKEN = 16;
/** A job that does not stop by then is left behind. */
const STOP_MS = 10_000;
/** Between an answer and the end of the server that gave it. */
const FAREWELL_MS = 300;

/** Runs until it is stopped; gives the exit code. `orders`: of a supervisor, which the flags follow already. */
export async function serve(flags: ServeFlags, orders: Orders | null): Promise<number> {
  const token = readToken(flags);
  const say = (line: string): void => {
    process.stderr.write(`weir: ${line}\n`);
  };
  const plan =
    flags.job === false ? null : planIot(flags, { simulate: PLEASANT, parallelism: 2, console: null, live: true });
  await takeOutput(plan?.params.output ?? null);
  const kept = plan === null ? null : servedCheckpoints(flags, plan.params.output);
  const temporary = kept?.temporary ?? null;
  if (temporary !== null)
    process.once('exit', () => {
      for (const path of removeTemporary(temporary)) say(`kept: ${path}`);
    });
  let stopping = false;
  const stopped = new Promise<null>((resolve) => {
    onStopSignal(() => {
      stopping = true;
      resolve(null);
    });
  });
  const upgrading = new Upgrading(orders?.upgrade);
  listenToSupervisor(({ view }) => upgrading.hear(view));
  const tried = upgrading.view.phase === 'starting';
  let from: CheckpointFlags = kept?.flags ?? {};
  let { port } = flags;
  // Once for the job that was asked for, and again for each savepoint that somebody has it go on from.
  for (let first = true; ; first = false) {
    const job = plan === null ? null : makeReadingsJob({ name: 'iot', params: plan.params }, plan, from);
    if (job !== null) await preparePostgres(job.graph);
    const live =
      plan === null || job === null
        ? null
        : liveJob(plan, job, { supervised: orders !== null, inherited: first ? (orders?.fault ?? null) : null });
    let begin: (from: CheckpointFlags) => void = () => {};
    const resumed = new Promise<CheckpointFlags>((resolve) => {
      begin = resolve;
    });
    const handedOver = new Promise<'handed over'>((resolve) =>
      upgrading.serves({
        supervised: orders !== null,
        job: job?.master ?? null,
        handOver: (savepoint, wish) => {
          tell({ type: 'hand-over', savepoint, ...wish });
          resolve('handed over');
        },
      }),
    );
    const api = await ApiServer.create({
      host: flags.host,
      port,
      token,
      tokenRead: flags.tokenRead === true,
      // Beside `dist/server`, where this runs bundled.
      pages: fileURLToPath(new URL('../web', import.meta.url)),
      job: live,
      savepoints:
        job === null ? null : savepointsOf(job, temporary, (path, wish) => begin(resumedFrom(from, path, wish))),
      upgrade: upgrading,
      clock: systemClock,
      log: (line) => {
        if (flags.verbose === true) say(line);
      },
    });
    const url = await api.listen();
    port = Number(new URL(url).port);
    const rows = (): number => (job === null ? 0 : rowsOut(job.master.graph, job.master.cells, IOT.source));
    const makesWay = (): boolean => upgrading.view.phase === 'saving';
    reportToSupervisor({ port, master: job?.master ?? null, rows, tried: first && tried, makesWay });
    if (first) process.stdout.write(`Weir is at ${url} (Ctrl-C stops it)\n`);
    let replaced = false;
    void job?.master.done.then((state) => {
      live?.simulator?.injections.close();
      if (state === 'FAILED') say(`the job failed: ${job.master.failure?.message ?? 'no cause known'}`);
      else if (!stopping && !replaced && !makesWay()) say(`the job is ${state}; the dashboard goes on.`);
    });
    try {
      await job?.master.start();
      // A server that dies now finds where the job had begun.
      if (!first) void job?.master.checkpoint().catch(() => {});
    } catch (error) {
      if (first) {
        await api.close();
        throw error;
      }
    }
    const next = await Promise.race([stopped, resumed, handedOver]);
    if (next === null || next === 'handed over') {
      if (next === null) await stopJob(plan, job);
      await api.close();
      return 0;
    }
    replaced = true;
    live?.faults?.close();
    live?.rescales?.close();
    // Whoever asked hears of it.
    await sleep(FAREWELL_MS);
    await api.close();
    await job?.master.cancel();
    job?.master.dispose();
    await job?.threads.close();
    from = next;
  }
}

function savepointsOf(
  { master, graph, disk, checkpoints }: ReadingsJob,
  temporary: string | null,
  resume: (path: string, wish: ResumeWish) => void,
): SavepointShelf | null {
  if (checkpoints === null) return null;
  const { directory, accept = () => {} } = checkpoints;
  return new SavepointShelf({ disk, directory, temporary: temporary !== null, master, graph, accept, resume });
}

function resumedFrom(
  { claim, allowNonRestoredState, ...flags }: CheckpointFlags,
  path: string,
  wish: ResumeWish,
): CheckpointFlags {
  return {
    ...flags,
    resume: path,
    ...(wish.claim ? { claim: true } : {}),
    ...(wish.allowNonRestoredState ? { allowNonRestoredState: true } : {}),
  };
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

function liveJob({ params, taskManagers }: IotPlan, job: ReadingsJob, server: Predecessor): LiveJob {
  const { master, graph, errors, simulator, threads, checkpoints } = job;
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
      checkpointing: checkpointing(checkpoints),
    },
    windows,
    errors,
    windowOperator: IOT.windows,
    aggregates: aggregatesOf(graph),
    faults: liveFaults(job, server),
    rescales: new Rescales({
      job: master,
      taskManagers: {
        get count() {
          return threads.count;
        },
        slots: threads.slots,
        most: MAX_TASK_MANAGERS,
      },
      clock: systemClock,
      timers: nodeTimers,
    }),
    simulator: simulator === null ? null : liveSimulator(master, simulator),
  };
}

/** Of a server that faults may have ended. */
type Predecessor = Pick<FaultsOptions, 'supervised' | 'inherited'>;

function liveFaults({ master, threads, disk }: ReadingsJob, server: Predecessor): Faults {
  return new Faults({
    job: master,
    threads,
    disk,
    clock: systemClock,
    timers: nodeTimers,
    ...server,
    killServer: (killed) => tell({ type: 'killed', killed }, () => process.kill(process.pid, 'SIGKILL')),
  });
}

function checkpointing(options: ReadingsJob['checkpoints']): JobSettings['checkpointing'] {
  if (options === null) return null;
  const { settings, directory } = options;
  const { intervalMs, mode, timeoutMs, minPauseMs, maxConcurrent, tolerableFailures, retained } = settings;
  return {
    intervalMs,
    mode,
    timeoutMs,
    minPauseMs,
    maxConcurrent,
    tolerableFailures: Number.isFinite(tolerableFailures) ? tolerableFailures : null,
    retained,
    unaligned: settings.unaligned,
    alignedTimeoutMs: settings.alignedTimeoutMs,
    incremental: settings.incremental,
    directory,
  };
}

function liveSimulator(
  master: ReadingsJob['master'],
  simulator: NonNullable<ReadingsJob['simulator']>,
): LiveJob['simulator'] {
  const injections = new Injections({
    clock: systemClock,
    timers: nodeTimers,
    control: (message) => {
      // What is stopped while the job stands does not go on with it. What is begun then is refused.
      if (message.type === 'stop' && master.state !== 'RUNNING') simulator.stopInjection(message.id);
      else master.control(IOT.source, message);
    },
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
