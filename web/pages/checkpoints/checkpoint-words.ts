import type { CheckpointKind, CheckpointRow, CheckpointStatus, SubtaskCheckpoint } from '#shared/checkpoints.ts';
import type { Tone } from '../../ui/status.tsx';

/** Shape, word and colour of a checkpoint: always all three. */
export interface CheckpointLook {
  readonly shape: string;
  readonly word: string;
  readonly tone: Tone;
}

const LOOKS: Record<CheckpointStatus, CheckpointLook> = {
  COMPLETED: { shape: '●', word: 'completed', tone: 'ok' },
  FAILED: { shape: '✖', word: 'failed', tone: 'critical' },
  IN_PROGRESS: { shape: '◌', word: 'in progress', tone: 'idle' },
};

export function checkpointLook({ status, kind }: Pick<CheckpointRow, 'status' | 'kind'>): CheckpointLook {
  const look = LOOKS[status];
  return status === 'COMPLETED' && kind !== 'checkpoint' ? { ...look, shape: '⚑' } : look;
}

const KINDS: Record<CheckpointKind, string> = {
  checkpoint: 'checkpoint',
  savepoint: 'savepoint',
  stop: 'savepoint, the job stopped',
  drain: 'savepoint, the job drained',
};

export function kindWords(kind: CheckpointKind): string {
  return KINDS[kind];
}

export const PARTS = [
  { key: 'startDelayMs', name: 'start delay', color: 'var(--idle)' },
  { key: 'alignmentMs', name: 'alignment', color: 'var(--series-2)' },
  { key: 'syncMs', name: 'synchronous', color: 'var(--critical)' },
  { key: 'asyncMs', name: 'asynchronous', color: 'var(--series-1)' },
] as const;

/** Where the parts of a subtask's time begin and how long they are, in percent of the longest one's. */
export interface Bar {
  readonly name: string;
  readonly color: string;
  readonly left: number;
  readonly width: number;
  readonly ms: number;
}

/** One after the other as they happened: barrier on its way, alignment, snapshot, writing. */
export function barsOf(subtask: SubtaskCheckpoint, longestMs: number): Bar[] {
  const whole = Math.max(longestMs, 1e-6);
  let at = 0;
  return PARTS.map(({ key, name, color }) => {
    const ms = subtask[key];
    const bar = { name, color, left: (at / whole) * 100, width: (ms / whole) * 100, ms };
    at += ms;
    return bar;
  });
}

/** What the parts of a subtask add up to, ms. */
export function spanOf(subtask: SubtaskCheckpoint): number {
  return PARTS.reduce((sum, { key }) => sum + subtask[key], 0);
}
