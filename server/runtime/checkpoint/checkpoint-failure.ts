/** Why checkpoints fail: names for programs, texts for people, and which of them count against the job (`flink-reference` §4.2). */

import { WeirError } from '#base/errors.ts';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import { formatDuration } from '#shared/quantities.ts';

interface Cause {
  readonly text: string;
  /** Counts against `tolerableFailures`. */
  readonly counts: boolean;
}

const uncounted = (text: string): Cause => ({ text, counts: false });
const counted = (text: string): Cause => ({ text, counts: true });

export const CHECKPOINT_FAILURES = {
  // It could not begin.
  TOO_MANY_CHECKPOINT_REQUESTS: uncounted('The maximum number of queued checkpoint requests exceeded.'),
  NOT_ALL_REQUIRED_TASKS_RUNNING: uncounted('Not all required tasks are currently running.'),
  IO_EXCEPTION: counted('The checkpoint could not be triggered.'),
  // A task could not, or would not.
  CHECKPOINT_ASYNC_EXCEPTION: counted('Asynchronous task checkpoint failed.'),
  CHECKPOINT_DECLINED: counted('Checkpoint was declined.'),
  CHECKPOINT_DECLINED_TASK_NOT_READY: uncounted('Checkpoint was declined (tasks not ready).'),
  CHECKPOINT_DECLINED_TASK_CLOSING: uncounted('Checkpoint was declined (task is closing).'),
  CHECKPOINT_DECLINED_SUBSUMED: uncounted('Checkpoint was canceled because a barrier of a newer one was received.'),
  CHECKPOINT_DECLINED_ON_CANCELLATION_BARRIER: uncounted('Task received cancellation from one of its inputs.'),
  CHECKPOINT_DECLINED_INPUT_END_OF_STREAM: uncounted('Checkpoint was declined because one input has ended.'),
  TASK_CHECKPOINT_FAILURE: uncounted('Task local checkpoint failure.'),
  // The coordinator gave it up.
  CHECKPOINT_EXPIRED: counted('Checkpoint expired before completing.'),
  CHECKPOINT_SUBSUMED: uncounted('Checkpoint has been subsumed.'),
  FINALIZE_CHECKPOINT_FAILURE: counted('Failure to finalize checkpoint.'),
  CHECKPOINT_COORDINATOR_SUSPEND: uncounted('Checkpoint coordinator is suspended.'),
  CHECKPOINT_COORDINATOR_SHUTDOWN: uncounted('Checkpoint coordinator shut down.'),
  // The job is no longer there.
  TASK_FAILURE: uncounted('Task has failed.'),
  JOB_FAILURE: uncounted('The job has failed.'),
  JOB_FAILOVER_REGION: uncounted('FailoverRegion is restarting.'),
} satisfies Record<string, Cause>;

export type CheckpointFailureReason = keyof typeof CHECKPOINT_FAILURES;

export function subjectOf(kind: CheckpointKind): string {
  return kind === 'checkpoint' ? 'Checkpoint' : 'Savepoint';
}

/** `Checkpoint 7`, `Savepoint 8`. */
export function nameOf(kind: CheckpointKind, id: number): string {
  return `${subjectOf(kind)} ${id}`;
}

/** So many subtasks are named in a message. */
const NAMED = 3;

/** Who kept a checkpoint waiting until it expired. */
export function expiry(timeoutMs: number, subtasks: number, missing: readonly string[]): string {
  const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : '';
  const had = `${subtasks - missing.length} of ${subtasks} subtasks had acknowledged it`;
  return `After ${formatDuration(timeoutMs)} ${had}; missing: ${missing.slice(0, NAMED).join(', ')}${more}.`;
}

/** Its code is the name of the reason. */
export class CheckpointError extends WeirError {
  readonly reason: CheckpointFailureReason;

  /** `subject`: which checkpoint; `detail`: a sentence that says more, or empty. */
  constructor(reason: CheckpointFailureReason, subject: string, detail = '') {
    super(reason, [`${subject}:`, CHECKPOINT_FAILURES[reason].text, detail].join(' ').trimEnd());
    this.reason = reason;
  }
}
