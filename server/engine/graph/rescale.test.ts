import { describe, expect, it } from 'vitest';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { schema, string } from '../batch/schema.ts';
import type { Sink } from '../io/sink.ts';
import { count } from '../window/aggregates.ts';
import { TumblingProcessingTimeWindows } from '../window/assigners.ts';
import { StreamExecutionEnvironment } from './data-stream.ts';
import type { JobGraph } from './job-graph.ts';
import { withParallelism } from './rescale.ts';

const S = schema({ k: string() });

/** rows -> filter ═hash═> windows -> out, and rows -forward-> apart, which is not chained. */
function job(): JobGraph {
  const env = new StreamExecutionEnvironment({ name: 'job', parallelism: 2 });
  const rows = env.fromSource(fromRows(S, []), 'rows').uid('rows');
  rows
    .filter('apart', () => true)
    .disableChaining()
    .uid('apart')
    .sinkTo(new CollectSink() as Sink, 'aside')
    .uid('aside');
  rows
    .filter('good', () => true)
    .uid('good')
    .keyBy('k')
    .window(TumblingProcessingTimeWindows.of(1000))
    .aggregate({ n: count() }, 'windows')
    .uid('windows')
    .sinkTo(new CollectSink() as Sink, 'out')
    .uid('out');
  return env.jobGraph();
}

const tasks = (graph: JobGraph): string[] => graph.vertices.map(({ name, parallelism }) => `${name} x${parallelism}`);
const kinds = (graph: JobGraph): string[] => graph.edges.map(({ partitioner }) => partitioner.kind);

describe('a job with other numbers of subtasks', () => {
  it('CH13 a task is rescaled with all that is chained in it; ids, chains and what is not named stay', () => {
    const before = job();
    const after = withParallelism(before, { out: 4 });
    expect(tasks(before)).toEqual(['rows -> good x2', 'apart x2', 'aside x2', 'windows -> out x2']);
    expect(tasks(after)).toEqual(['rows -> good x2', 'apart x2', 'aside x2', 'windows -> out x4']);
    expect(after.vertices.map(({ id }) => id)).toEqual(before.vertices.map(({ id }) => id));
    expect(kinds(after)).toEqual(kinds(before));
  });

  it('CH14 an exchange between equal parallelisms that stop being equal becomes a rebalance', () => {
    expect(kinds(job())).toEqual(['forward', 'forward', 'hash']);
    expect(kinds(withParallelism(job(), { rows: 3 }))).toEqual(['rebalance', 'forward', 'hash']);
    expect(kinds(withParallelism(job(), { rows: 3, apart: 3, aside: 3 }))).toEqual(['forward', 'forward', 'hash']);
    // Threads know the numbers only, and must find the same channels.
    const back = withParallelism(withParallelism(job(), { rows: 3 }), { rows: 2 });
    expect(kinds(back)).toEqual(kinds(job()));
  });

  it('CH15 what cannot be is refused by name', () => {
    const refused = (changes: Record<string, number>) => () => withParallelism(job(), changes);
    expect(refused({ nobody: 2 })).toThrow(
      'Job job has no operator "nobody"; it has: rows, good, apart, aside, windows, out.',
    );
    for (const parallelism of [0, 129, 1.5]) {
      expect(refused({ windows: parallelism })).toThrow(
        `windows (task "windows -> out") can have 1 to 128 subtasks, which is its max parallelism, not ${parallelism}.`,
      );
    }
    expect(refused({ windows: 2, out: 3 })).toThrow(
      'out and windows are chained in one task, so they cannot have 3 and 2 subtasks.',
    );
  });
});
