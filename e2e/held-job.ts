/**
 * Two sources by key into one operator with two inputs, and a sink behind another exchange that takes nothing while it is told not to: for the test
 * of checkpoints under backpressure. The sink holds as long as there is a file `hold` in the directory, and writes what it commits to the file
 * `committed`. So no clock plays a part.
 */

import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { i32, schema, string } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Sink, SinkWriter, WriterContext } from '#engine/io/sink.ts';
import { fromRows, type TimedRow } from '#testing/collect.ts';

export const ROWS = 400_000;
const S = schema({ k: string(), v: i32() });

function rows(from: number): TimedRow<typeof S.fields>[] {
  return Array.from({ length: ROWS / 2 }, (_, i) => ({ row: { k: `k${i % 97}`, v: from + i }, time: i }));
}

interface Piece {
  readonly id: string;
  readonly rows: number;
  readonly sum: number;
}

/** How many rows the sink in this directory has committed, and their sum; a commit that was asked for again counts once. */
export function committed(directory: string): readonly [rows: number, sum: number] {
  const lines = readFileSync(`${directory}/committed`, 'utf8').trim().split('\n');
  const pieces = new Map(lines.map((line) => JSON.parse(line) as Piece).map((piece) => [piece.id, piece]));
  return [...pieces.values()].reduce(([rows, sum], piece) => [rows + piece.rows, sum + piece.sum], [0, 0]);
}

/** Commits how many rows there were, and their sum. */
export class HeldSink implements Sink {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  createWriter(context: WriterContext): SinkWriter {
    const hold = `${this.#directory}/hold`;
    let staged = { rows: 0, sum: 0 };
    let watching = false;
    const look = (): void => {
      watching = false;
      context.wake();
    };
    return {
      ready: () => {
        if (!existsSync(hold)) return true;
        if (!watching) setTimeout(look, 5);
        watching = true;
        return false;
      },
      write: (batch) => {
        for (let i = 0; i < batch.count; i++) {
          staged.rows++;
          staged.sum += (batch.columns[1] as Int32Array)[batch.row(i)] as number;
        }
      },
      prepareCommit: () => {
        const all: Piece[] = [{ id: randomUUID(), ...staged }];
        staged = { rows: 0, sum: 0 };
        return all;
      },
      snapshot: () => null,
      inspect: () => null,
      close: () => {},
    };
  }

  createCommitter() {
    return {
      commit: (pieces: readonly unknown[]) => {
        for (const piece of pieces) appendFileSync(`${this.#directory}/committed`, `${JSON.stringify(piece)}\n`);
        return [];
      },
    };
  }
}

export function buildHeldJob(directory: string): JobGraph {
  const env = new StreamExecutionEnvironment({ name: 'held', parallelism: 2 });
  const read = (name: string, from: number) =>
    env
      .fromSource(fromRows(S, rows(from), { splits: 2, cut: () => 500 }), name)
      .uid(name)
      .keyBy('k');
  read('left', 0)
    .connect(read('right', ROWS / 2))
    .process('both', {
      output: S,
      create: () => ({
        processElement1: (row, _ctx, out) => out.collect({ k: row.k, v: row.v }),
        processElement2: (row, _ctx, out) => out.collect({ k: row.k, v: row.v }),
      }),
    })
    .uid('both')
    .rebalance()
    .sinkTo(new HeldSink(directory), 'out')
    .uid('out');
  return env.jobGraph();
}
