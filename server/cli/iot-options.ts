/** The flags of jobs on readings, those that only the IoT job has (`run iot` and `serve` share them), and the job that they ask for. */

import { type Command, Option } from 'commander';
import { UsageError } from '#base/errors.ts';
import { type FileSourceOptions, openFileInput } from '#connectors/file/open-input.ts';
import { prepareOutputDirectory } from '#connectors/file/output-directory.ts';
import { parseSimulate, type SimulatorOptions } from '#connectors/iot-simulator/options.ts';
import type { IotParams } from '#jobs/iot.ts';
import type { JobWindows } from '#shared/live.ts';
import { addCheckpointFlags, type CheckpointFlags } from './checkpoint-flags.ts';
import {
  bytes,
  count,
  duration,
  idleTimeout,
  type Parallelism,
  parallelism,
  sessionGap,
  watermarkEmit,
  windows,
} from './flags.ts';
import { refuseUsedOutput } from './output-lock.ts';
import { addPostgresFlags, type PostgresFlags, postgresOf } from './postgres-flags.ts';

/** What commander makes of the flags; absent: not given. */
export interface IotFlags extends CheckpointFlags, PostgresFlags {
  input?: string;
  /** True: given without a value. */
  simulate?: string | true;
  format?: 'ndjson' | 'csv';
  maxLine?: number;
  time?: 'event' | 'processing';
  window?: JobWindows;
  /** Gap, ms. */
  session?: number;
  outOfOrderness?: number;
  allowedLateness?: number;
  idleTimeout?: number | 'off';
  /** Only says what would run: nothing is made. */
  explain?: true;
  watermarkEmit?: 'on-event' | number;
  /** ms. */
  watermarkAlignment?: number;
  parallelism?: Parallelism;
  taskManagers?: number;
  slots?: number;
  output?: string;
  overwrite?: true;
  rollInterval?: number;
  blockSize?: number;
}

/** What differs between the commands. */
export interface IotDefaults {
  /** `--simulate` of a command that was told nothing to read; null: something must be said. */
  readonly simulate: string | null;
  readonly parallelism: number;
  /** Where results go when there is no `--output`. */
  readonly console: 'table' | 'lines' | null;
  readonly live: boolean;
}

export interface IotPlan {
  readonly params: IotParams;
  readonly taskManagers: number;
  readonly slots: number;
  /** Whether the input ends by itself. */
  readonly bounded: boolean;
}

const MAX_TASK_MANAGERS = 64;
const DAY_MS = 86_400_000;

const span = (name: string) => duration({ min: 0, max: 100 * DAY_MS, says: `a ${name} from 0s to 100d` });

/** What every job on readings can be told. */
export function addReadingsFlags(command: Command): Command {
  return addCheckpointFlags(command)
    .option(
      '--input <path>',
      'file, directory (its .ndjson, .jsonl, .json and .csv files, also .gz), or - for standard input',
    )
    .option(
      '--simulate [settings]',
      'made-up events: devices=1000,rate=max,events=10M,seed=1,disorder=exp:2s,malformed=0.001,late=0.01',
    )
    .addOption(new Option('--format <format>', 'format of the input (default: by its name)').choices(['ndjson', 'csv']))
    .option(
      '--max-line <size>',
      'longest line that is read; longer ones are errors (default: 1MiB)',
      bytes({ min: 1, max: 2 ** 29 }),
    )
    .option('--out-of-orderness <duration>', 'how far events may be out of order (default: 5s)', span('bound'))
    .option(
      '--idle-timeout <duration>',
      'a silent source holds the watermark back for so long, or off (default: off where watermarks are on-event, else 30s)',
      idleTimeout,
    )
    .option(
      '--watermark-emit <when>',
      'on-event, or an interval (default: on-event for files and for a simulation of so many events at rate=max, else 200ms)',
      watermarkEmit,
    )
    .option(
      '--watermark-alignment <duration>',
      'how far what is read may be ahead of the slowest subtask or split; what is further waits (default: no limit)',
      span('drift'),
    )
    .option('--parallelism <n>', 'subtasks: a number, or source=1,window=4', parallelism)
    .option(
      '--task-managers <n>',
      'threads (default: as many as the slots that are needed)',
      count({ min: 1, max: MAX_TASK_MANAGERS }),
    )
    .option('--slots <n>', 'slots per task manager (default: 1)', count({ min: 1, max: 128 }))
    .option('--output <directory>', 'write results, errors and whatever else the job gives to files in there')
    .option('--overwrite', 'remove results that are already in the output directory')
    .option(
      '--roll-interval <duration>',
      'commit a part of the output this often (default: 10s)',
      duration({ min: 100, max: DAY_MS, says: 'from 100ms to 1d' }),
    )
    .addOption(
      new Option('--block-size <size>', 'bytes of a file that one reader reads at a time (default: 1MiB)')
        .argParser(bytes({ min: 1, max: 2 ** 29 }))
        .hideHelp(),
    );
}

/** The same, and windows. */
export function addIotFlags(command: Command): Command {
  return addPostgresFlags(addReadingsFlags(command))
    .addOption(
      new Option('--time <time>', 'whose time decides on windows (default: event)').choices(['event', 'processing']),
    )
    .option(
      '--window <duration>',
      'length of the windows; with a slide, as in 10s/2s, one begins every so often (default: 5s)',
      windows,
    )
    .option('--session <gap>', 'windows that end when a device has been silent for so long', sessionGap)
    .option(
      '--allowed-lateness <duration>',
      'how long a window takes late events after it has fired (default: 0s)',
      span('lateness'),
    );
}

/** Checks flags against each other and against the disk, makes the output directory, and gives the job. Throws `UsageError`s. */
export function planIot(flags: IotFlags, defaults: IotDefaults): IotPlan {
  checkTogether(flags);
  const postgres = postgresOf(flags);
  const outOfOrdernessMs = flags.outOfOrderness ?? 5000;
  const allowedLatenessMs = flags.allowedLateness ?? 0;
  const window = windowOf(flags);
  const lateAfterMs = outOfOrdernessMs + allowedLatenessMs + (window.kind === 'session' ? window.gapMs : window.sizeMs);
  const source = sourceOf(flags, defaults, lateAfterMs, outOfOrdernessMs);
  const parallel = flags.parallelism ?? { source: defaults.parallelism, window: defaults.parallelism };
  const { taskManagers, slots } = placesFor(flags, Math.max(parallel.source, parallel.window));
  if (source.kind === 'file') openFileInput(source.options);
  if (flags.output !== undefined && flags.explain !== true) {
    refuseUsedOutput(flags.output);
    prepareOutputDirectory(flags.output, { overwrite: flags.overwrite ?? false, resume: flags.resume !== undefined });
  }
  const repeatable = isRepeatable(source);
  const idleTimeoutMs = flags.idleTimeout ?? (repeatable ? 'off' : 30_000);
  return {
    params: {
      source,
      time: flags.time ?? 'event',
      window,
      outOfOrdernessMs,
      allowedLatenessMs,
      idleTimeoutMs: idleTimeoutMs === 'off' ? null : idleTimeoutMs,
      alignmentMs: flags.watermarkAlignment ?? null,
      watermarkEmit: flags.watermarkEmit ?? (repeatable ? 'on-event' : 200),
      parallelism: parallel,
      output: flags.output ?? null,
      console: flags.output === undefined && postgres === null ? defaults.console : null,
      postgres,
      live: defaults.live,
      rollIntervalMs: flags.rollInterval ?? 10_000,
    },
    taskManagers,
    slots,
    bounded: source.kind === 'file' || source.options.events !== null,
  };
}

function windowOf({ window, session }: IotFlags): JobWindows {
  if (session !== undefined) return { kind: 'session', gapMs: session };
  return window ?? { kind: 'tumbling', sizeMs: 5000 };
}

/**
 * Whether the clock plays no part in what is read: files, and a simulation of so many events as fast as it goes. Such a run gives the same
 * results each time, so its watermarks must not depend on the clock either.
 */
function isRepeatable(source: IotParams['source']): boolean {
  return source.kind === 'file' || (source.options.events !== null && source.options.rate === null);
}

function sourceOf(flags: IotFlags, defaults: IotDefaults, lateAfterMs: number, boundMs: number): IotParams['source'] {
  const { input, simulate = input === undefined ? defaults.simulate : null, format, maxLine, blockSize } = flags;
  if (input !== undefined) {
    const options: FileSourceOptions = {
      path: input,
      ...(format === undefined ? {} : { format }),
      ...(maxLine === undefined ? {} : { maxLine }),
      ...(blockSize === undefined ? {} : { blockSize }),
    };
    return { kind: 'file', options };
  }
  if (simulate === null) throw new UsageError('Say what to read: --input FILE, or --simulate devices=1000,events=1M.');
  return { kind: 'simulator', options: simulatorFor(simulate === true ? '' : simulate, lateAfterMs, boundMs) };
}

/** Unless said otherwise, late means late for this job, and what is merely out of order is not. */
function simulatorFor(text: string, lateAfterMs: number, boundMs: number): SimulatorOptions {
  const options = parseSimulate(text);
  const says = (key: string): boolean => new RegExp(`(^|,)\\s*${key}\\s*=`).test(text);
  return {
    ...options,
    holdMs: says('hold') ? options.holdMs : Math.min(Math.max(1, boundMs), DAY_MS),
    behindMs: says('behind') ? options.behindMs : Math.min(Math.max(options.behindMs, lateAfterMs), DAY_MS),
  };
}

function placesFor(flags: IotFlags, needed: number): { taskManagers: number; slots: number } {
  const slots = flags.slots ?? (flags.taskManagers === undefined ? 1 : Math.ceil(needed / flags.taskManagers));
  const taskManagers = flags.taskManagers ?? Math.ceil(needed / slots);
  if (taskManagers > MAX_TASK_MANAGERS) {
    throw new UsageError(
      `The job needs ${taskManagers} task managers, at most ${MAX_TASK_MANAGERS} are possible: raise --slots.`,
    );
  }
  if (taskManagers * slots < needed) {
    const have = `${taskManagers} x ${slots} = ${taskManagers * slots}`;
    throw new UsageError(
      `The job needs ${needed} slots, but --task-managers times --slots is only ${have}: raise one of them.`,
    );
  }
  return { taskManagers, slots };
}

/** A flag that would have no effect is a mistake of whoever gave it. */
function checkTogether(flags: IotFlags): void {
  const only = (given: boolean, flag: string, needs: string): void => {
    if (given) throw new UsageError(`${flag} makes sense only with ${needs}.`);
  };
  if (flags.input !== undefined && flags.simulate !== undefined) {
    throw new UsageError('--input and --simulate exclude each other: give one of them.');
  }
  if (flags.window !== undefined && flags.session !== undefined) {
    throw new UsageError('--window and --session exclude each other: give one of them.');
  }
  if (flags.input === '-' && (flags.resume !== undefined || (flags.checkpointInterval ?? 'off') !== 'off')) {
    throw new UsageError(
      'Standard input cannot be read a second time, so a job cannot go on from a checkpoint of it: give a file with --input FILE.',
    );
  }
  if (flags.overwrite && flags.resume !== undefined)
    throw new UsageError('--overwrite and --resume exclude each other: give one of them.');
  if (flags.input === undefined) {
    only(flags.format !== undefined, '--format', '--input');
    only(flags.maxLine !== undefined, '--max-line', '--input');
    only(flags.blockSize !== undefined, '--block-size', '--input');
  }
  if (flags.output === undefined) {
    only(flags.overwrite !== undefined, '--overwrite', '--output');
  }
  if (flags.output === undefined && flags.postgres === undefined)
    only(flags.rollInterval !== undefined, '--roll-interval', '--output or --postgres');
  if (flags.time === 'processing') {
    only(flags.outOfOrderness !== undefined, '--out-of-orderness', '--time event');
    only(flags.allowedLateness !== undefined, '--allowed-lateness', '--time event');
    only(flags.idleTimeout !== undefined, '--idle-timeout', '--time event');
    only(flags.watermarkEmit !== undefined, '--watermark-emit', '--time event');
    only(flags.watermarkAlignment !== undefined, '--watermark-alignment', '--time event');
  }
}
