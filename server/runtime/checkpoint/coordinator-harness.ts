/** A coordinator for tests: the clock is moved by hand, and everything it does outside is written down in its order. */

import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import type { CheckpointChange, SubtaskFigures } from '#shared/checkpoints.ts';
import type { SubtaskId } from '../task/channels.ts';
import { CheckpointCoordinator } from './checkpoint-coordinator.ts';
import type { CheckpointFailureReason } from './checkpoint-failure.ts';
import { type CheckpointSettings, checkpointSettings } from './checkpoint-settings.ts';
import type { AcknowledgedCheckpoint } from './coordinator-contract.ts';

export const NO_FIGURES: SubtaskFigures = {
  startDelayMs: 0,
  alignmentMs: 0,
  syncMs: 0,
  asyncMs: 0,
  bytes: 0,
  fullBytes: 0,
  processedBytes: 0,
  persistedBytes: 0,
  unaligned: false,
};

/** The two subtasks of one task. */
export const PAIR: readonly SubtaskId[] = [
  { vertex: 0, index: 0 },
  { vertex: 0, index: 1 },
];

interface Written {
  readonly path: string;
}

export class CoordinatorHarness {
  readonly clock: ManualClock;
  readonly coordinator: CheckpointCoordinator<string, Written>;
  readonly changes: CheckpointChange[] = [];
  readonly written: AcknowledgedCheckpoint<string>[] = [];
  #story: (string | CheckpointChange)[] = [];
  /** Not running. */
  absent: SubtaskId | null = null;
  /** Comes before the barrier goes out; may throw. */
  onTrigger: (checkpoint: number) => void = () => {};
  onFail: () => void = () => {};
  /** How a checkpoint is written; at once if not set. */
  write: (checkpoint: number) => Promise<Written> = (checkpoint) => Promise.resolve({ path: `chk-${checkpoint}` });
  discard: () => Eventually<void> = () => {};

  constructor(settings: Partial<CheckpointSettings> = {}, startMs = 0) {
    this.clock = new ManualClock(startMs);
    this.coordinator = new CheckpointCoordinator({
      settings: checkpointSettings(settings),
      clock: this.clock,
      random: new Random(1),
      firstId: 1,
      subtasks: PAIR,
      name: ({ vertex, index }) => `task ${vertex} ${index + 1}/2`,
      running: (id) => id !== this.absent,
      trigger: ({ checkpoint, kind }) => {
        this.onTrigger(checkpoint);
        this.#story.push(kind === 'checkpoint' ? `trigger ${checkpoint}` : `trigger ${checkpoint} ${kind}`);
      },
      complete: (checkpoint) => {
        this.#story.push(`write ${checkpoint.barrier.checkpoint}`);
        this.written.push(checkpoint);
        return this.write(checkpoint.barrier.checkpoint);
      },
      notifyComplete: (checkpoint) => this.#story.push(`notify ${checkpoint}`),
      notifyAborted: (checkpoint, reason) => this.#story.push(`abort ${checkpoint} ${reason}`),
      discard: (states) => {
        this.#story.push(`discard ${states.join(' ')}`);
        return this.discard();
      },
      failJob: (error) => {
        this.#story.push(`fail: ${error.message}`);
        this.onFail();
      },
      onChange: (change) => {
        this.changes.push(change);
        this.#story.push(change);
      },
    });
  }

  /** What it did and what it said about it since either was last asked for. */
  get story(): (string | CheckpointChange)[] {
    const story = this.#story;
    this.#story = [];
    return story;
  }

  /** What it did since it was last asked for. */
  get log(): string[] {
    return this.story.filter((event) => typeof event === 'string');
  }

  /** Moves the clock to that instant, waking the coordinator wherever it asked for it. */
  async until(ms: number): Promise<void> {
    for (let wake = this.coordinator.nextWake; wake <= ms; wake = this.coordinator.nextWake) {
      this.clock.set(Math.max(wake, this.clock.now()));
      this.coordinator.tick();
      await settled();
    }
    this.clock.set(ms);
    this.coordinator.tick();
    await settled();
  }

  ack(checkpoint: number, index: number, figures: Partial<SubtaskFigures> = {}, ended = false): void {
    this.coordinator.acknowledge({
      checkpoint,
      subtask: { vertex: 0, index },
      state: `s${checkpoint}.${index}`,
      figures: { ...NO_FIGURES, ...figures },
      ended,
    });
  }

  /** Both subtasks acknowledge. */
  async ackAll(checkpoint: number, ended = false): Promise<void> {
    this.ack(checkpoint, 0, {}, ended);
    this.ack(checkpoint, 1, {}, ended);
    await settled();
  }

  decline(checkpoint: number, reason: CheckpointFailureReason, message = 'no'): void {
    this.coordinator.decline({ checkpoint, subtask: { vertex: 0, index: 1 }, reason, message });
  }
}

/** Whatever could go on without time has. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

/** How a promise ended, in words, without throwing. */
export function outcome(promise: Promise<Written>): Promise<string> {
  return promise.then(
    ({ path }) => path,
    (error: Error) => error.message,
  );
}
