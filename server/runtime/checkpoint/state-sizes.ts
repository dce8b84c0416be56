import type { KeyGroupSize, OperatorStateSize } from '#shared/state-sizes.ts';
import type { CompletedCheckpoint } from './checkpoint-metadata.ts';

/** State per operator and key group, of a completed checkpoint. */
export function stateSizesOf({ vertices }: Pick<CompletedCheckpoint, 'vertices'>): OperatorStateSize[] {
  return vertices.flatMap(({ operators, subtasks, maxParallelism }) =>
    operators.flatMap(({ id, name }) => {
      const sizes = new Map<number, number>();
      for (const handle of subtasks) {
        const flat = handle?.operators.find((entry) => entry.id === id)?.groups ?? [];
        for (let i = 0; i < flat.length; i += 2) {
          const group = flat[i] as number;
          sizes.set(group, (sizes.get(group) ?? 0) + (flat[i + 1] as number));
        }
      }
      if (sizes.size === 0) return [];
      const groups = [...sizes]
        .map(([group, bytes]): KeyGroupSize => ({ group, bytes }))
        .sort((a, b) => b.bytes - a.bytes || a.group - b.group);
      return [{ id, name, maxParallelism, groups, bytes: groups.reduce((sum, { bytes }) => sum + bytes, 0) }];
    }),
  );
}
