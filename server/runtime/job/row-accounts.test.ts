import { describe, expect, it } from 'vitest';
import { f64, schema } from '#engine/batch/schema.ts';
import type { JobGraph, JobOperator, JobVertex } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import { NO_LATENCY_TRACKING } from '#engine/metrics/latency.ts';
import { DEFAULT_STATE } from '#engine/state/keyed-state.ts';
import { subtaskRows } from '../task/subtask-rows.ts';
import { newJobCells } from './job-cells.ts';
import { RowAccounts } from './row-accounts.ts';

const row = schema({ x: f64() });

function operator(id: string, kind: string, side: string | null = null): JobOperator {
  return {
    id,
    name: id,
    kind,
    create: null,
    source: kind === 'source' ? ({} as JobOperator['source']) : null,
    sink: null,
    alignment: null,
    outputSchema: kind === 'sink' ? null : row,
    sideOutputs: new Map(side === null ? [] : [[side, row]]),
  };
}

/** source -> check (side output: bad) ═> total; bad goes to a sink in the first task. */
const reading: JobVertex = {
  id: 'source',
  name: 'source -> check -> bad',
  parallelism: 2,
  maxParallelism: 128,
  operators: [operator('source', 'source'), operator('check', 'process', 'bad'), operator('bad', 'sink')],
  links: [
    { from: 0, to: 1, tag: null },
    { from: 1, to: 2, tag: 'bad' },
  ],
  inputs: [],
  outputs: [0],
};
const total: JobVertex = {
  ...reading,
  id: 'total',
  name: 'total',
  parallelism: 1,
  operators: [operator('total', 'sink')],
};
const graph: JobGraph = {
  name: 'job',
  vertices: [reading, { ...total, links: [], inputs: [0], outputs: [] }],
  edges: [{ from: 0, fromOperator: 1, tag: null, to: 1, input: 0, partitioner: { kind: 'rebalance' }, schema: row }],
  latencyTracking: NO_LATENCY_TRACKING,
  state: DEFAULT_STATE,
};

/** A job of which rows are moved by hand. */
function job() {
  const { cells } = newJobCells(graph);
  const accounts = new RowAccounts();
  const given = new Map<string, number>([
    ['a', 0],
    ['b', 0],
  ]);
  const count = (vertex: number, subtask: number, place: number, cell: number, rows: number): void => {
    const of = operatorCells(cells[vertex]?.[subtask] as Float64Array, place);
    of[cell] = (of[cell] as number) + rows;
  };
  return {
    accounts,
    given,
    begin: (checkpoint: number | null) => accounts.begin(graph, cells, checkpoint),
    restarted: (subtask: number, checkpoint: number | null) =>
      accounts.restarted([{ vertex: 0, index: subtask }], checkpoint),
    /** Subtask of the source reads so many, of which some are bad; `arrive` of the others. */
    read(subtask: number, rows: number, bad: number, arrive = rows - bad): void {
      const split = subtask === 0 ? 'a' : 'b';
      given.set(split, (given.get(split) ?? 0) + rows);
      count(0, subtask, 0, OperatorCell.RECORDS_OUT, rows);
      count(0, subtask, 1, OperatorCell.RECORDS_IN, rows);
      count(0, subtask, 1, OperatorCell.RECORDS_OUT, rows);
      count(0, subtask, 2, OperatorCell.RECORDS_IN, bad);
      count(1, 0, 0, OperatorCell.RECORDS_IN, arrive);
    },
    checkpoint(id: number) {
      for (const [vertex, subtask] of [
        [0, 0],
        [0, 1],
        [1, 0],
      ] as const) {
        const split = subtask === 0 ? 'a' : 'b';
        const rows = subtaskRows(
          cells[vertex]?.[subtask] as Float64Array,
          graph.vertices[vertex]?.operators.length ?? 0,
          null,
        );
        const reads: [string, number][] = given.has(split) ? [[split, given.get(split) as number]] : [];
        const own = vertex === 0 ? reads : null;
        accounts.acknowledged(id, { vertex, index: subtask }, { ...rows, given: own });
      }
      accounts.completed(id);
      return accounts.latest === null ? null : accounts.balance(accounts.latest);
    },
  };
}

describe('accounts of rows', () => {
  it('RA1 balance while nothing goes wrong, over all attempts, each row once', () => {
    const { accounts, given, begin, read, checkpoint } = job();
    begin(null);
    read(0, 100, 10);
    read(1, 50, 0);
    expect(checkpoint(1)).toEqual({ given: 150, lost: 0, doubled: 0 });
    read(0, 30, 0);
    // A thread dies: what is under way is gone, and sources go back.
    begin(1);
    given.set('a', 100);
    expect(accounts.replayed).toBe(30);
    read(0, 60, 3);
    expect(checkpoint(2)).toEqual({ given: 210, lost: 0, doubled: 0 });
    expect(accounts.latest?.operators.get('total')?.in).toBe(197);
  });

  it('RA1 name what a failure has lost: rows that were under way, or that a source has skipped', () => {
    const { given, begin, read, checkpoint } = job();
    begin(null);
    read(0, 100, 0, 96);
    begin(null);
    given.set('a', 0);
    read(0, 100, 0, 96);
    expect(checkpoint(1)).toEqual({ given: 100, lost: 4, doubled: 0 });
    begin(1);
    given.set('a', 107);
    expect(checkpoint(2)).toEqual({ given: 107, lost: 11, doubled: 0 });
  });

  it('RA1 name what came twice: a source that goes back too far, rows that had arrived before', () => {
    const { given, begin, read, checkpoint } = job();
    begin(null);
    read(1, 100, 0);
    checkpoint(1);
    begin(1);
    given.set('b', 90);
    read(1, 20, 0, 25);
    expect(checkpoint(2)).toEqual({ given: 110, lost: 0, doubled: 15 });
  });

  it('RA3 go on in another process where the one before has handed them over, and name what was lost between', () => {
    const before = job();
    before.begin(null);
    before.read(0, 100, 10);
    before.checkpoint(1);
    before.read(0, 25, 0);
    expect(before.accounts.ahead).toBe(25);
    const handed = JSON.parse(JSON.stringify(before.accounts.handover)) as typeof before.accounts.handover;
    const { accounts, given, begin, read, checkpoint } = job();
    accounts.takeOver(handed as NonNullable<typeof handed>);
    given.set('a', 107);
    begin(1);
    read(0, 20, 0);
    expect(checkpoint(2)).toEqual({ given: 127, lost: 7, doubled: 0 });
    expect([accounts.replayed, accounts.ahead, job().accounts.handover]).toEqual([0, 0, null]);
  });

  it('RA4 count again only what the subtasks have read that went back alone, however often', () => {
    const { accounts, given, begin, read, restarted, checkpoint } = job();
    begin(null);
    read(0, 20, 2);
    read(1, 7, 0);
    // Before the first checkpoint; no rows of the region are with others.
    restarted(1, null);
    given.set('b', 0);
    read(1, 100, 0, 93);
    expect([accounts.replayed, checkpoint(1)]).toEqual([7, { given: 120, lost: 0, doubled: 0 }]);
    for (const replayed of [37, 67]) {
      read(0, 10, 10);
      read(1, 30, 30);
      restarted(1, 1);
      given.set('b', 100);
      expect(accounts.replayed).toBe(replayed);
    }
    read(1, 5, 5);
    expect(accounts.ahead).toBe(25);
    expect(checkpoint(2)).toEqual({ given: 145, lost: 0, doubled: 0 });
    begin(2);
    expect(accounts.replayed).toBe(67);
    expect(() => restarted(1, 1)).toThrow('Nothing is known of checkpoint 1.');
  });

  it('RA4 what a reader had read to its end stays given, also where the checkpoint was unaligned', () => {
    const { accounts, given, begin, read, restarted, checkpoint } = job();
    begin(null);
    read(0, 20, 0);
    read(1, 40, 0);
    accounts.acknowledged(1, { vertex: 1, index: 0 }, { in: [60], out: [0], given: null }, true);
    for (const [index, split, rows] of [
      [0, 'a', 20],
      [1, 'b', 40],
    ] as const) {
      const counts = { in: [0, rows, 0], out: [rows, rows, 0], given: [[split, rows]] as const };
      accounts.acknowledged(1, { vertex: 0, index }, counts, true);
    }
    accounts.completed(1);
    expect(accounts.latest).toBeNull();
    restarted(1, 1);
    given.delete('b');
    expect(checkpoint(2)).toEqual({ given: 60, lost: 0, doubled: 0 });
  });

  it('RA2 count from where they find the job, where another process has run it before', () => {
    const { given, begin, read, checkpoint } = job();
    given.set('a', 5000);
    begin(17);
    read(0, 40, 4);
    expect(checkpoint(18)).toEqual({ given: 5040, lost: 0, doubled: 0 });
    read(0, 10, 0, 9);
    expect(checkpoint(19)).toEqual({ given: 5050, lost: 1, doubled: 0 });
  });
});
