import { describe, expect, it } from 'vitest';
import { f64, schema, string } from '#engine/batch/schema.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { failoverRegions, restartedWith } from './failover-regions.ts';

const Row = schema({ key: string(), v: f64() });
type Rows = DataStream<typeof Row.fields>;

function graphOf(parallelism: number, build: (rows: Rows, other: Rows) => void): JobGraph {
  const env = new StreamExecutionEnvironment({ name: 'job', parallelism });
  const source = (name: string): Rows => env.fromSource(fromRows(Row, []), name);
  build(source('first'), source('second'));
  return env.jobGraph();
}

/** As `vertex/index` words. */
const regions = (graph: JobGraph): string[] =>
  failoverRegions(graph).map((ids) => ids.map(({ vertex, index }) => `${vertex}/${index}`).join(' '));

const sink = (): CollectSink => new CollectSink();

describe('failover regions', () => {
  it('RS7 chains that only forward are a region each', () => {
    const graph = graphOf(2, (rows, other) => {
      rows
        .filter('a', () => true)
        .startNewChain()
        .sinkTo(sink(), 'out');
      other.sinkTo(sink(), 'other');
    });
    expect(regions(graph)).toEqual(['0/0 2/0', '0/1 2/1', '1/0', '1/1']);
  });

  it('RS7 behind a keyBy all are one, and two jobs in one are two', () => {
    const graph = graphOf(2, (rows, other) => {
      rows.keyBy('key').process('count', { output: Row, create: () => (row, _ctx, out) => out.collect(row) });
      other.sinkTo(sink(), 'other');
    });
    expect(regions(graph)).toEqual(['0/0 0/1 2/0 2/1', '1/0', '1/1']);
  });

  it('RS7 rescale joins those that share a consumer', () => {
    const graph = graphOf(4, (rows, other) => {
      rows.rescale().sinkTo(sink(), 'out').setParallelism(2);
      other.sinkTo(sink(), 'other');
    });
    expect(regions(graph)).toEqual(['0/0 0/1 2/0', '0/2 0/3 2/1', '1/0', '1/1', '1/2', '1/3']);
  });

  it('RS7 all of a region restart when one fails', () => {
    const all = failoverRegions(
      graphOf(2, (rows, other) => void [rows.sinkTo(sink(), 'a'), other.sinkTo(sink(), 'b')]),
    );
    expect(restartedWith(all, { vertex: 1, index: 0 })).toEqual([{ vertex: 1, index: 0 }]);
    expect(() => restartedWith(all, { vertex: 2, index: 0 })).toThrow('The job has no subtask 2/0.');
  });
});
