/** A job without threads, for tests of what looks at jobs and does something to them: read, fail, restart and checkpoint are done to it by hand, its counts of rows are real. */

import type { JobVertex } from '#engine/graph/job-graph.ts';
import { withParallelism } from '#engine/graph/rescale.ts';
import { cellsPerTask, OperatorCell, operatorCells, TaskCell } from '#engine/metrics/cells.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import { RowAccounts } from '#runtime/job/row-accounts.ts';
import type { CheckpointStatistics } from '#shared/checkpoints.ts';
import type { JobState } from '#shared/live.ts';
import type { ParallelismWish } from '#shared/scaling.ts';
import { BARE, bareGraph, bareOperator, bareVertex } from './bare-graph.ts';
import { CollectSink, fromRows } from './collect.ts';

export class FakeRunningJob {
  graph = bareGraph([
    bareVertex(
      1,
      [
        { from: 0, to: 1, tag: null },
        { from: 1, to: 2, tag: null },
      ],
      { ...bareOperator('readings', 'source'), source: fromRows(BARE, []) },
      bareOperator('validate', 'process'),
      { ...bareOperator('files', 'sink'), sink: new CollectSink() },
    ),
  ]);
  state: JobState = 'RUNNING';
  cells = newCells(this.graph.vertices);
  readonly accounts = new RowAccounts();
  checkpoints: Pick<CheckpointStatistics, 'latest'> | null = {
    latest: { completed: null, savepoint: null, failed: null, restored: null },
  };
  /** What `rescale` was asked for, and how it ends. */
  readonly wishes: ParallelismWish[] = [];
  rescaled: Promise<void> = Promise.resolve();
  readonly #now: () => number;
  readonly #states = new Set<(state: JobState) => void>();
  readonly #news = new Set<(news: JobNews) => void>();

  constructor(now: () => number) {
    this.#now = now;
    this.accounts.begin(this.graph, this.cells, null);
  }

  onState(listener: (state: JobState) => void): () => void {
    this.#states.add(listener);
    return () => this.#states.delete(listener);
  }

  onNews(listener: (news: JobNews) => void): () => void {
    this.#news.add(listener);
    return () => this.#news.delete(listener);
  }

  become(state: JobState): void {
    this.state = state;
    for (const listener of this.#states) listener(state);
  }

  tell(news: JobNews): void {
    for (const listener of this.#news) listener(news);
  }

  /** So many rows have gone through every operator; the sink was given `arrived` of them. */
  read(rows: number, arrived = rows): void {
    const task = this.cells[0]?.[0] as Float64Array;
    const add = (operator: number, cell: number, value: number): void => {
      const cells = operatorCells(task, operator);
      cells[cell] = (cells[cell] as number) + value;
    };
    add(0, OperatorCell.RECORDS_OUT, rows);
    add(1, OperatorCell.RECORDS_IN, rows);
    add(1, OperatorCell.RECORDS_OUT, rows);
    add(2, OperatorCell.RECORDS_IN, arrived);
  }

  /** Of what was read so far, by the source's own count `given`. */
  checkpoint(id: number, given: number): void {
    const task = this.cells[0]?.[0] as Float64Array;
    const of = (cell: number): number[] => [0, 1, 2].map((o) => operatorCells(task, o)[cell] as number);
    const rows = { in: of(OperatorCell.RECORDS_IN), out: of(OperatorCell.RECORDS_OUT), given: [['0', given] as const] };
    this.accounts.acknowledged(id, { vertex: 0, index: 0 }, rows);
    this.accounts.completed(id);
    this.tell({ type: 'checkpoint', change: { type: 'completed', id, kind: 'checkpoint' } as never });
  }

  /** It fails, and goes on from a checkpoint. */
  restart(message: string, checkpoint: number | null): void {
    this.tell({ type: 'failure', at: this.#now(), message, restartInMs: 0, scope: null });
    this.become('RESTARTING');
    this.accounts.begin(this.graph, this.cells, checkpoint);
    this.tell({ type: 'restored', at: this.#now(), checkpoint, path: null, skipped: [], notes: [] });
    this.become('RUNNING');
  }

  rescale(wish: ParallelismWish): Promise<void> {
    this.wishes.push(wish);
    return this.rescaled.then(() => {
      this.graph = withParallelism(this.graph, wish);
      this.cells = newCells(this.graph.vertices);
    });
  }
}

function newCells(vertices: readonly JobVertex[]): Float64Array[][] {
  return vertices.map(({ parallelism, operators }) =>
    Array.from({ length: parallelism }, () => {
      const task = new Float64Array(cellsPerTask(operators.length));
      task[TaskCell.PHASE] = 1;
      return task;
    }),
  );
}
