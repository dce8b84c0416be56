import { describe, expect, it } from 'vitest';
import { f64, schema, string } from '#engine/batch/schema.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import { withParallelism } from '#engine/graph/rescale.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { regionViews } from './region-view.ts';
import { regionsOf } from './regions.ts';

const Row = schema({ key: string(), v: f64() });
type Rows = DataStream<typeof Row.fields>;

function graphOf(parallelism: number, build: (rows: () => Rows) => void) {
  const env = new StreamExecutionEnvironment({ name: 'job', parallelism });
  let sources = 0;
  build(() => env.fromSource(fromRows(Row, []), `rows-${++sources}`));
  return env.jobGraph();
}

const same = (rows: Rows, name: string) =>
  rows.process(name, { output: Row, create: () => (_, __, out) => out.forward() });
const into = (rows: Rows, name = 'out', parallelism?: number): void => {
  const sink = rows.sinkTo(new CollectSink() as never, name);
  if (parallelism !== undefined) sink.setParallelism(parallelism);
};

/** Regions as their subtasks: `0.1` is subtask 1 of vertex 0. */
const regions = (graph: ReturnType<typeof graphOf>): string[] =>
  regionsOf(graph).map((region) => region.map(({ vertex, index }) => `${vertex}.${index}`).join(' '));

describe('pipelined regions', () => {
  it('RS8 a chain is as many regions as subtasks, and so are chains that are connected forward', () => {
    expect(regions(graphOf(3, (rows) => into(same(rows(), 'a'))))).toEqual(['0.0', '0.1', '0.2']);
    const two = graphOf(3, (rows) => into(same(rows(), 'a').startNewChain()));
    expect(regions(two)).toEqual(['0.0 1.0', '0.1 1.1', '0.2 1.2']);
  });

  it.each(['keyBy', 'rebalance', 'broadcast'] as const)('RS8 a %s makes one region of all', (how) => {
    const exchange = {
      keyBy: (r: Rows) => r.keyBy('key'),
      rebalance: (r: Rows) => r.rebalance(),
      broadcast: (r: Rows) => r.broadcast(),
    };
    const graph = graphOf(2, (rows) => into(exchange[how](rows()) as Rows));
    expect(regions(graph)).toEqual(['0.0 0.1 1.0 1.1']);
  });

  it('RS8 a rescale connects each with its share', () => {
    const graph = graphOf(2, (rows) => into(same(rows().rescale(), 'a').setParallelism(4), 'out', 4));
    expect(regions(graph)).toEqual(['0.0 1.0 1.1', '0.1 1.2 1.3']);
  });

  it('RS8 pipelines that nothing connects are regions of their own, and a task with two inputs connects them', () => {
    const apart = graphOf(2, (rows) => {
      into(rows().keyBy('key') as unknown as Rows, 'one');
      into(rows().keyBy('key') as unknown as Rows, 'two');
    });
    expect(regions(apart)).toEqual(['0.0 0.1 1.0 1.1', '2.0 2.1 3.0 3.1']);
    const united = graphOf(2, (rows) => into(same(rows().union(rows()), 'a')));
    expect(regions(united)).toHaveLength(2);
  });

  it('RS8 at another parallelism of one of them forward chains are connected, until it is the same again', () => {
    const graph = graphOf(3, (rows) => into(same(rows(), 'a').startNewChain()));
    const changed = withParallelism(graph, { [graph.vertices[1]?.operators[0]?.id as string]: 2 });
    expect(regions(changed)).toHaveLength(1);
    const back = withParallelism(changed, { [graph.vertices[1]?.operators[0]?.id as string]: 3 });
    expect(regions(back)).toEqual(regions(graph));
  });

  it('RS8 are shown with names of tasks, states and attempts', () => {
    expect(
      regionViews(
        graphOf(2, (rows) => into(rows())),
        null,
      )[1],
    ).toEqual({
      subtasks: [{ vertex: 'rows-1 -> out', subtask: 1, state: 'CREATED', attempt: 0 }],
    });
  });
});
