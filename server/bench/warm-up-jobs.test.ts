import { describe, expect, it } from 'vitest';
import { OperatorCell } from '#engine/metrics/cells.ts';
import { LocalExecutor } from '#runtime/local/local-executor.ts';
import { jobLayout } from '#runtime/metrics/layout.ts';
import { buildBenchJob } from './jobs.ts';
import { expectedRows, warmUpSpecs } from './warm-up-jobs.ts';

describe('warm-up jobs', () => {
  for (const parallelism of [1, 2]) {
    for (const spec of warmUpSpecs({ rows: 5000, parallelism })) {
      it(`${spec.name} gives as many rows as it should at parallelism ${parallelism}, over rings too`, () => {
        for (const channels of ['direct', 'ring'] as const) {
          const graph = buildBenchJob(spec);
          const executor = new LocalExecutor(graph, { seed: 7, channels });
          executor.run();
          const { operator, rows } = expectedRows(spec);
          const place = jobLayout(graph).operators.find((o) => o.id === operator);
          const cell = (place?.offset ?? 0) + OperatorCell.RECORDS_IN;
          const sunk = (executor.cells[place?.vertex ?? 0] ?? []).reduce((sum, of) => sum + (of[cell] ?? 0), 0);
          if (rows === null) expect(sunk).toBeGreaterThan(0);
          else expect(sunk).toBe(rows);
        }
      });
    }
  }
});
