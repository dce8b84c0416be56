import { describe, expect, it } from 'vitest';
import type { SubtaskCheckpoint } from '#shared/checkpoints.ts';
import { barsOf, checkpointLook, spanOf } from './checkpoint-words.ts';

const subtask: SubtaskCheckpoint = {
  index: 0,
  bytes: 10,
  fullBytes: 10,
  processedBytes: 0,
  persistedBytes: 0,
  startDelayMs: 10,
  alignmentMs: 20,
  syncMs: 5,
  asyncMs: 15,
  unaligned: false,
  ackAt: 0,
  durationMs: 50,
  ended: false,
};

describe('a subtask of a checkpoint', () => {
  it('is drawn as its parts one after the other, against the longest subtask', () => {
    expect(spanOf(subtask)).toBe(50);
    expect(barsOf(subtask, 100).map(({ name, left, width }) => [name, left, width])).toEqual([
      ['start delay', 0, 10],
      ['alignment', 10, 20],
      ['synchronous', 30, 5],
      ['asynchronous', 35, 15],
    ]);
  });

  it('that took no time at all has no width, and divides by nothing', () => {
    const nothing = { ...subtask, startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0 };
    expect(barsOf(nothing, 0).map(({ width }) => width)).toEqual([0, 0, 0, 0]);
  });
});

describe('how a checkpoint looks', () => {
  it('says its status by shape and word, and a savepoint by a flag', () => {
    expect(checkpointLook({ status: 'COMPLETED', kind: 'checkpoint' })).toMatchObject({
      shape: '●',
      word: 'completed',
    });
    expect(checkpointLook({ status: 'COMPLETED', kind: 'savepoint' })).toMatchObject({ shape: '⚑', word: 'completed' });
    expect(checkpointLook({ status: 'FAILED', kind: 'savepoint' })).toMatchObject({ shape: '✖', word: 'failed' });
    expect(checkpointLook({ status: 'IN_PROGRESS', kind: 'checkpoint' })).toMatchObject({ word: 'in progress' });
  });
});
