import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { OPERATOR_CELLS, OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import type { JobNews } from './job-news.ts';
import { StateAlert } from './state-alert.ts';

const operators = [
  { id: 'windows', name: 'windows' },
  { id: 'sink', name: 'sink' },
];
const graph = { vertices: [{ operators }] } as unknown as JobGraph;

/** A task of two subtasks, watched from 1,000 bytes on. */
function watched() {
  const told: JobNews[] = [];
  const cells = [[0, 1].map(() => new Float64Array(1024))];
  let next: () => void = () => {};
  const alert = new StateAlert({
    bytes: 1000,
    graph: () => graph,
    cells: () => cells,
    clock: new ManualClock(7000),
    timers: {
      after: (_, run) => {
        next = run;
        return () => {
          next = () => {};
        };
      },
    },
    tell: (news) => told.push(news),
  });
  return {
    alert,
    /** What is told when the two subtasks of an operator have so much. */
    at(operator: number, ...bytes: readonly number[]): string[] {
      for (const [subtask, size] of bytes.entries())
        operatorCells(cells[0]?.[subtask] as Float64Array, operator)[OperatorCell.STATE_BYTES] = size;
      next();
      return told
        .splice(0)
        .flatMap((news) => (news.type === 'state-size' ? [`${news.operator} ${news.bytes} ${news.large}`] : []));
    },
  };
}

describe('an alert of large state', () => {
  it('MT5 is told once when an operator, all subtasks, grows beyond the size, and once when it is well below again', () => {
    expect(OPERATOR_CELLS).toBeLessThan(500);
    const { alert, at } = watched();
    alert.start();
    expect(at(0, 500, 499)).toEqual([]);
    expect(at(0, 500, 500)).toEqual(['windows 1000 true']);
    expect(at(0, 5000, 0)).toEqual([]);
    expect(at(0, 999, 0)).toEqual([]);
    expect(at(1, 1000, 1000)).toEqual(['sink 2000 true']);
    expect(at(0, 899, 0)).toEqual(['windows 899 false']);
    expect(at(0, 1000, 0)).toEqual(['windows 1000 true']);
  });

  it('MT5 is not told of once the job has ended', () => {
    const { alert, at } = watched();
    alert.start();
    alert.stop();
    expect(at(0, 5000, 0)).toEqual([]);
  });
});
