import { describe, expect, it } from 'vitest';
import { skewOf } from '#shared/state-sizes.ts';
import type { CheckpointVertex } from './checkpoint-metadata.ts';
import type { SubtaskStateHandle } from './state-handle.ts';
import { stateSizesOf } from './state-sizes.ts';

const handle = (...entries: readonly (readonly [id: string, groups: readonly number[]])[]): SubtaskStateHandle => ({
  file: { path: 'x', bytes: 0, crc32: 0 },
  operators: entries.map(([id, groups]) => ({ id, offset: 0, length: 0, keyed: true, stateful: true, groups })),
  shared: [],
  base: 0,
  full: 0,
});

const vertex = (subtasks: CheckpointVertex['subtasks'], ...ids: readonly string[]): CheckpointVertex => ({
  id: ids[0] as string,
  name: ids.join(' -> '),
  parallelism: subtasks.length,
  maxParallelism: 128,
  operators: ids.map((id) => ({ id, name: `the ${id}` })),
  subtasks,
});

describe('sizes of state', () => {
  it('MT4 are told by operator and key group, the largest first, whichever subtask has it; those without keys are left out', () => {
    const keyed = vertex([handle(['windows', [3, 10, 7, 30]]), null, handle(['windows', [90, 20]])], 'windows', 'sink');
    expect(stateSizesOf({ vertices: [vertex([handle(['source', []])], 'source'), keyed] })).toEqual([
      {
        id: 'windows',
        name: 'the windows',
        maxParallelism: 128,
        bytes: 60,
        groups: [
          { group: 7, bytes: 30 },
          { group: 90, bytes: 20 },
          { group: 3, bytes: 10 },
        ],
      },
    ]);
  });

  it('MT4 of a checkpoint that was written before they were kept are none', () => {
    const { groups, ...entry } = handle(['windows', [3, 10]]).operators[0] as SubtaskStateHandle['operators'][number];
    expect(stateSizesOf({ vertices: [vertex([{ ...handle(), operators: [entry] }], 'windows')] })).toEqual([]);
  });

  it('MT4 the skew is that of the largest key group against the average', () => {
    const [all] = stateSizesOf({ vertices: [vertex([handle(['w', [1, 30, 2, 10, 3, 20]])], 'w')] });
    expect(skewOf(all as NonNullable<typeof all>)).toBe(1.5);
  });
});
