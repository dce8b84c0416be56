import { describe, expect, it } from 'vitest';
import { BarrierAligner, type CheckpointMode } from './barrier-aligner.ts';

function aligner(mode: CheckpointMode = 'exactly-once', channels = 2) {
  const log: string[] = [];
  let now = 0;
  const made = new BarrierAligner(mode, () => now, {
    aligned: () => log.push(`aligned ${made.aligned?.barrier.checkpoint}`),
    givenUp: (checkpoint) => log.push(`given up ${checkpoint}`),
  });
  made.addChannels(channels);
  return {
    made,
    log,
    /** Barrier `checkpoint` on a channel, at a time of its own. */
    barrier(channel: number, checkpoint: number, at = now): void {
      now = at;
      made.barrier(channel, { checkpoint, triggeredAt: 0, kind: 'checkpoint' });
    },
    blocked: () => Array.from({ length: channels }, (_, channel) => made.blocked(channel)),
  };
}

describe('barriers of several channels', () => {
  it('BA1 block their channels until the last one has come, and all go on behind the snapshot', () => {
    const { made, log, barrier, blocked } = aligner();
    barrier(1, 1, 10);
    expect([blocked(), made.aligned, made.waiting?.checkpoint]).toEqual([[false, true], null, 1]);
    barrier(0, 1, 30);
    expect(made.aligned).toMatchObject({ barrier: { checkpoint: 1 }, firstAt: 10, lastAt: 30 });
    expect(blocked()).toEqual([true, true]);
    made.release();
    expect([blocked(), made.aligned, made.waiting, log]).toEqual([[false, false], null, null, ['aligned 1']]);
  });

  it('BA2 with at-least-once no channel is blocked before the last barrier, and several checkpoints are counted at once', () => {
    const { made, log, barrier, blocked } = aligner('at-least-once');
    barrier(0, 1);
    barrier(0, 2);
    expect(blocked()).toEqual([false, false]);
    barrier(1, 1);
    expect(made.aligned?.barrier.checkpoint).toBe(1);
    expect(blocked()).toEqual([true, true]);
    made.release();
    expect(blocked()).toEqual([false, false]);
    barrier(1, 2);
    expect([made.aligned?.barrier.checkpoint, log]).toEqual([2, ['aligned 1', 'aligned 2']]);
  });

  it('BA3 with at-least-once the completion of one gives up those before it', () => {
    const { log, barrier } = aligner('at-least-once');
    barrier(0, 1);
    barrier(0, 2);
    barrier(1, 2);
    barrier(1, 1);
    expect(log).toEqual(['given up 1', 'aligned 2']);
  });

  it('BA4 a later barrier gives up the checkpoint under way, and only its own channel stays blocked', () => {
    const { made, log, barrier, blocked } = aligner('exactly-once', 3);
    barrier(0, 1);
    barrier(1, 2);
    expect([log, blocked(), made.waiting?.checkpoint]).toEqual([['given up 1'], [false, true, false], 2]);
    barrier(2, 1);
    expect(blocked()).toEqual([false, true, false]);
  });

  it('BA5 an aborted checkpoint frees its channels, and barriers of it that come later are ignored', () => {
    const { made, log, barrier, blocked } = aligner();
    barrier(0, 1);
    made.abort(1);
    expect(blocked()).toEqual([false, false]);
    barrier(1, 1);
    expect([blocked(), made.waiting]).toEqual([[false, false], null]);
    barrier(0, 2);
    barrier(1, 2);
    expect(log).toEqual(['aligned 2']);
  });

  it('BA6 an abort may come before the first barrier, or behind the last one', () => {
    const { made, log, barrier, blocked } = aligner();
    made.abort(1);
    barrier(0, 1);
    expect(blocked()).toEqual([false, false]);
    barrier(0, 2);
    barrier(1, 2);
    made.abort(2);
    expect([made.aligned, blocked(), log]).toEqual([null, [false, false], ['aligned 2']]);
    made.abort(1);
    barrier(0, 3);
    barrier(1, 3);
    expect(made.aligned?.barrier.checkpoint).toBe(3);
  });

  it('BA7 one channel is aligned with its only barrier', () => {
    const { made, barrier } = aligner('exactly-once', 1);
    barrier(0, 7);
    expect(made.aligned?.barrier.checkpoint).toBe(7);
    barrier(0, 7);
    made.release();
    expect(made.aligned).toBe(null);
  });

  it('BA8 with at-least-once no more than 50 checkpoints are counted at once', () => {
    const { log, barrier } = aligner('at-least-once');
    for (let checkpoint = 1; checkpoint <= 51; checkpoint++) barrier(0, checkpoint);
    expect(log).toEqual(['given up 1']);
  });
});
