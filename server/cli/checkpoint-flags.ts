/** The flags of checkpoints, recovery and resuming, which `run` and `serve` share. */

import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { messageOf, UsageError } from '#base/errors.ts';
import { checkpointSettings } from '#runtime/checkpoint/checkpoint-settings.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { JobCheckpointsOptions, Resume } from '#runtime/job/job-checkpoints.ts';
import { defaultRestart, parseRestart, type RestartSettings } from '#runtime/job/restart-settings.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { parseDuration } from '#shared/quantities.ts';
import { bytes, count, duration } from './flags.ts';
import { refuseOtherResults } from './same-results.ts';

export interface CheckpointFlags {
  checkpointInterval?: number | 'off';
  checkpointDir?: string;
  checkpointMode?: 'exactly-once' | 'at-least-once';
  checkpointUnaligned?: true;
  checkpointIncremental?: true;
  alignmentTimeout?: number;
  checkpointTimeout?: number;
  checkpointMinPause?: number;
  tolerableFailedCheckpoints?: number;
  retainedCheckpoints?: number;
  heartbeatTimeout?: number;
  savepointInterval?: number;
  retainedSavepoints?: number;
  restart?: RestartSettings;
  stateAlert?: number;
  resume?: string;
  claim?: true;
  allowNonRestoredState?: true;
}

const DAY_MS = 86_400_000;
/** So many ended checkpoints are remembered for who looks. */
const HISTORY = 60;

export function addCheckpointFlags(command: Command): Command {
  const serves = command.name() === 'serve';
  const [often, where] = serves ? ['10s', 'a temporary one of this server'] : ['off', '.weir/checkpoints'];
  return command
    .option('--checkpoint-interval <duration>', `take a checkpoint this often, or off (default: ${often})`, interval)
    .option(
      '--checkpoint-dir <directory>',
      `where checkpoints and savepoints go (default: checkpoints in the output directory, else ${where})`,
    )
    .addOption(
      new Option(
        '--checkpoint-mode <mode>',
        'whether rows may count twice after a failure (default: exactly-once)',
      ).choices(['exactly-once', 'at-least-once']),
    )
    .option('--checkpoint-unaligned', 'barriers overtake rows that wait, which are written with the checkpoint')
    .option(
      '--checkpoint-incremental',
      'a checkpoint writes what has changed since the one before, and refers to the rest',
    )
    .option(
      '--alignment-timeout <duration>',
      'with --checkpoint-unaligned: from the trigger, how long barriers wait behind rows first (default: 0s)',
      duration({ min: 0, max: DAY_MS, says: 'from 0s to 1d' }),
    )
    .option(
      '--checkpoint-timeout <duration>',
      'a checkpoint that takes longer has failed (default: 10m)',
      duration({ min: 10, max: DAY_MS, says: 'from 10ms to 1d' }),
    )
    .option(
      '--checkpoint-min-pause <duration>',
      'rest between two checkpoints (default: 0s)',
      duration({ min: 0, max: DAY_MS, says: 'from 0s to 1d' }),
    )
    .option(
      '--tolerable-failed-checkpoints <n>',
      'checkpoints that may fail in a row before the job does (default: 0)',
      count({ min: 0, max: 1e6 }),
    )
    .option(
      '--retained-checkpoints <n>',
      'completed checkpoints that are kept (default: 2)',
      count({ min: 1, max: 1000 }),
    )
    .option(
      '--savepoint-interval <duration>',
      'take a savepoint this often, into scheduled-savepoints beside the checkpoints (default: only when asked)',
      duration({ min: 10, max: 365 * DAY_MS, says: 'from 10ms to 365d' }),
    )
    .option(
      '--retained-savepoints <n>',
      'savepoints of --savepoint-interval that are kept (default: 3)',
      count({ min: 1, max: 1000 }),
    )
    .option(
      '--restart <strategy>',
      'what to do after a failure: none, fixed-delay,attempts=3,delay=1s, failure-rate,… or exponential-delay,… (default: with checkpoints exponential-delay, else none)',
      restart,
    )
    .option(
      '--state-alert <size>',
      'say so when the state of one operator grows beyond this, such as 100MB (default: never)',
      bytes({ min: 1, max: 2 ** 50 }),
    )
    .option(
      '--heartbeat-timeout <duration>',
      'a task manager that gives no sign of life for so long is lost (default: 10s)',
      duration({ min: 500, max: DAY_MS, says: 'from 500ms to 1d' }),
    )
    .option(
      '--resume <what>',
      'go on from a checkpoint: latest, or the path of a savepoint or checkpoint (default: begin)',
    )
    .option(
      '--claim',
      'the savepoint of --resume belongs to the job from now on, and is removed when it is no longer needed',
    )
    .option('--allow-non-restored-state', 'the savepoint of --resume may hold state of operators that are gone');
}

/** Null: the job takes no checkpoints. `output`: directory of results. Throws `UsageError`s. */
export function checkpointsOf(
  flags: CheckpointFlags,
  spec: JobSpec,
  output: string | null,
): JobCheckpointsOptions | null {
  const { checkpointInterval = 'off', resume } = flags;
  if (checkpointInterval === 'off' && resume === undefined) {
    const alone: readonly (readonly [keyof CheckpointFlags, string])[] = [
      ['checkpointDir', '--checkpoint-dir'],
      ['checkpointMode', '--checkpoint-mode'],
      ['checkpointUnaligned', '--checkpoint-unaligned'],
      ['checkpointIncremental', '--checkpoint-incremental'],
      ['alignmentTimeout', '--alignment-timeout'],
      ['checkpointTimeout', '--checkpoint-timeout'],
      ['checkpointMinPause', '--checkpoint-min-pause'],
      ['tolerableFailedCheckpoints', '--tolerable-failed-checkpoints'],
      ['retainedCheckpoints', '--retained-checkpoints'],
      ['savepointInterval', '--savepoint-interval'],
    ];
    for (const [name, flag] of alone)
      if (flags[name] !== undefined)
        throw new UsageError(`${flag} makes sense only with --checkpoint-interval or --resume.`);
  }
  if (flags.retainedSavepoints !== undefined && flags.savepointInterval === undefined)
    throw new UsageError('--retained-savepoints makes sense only with --savepoint-interval.');
  if (resume === undefined || resume === 'latest') {
    if (flags.claim) throw new UsageError('--claim makes sense only with --resume PATH.');
    if (flags.allowNonRestoredState)
      throw new UsageError('--allow-non-restored-state makes sense only with --resume PATH.');
  }
  if (flags.alignmentTimeout !== undefined && !flags.checkpointUnaligned)
    throw new UsageError('--alignment-timeout makes sense only with --checkpoint-unaligned.');
  if (flags.checkpointUnaligned && flags.checkpointMode === 'at-least-once')
    throw new UsageError(
      '--checkpoint-unaligned needs --checkpoint-mode exactly-once: at least once, barriers hold nothing up anyway.',
    );
  if (checkpointInterval === 'off' && resume === undefined) return null;
  const directory = flags.checkpointDir ?? (output === null ? '.weir/checkpoints' : `${output}/checkpoints`);
  return {
    settings: checkpointSettings({
      intervalMs: checkpointInterval === 'off' ? null : checkpointInterval,
      retained: flags.retainedCheckpoints ?? 2,
      savepoints:
        flags.savepointInterval === undefined
          ? null
          : { intervalMs: flags.savepointInterval, retained: flags.retainedSavepoints ?? 3 },
      history: HISTORY,
      ...(flags.checkpointMode === undefined ? {} : { mode: flags.checkpointMode }),
      unaligned: flags.checkpointUnaligned ?? false,
      alignedTimeoutMs: flags.alignmentTimeout ?? 0,
      incremental: flags.checkpointIncremental ?? false,
      ...(flags.checkpointTimeout === undefined ? {} : { timeoutMs: flags.checkpointTimeout }),
      ...(flags.checkpointMinPause === undefined ? {} : { minPauseMs: flags.checkpointMinPause }),
      ...(flags.tolerableFailedCheckpoints === undefined
        ? {}
        : { tolerableFailures: flags.tolerableFailedCheckpoints }),
    }),
    directory: resolve(directory),
    disk: new NodeDisk(),
    resume: resumeOf(flags),
    accept: (before) => refuseOtherResults(before, spec),
  };
}

export function restartOf(
  { restart: given }: CheckpointFlags,
  checkpoints: JobCheckpointsOptions | null,
): RestartSettings {
  return given ?? defaultRestart(checkpoints !== null);
}

function resumeOf({ resume, claim, allowNonRestoredState }: CheckpointFlags): Resume {
  if (resume === undefined) return { from: 'beginning' };
  if (resume === 'latest') return { from: 'latest' };
  return {
    from: 'path',
    path: resolve(resume),
    claim: claim ? 'claim' : 'no-claim',
    allowNonRestoredState: allowNonRestoredState ?? false,
  };
}

function interval(text: string): number | 'off' {
  if (text === 'off') return 'off';
  const ms = parseDuration(text);
  if (ms === null || ms < 10 || ms > DAY_MS)
    throw new InvalidArgumentError('Give off, or a time from 10ms to 1d, such as 10s.');
  return ms;
}

function restart(text: string): RestartSettings {
  try {
    return parseRestart(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}
