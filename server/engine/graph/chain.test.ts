import { describe, expect, it } from 'vitest';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { f64, nullable, schema, string } from '../batch/schema.ts';
import type { Sink } from '../io/sink.ts';
import { boundedOutOfOrderness } from '../time/watermark-strategy.ts';
import { avg, count, min } from '../window/aggregates.ts';
import { TumblingEventTimeWindows } from '../window/assigners.ts';
import { type DataStream, lateTag, OutputTag, StreamExecutionEnvironment } from './data-stream.ts';
import { explain } from './explain.ts';
import { findOperator, type JobGraph } from './job-graph.ts';

const S = schema({ k: string(), v: f64() });
type S = typeof S.fields;
const errors = new OutputTag('errors', schema({ reason: string() }));
const sink = (): Sink => new CollectSink() as Sink;

function job(build: (rows: DataStream<S>, env: StreamExecutionEnvironment) => void, parallelism = 1): JobGraph {
  const env = new StreamExecutionEnvironment({ name: 'job', parallelism });
  build(env.fromSource(fromRows(S, []), 'rows'), env);
  return env.jobGraph();
}

/** Tasks and exchanges: `rows -> map | sink; 0=rebalance=>1`. */
function shape(graph: JobGraph): string {
  const tasks = graph.vertices.map((v) => `${v.name} x${v.parallelism}`).join(' | ');
  const edges = graph.edges.map(
    (e) => `${e.from}.${e.fromOperator}${e.tag === null ? '' : `[${e.tag}]`}=${e.partitioner.kind}=>${e.to}`,
  );
  return [tasks, ...edges].join('; ');
}

const same = (rows: DataStream<S>, name: string) => rows.map(name, S, (row) => row);

describe('chaining', () => {
  it('CH1 joins operators into one task as long as nothing has to cross a thread', () => {
    expect(
      shape(
        job((rows) =>
          same(rows, 'a')
            .filter('b', () => true)
            .sinkTo(sink(), 'c'),
        ),
      ),
    ).toBe('rows -> a -> b -> c x1');
  });

  it('CH1 a task is a tree: side outputs and several readers are chained too', () => {
    const graph = job((rows) => {
      const checked = rows.process('check', { output: S, sideOutputs: [errors], create: () => () => {} });
      checked.sideOutput(errors).sinkTo(sink(), 'log');
      same(checked, 'a').sinkTo(sink(), 'out');
      checked.sinkTo(sink(), 'raw');
    });
    expect(shape(graph)).toBe('rows -> check -> log -> a -> out -> raw x1');
    expect(graph.vertices[0]?.links).toEqual([
      { from: 0, to: 1, tag: null },
      { from: 1, to: 2, tag: 'errors' },
      { from: 1, to: 3, tag: null },
      { from: 3, to: 4, tag: null },
      { from: 1, to: 5, tag: null },
    ]);
  });

  it('CH2 keyBy, rebalance, rescale and broadcast cross, also at parallelism 1', () => {
    for (const [kind, cut] of [
      ['hash', (rows: DataStream<S>) => rows.keyBy('k')],
      ['rebalance', (rows: DataStream<S>) => rows.rebalance()],
      ['rescale', (rows: DataStream<S>) => rows.rescale()],
      ['broadcast', (rows: DataStream<S>) => rows.broadcast()],
    ] as const) {
      expect(shape(job((rows) => same(cut(rows), 'a')))).toBe(`rows x1 | a x1; 0.0=${kind}=>1`);
    }
  });

  it('CH3 so does another parallelism: round robin unless told otherwise', () => {
    expect(shape(job((rows) => same(rows, 'a').setParallelism(3)))).toBe('rows x1 | a x3; 0.0=rebalance=>1');
    expect(shape(job((rows) => same(rows, 'a').setParallelism(1), 2))).toBe('rows x2 | a x1; 0.0=rebalance=>1');
  });

  it('CH4 a union has several inputs, so it starts a task', () => {
    const graph = job((rows, env) => {
      const other = env.fromSource(fromRows(S, []), 'others');
      same(
        rows.union(
          other,
          rows.filter('f', () => true),
        ),
        'a',
      );
    });
    expect(shape(graph)).toBe('rows -> f x1 | others x1 | a x1; 0.0=forward=>2; 1.0=forward=>2; 0.1=forward=>2');
  });

  it('CH5 disableChaining leaves an operator alone, startNewChain begins with it', () => {
    expect(shape(job((rows) => same(same(same(rows, 'a').disableChaining(), 'b'), 'c')))).toBe(
      'rows x1 | a x1 | b -> c x1; 0.0=forward=>1; 1.0=forward=>2',
    );
    expect(shape(job((rows) => same(same(same(rows, 'a').startNewChain(), 'b'), 'c')))).toBe(
      'rows x1 | a -> b -> c x1; 0.0=forward=>1',
    );
  });

  it('CH6 keys keep their subtask through several operators only if they say so: keyBy again', () => {
    const graph = job((rows) => {
      rows
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .aggregate({ n: count() }, 'w')
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(100))
        .aggregate({ n: count() }, 'ww');
    }, 2);
    expect(shape(graph)).toBe('rows x2 | w x2 | ww x2; 0.0=hash=>1; 1.0=hash=>2');
  });
});

describe('operator ids', () => {
  it('CH7 a uid is the id', () => {
    const graph = job((rows) => same(rows, 'a').uid('mine').sinkTo(sink(), 's').uid('out'));
    expect(graph.vertices[0]?.operators.map((o) => o.id).slice(1)).toEqual(['mine', 'out']);
    expect(findOperator(graph, 'out')).toEqual({ vertex: 0, operator: 2 });
    expect(findOperator(graph, 'nobody')).toBe(null);
  });

  it('CH8 without one it comes from what the operator is and where it stands, the same each time', () => {
    const build = (name: string): string[] =>
      job((rows) => {
        same(rows, name);
        same(rows, `${name}2`);
        rows.filter('f', () => true);
      }).vertices.flatMap((v) => v.operators.map((o) => o.id));
    const ids = build('a');
    expect(new Set(ids).size).toBe(4);
    expect(build('renamed')).toEqual(ids);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  });

  it('CH9 two operators with one uid are an error that names both', () => {
    expect(() => job((rows) => same(same(rows, 'first').uid('x'), 'second').uid('x'))).toThrow(
      'Job job: the operators "first" and "second" both have the uid "x".',
    );
  });
});

describe('what a job refuses when it is built', () => {
  const readings = schema({ k: string(), v: f64(), maybe: nullable(string()) });
  const build = (fn: (rows: DataStream<typeof readings.fields>) => unknown): (() => unknown) => {
    const env = new StreamExecutionEnvironment({ name: 'job' });
    const rows = env.fromSource(fromRows(readings, []), 'rows');
    return () => {
      fn(rows);
      return env.jobGraph();
    };
  };

  it('CH10 an unknown field', () => {
    // @ts-expect-error and the compiler says so too
    expect(build((rows) => rows.keyBy('nope'))).toThrow('keyBy: unknown field "nope"; the stream has k, v, maybe.');
    expect(
      build((rows) =>
        rows
          .keyBy('k')
          .window(TumblingEventTimeWindows.of(1))
          // @ts-expect-error and the compiler says so too
          .aggregate({ x: avg('nope') }),
      ),
    ).toThrow('Window, aggregate "x": unknown field "nope"');
  });

  it('CH10 an aggregate over a string', () => {
    expect(
      build((rows) =>
        rows
          .keyBy('k')
          .window(TumblingEventTimeWindows.of(1))
          // @ts-expect-error and the compiler says so too
          .aggregate({ x: min('k') }),
      ),
    ).toThrow('Window: min("k") needs numbers, but "k" is string.');
  });

  it('CH10 a key of another kind, or one that may be null', () => {
    // @ts-expect-error and the compiler says so too
    expect(build((rows) => rows.keyBy('v'))).toThrow(
      'keyBy("v") needs a string or i32 column that is not nullable, but it is f64.',
    );
    // @ts-expect-error and the compiler says so too
    expect(build((rows) => rows.keyBy('maybe'))).toThrow(
      'keyBy("maybe") needs a string or i32 column that is not nullable, but it is string?.',
    );
  });

  it('CH10 a side output that was not declared', () => {
    expect(build((rows) => rows.map('m', S, (r) => r).sideOutput(errors))).toThrow(
      'm has no side output "errors"; it declares: none.',
    );
    const late = lateTag('late', readings);
    expect(
      build((rows) =>
        rows
          .keyBy('k')
          .window(TumblingEventTimeWindows.of(1))
          .sideOutputLateData(late)
          .aggregate({ n: count() })
          .sideOutput(errors),
      ),
    ).toThrow('Window has no side output "errors"; it declares: late.');
  });

  it('CH10 an aggregate with the name of another result column', () => {
    for (const name of ['k', 'window_start', 'window_end']) {
      expect(
        build((rows) =>
          rows
            .keyBy('k')
            .window(TumblingEventTimeWindows.of(1))
            .aggregate({ [name]: count() }),
        ),
      ).toThrow(`Window: the aggregate "${name}" has the name of another result column.`);
    }
  });

  it('CH10 union of streams of different schemas', () => {
    // @ts-expect-error and the compiler says so too
    expect(build((rows) => rows.union(rows.map('m', S, (r) => r)))).toThrow('union needs equal schemas');
  });

  it('CH10 a parallelism out of bounds, by operator', () => {
    expect(build((rows) => rows.filter('f', () => true).setParallelism(0))).toThrow(
      'f: parallelism must be a whole number from 1 to 128',
    );
    expect(
      build((rows) =>
        rows
          .filter('f', () => true)
          .setParallelism(9)
          .setMaxParallelism(8),
      ),
    ).toThrow('f: parallelism must be a whole number from 1 to 8 (its max parallelism), not 9.');
    expect(() => new StreamExecutionEnvironment({ name: 'j', parallelism: 1.5 })).toThrow(
      'Job j: parallelism must be a whole number',
    );
  });

  it('CH10 late rows of a stream that has a column of their names', () => {
    expect(() => lateTag('late', schema({ k: string(), watermark: f64() }))).toThrow(
      'Late rows get a column "watermark"',
    );
  });

  it('CH10 a negative lateness', () => {
    expect(build((rows) => rows.keyBy('k').window(TumblingEventTimeWindows.of(1)).allowedLateness(-1))).toThrow(
      'The allowed lateness must be 0 or more, not -1 ms.',
    );
  });

  it('CH10 a job without source', () => {
    expect(() => new StreamExecutionEnvironment({ name: 'empty' }).jobGraph()).toThrow('Job empty has no source.');
  });
});

describe('types of a job', () => {
  it('CH11 rows have the fields and kinds of their schema, and results those of key and aggregates', () => {
    const env = new StreamExecutionEnvironment({ name: 'types' });
    const R = schema({ k: string(), other: string(), v: f64(), maybe: nullable(f64()) });
    const rows = env.fromSource(fromRows(R, []), 'rows');
    // @ts-expect-error there is no field of that name
    rows.filter('f', (row) => row.nope === 1);
    // @ts-expect-error a nullable field may be null
    rows.filter('f', (row) => row.maybe.toFixed() === '');
    // @ts-expect-error the output is a string
    rows.map('m', schema({ text: string() }), (row) => ({ text: row.v }));
    // @ts-expect-error a row lacks a field
    rows.flatMap('m', S, (row, out) => out.collect({ k: row.k }));
    rows.process('p', {
      output: S,
      // @ts-expect-error a side output has its own fields
      create: () => (_row, ctx) => ctx.output(errors, { text: '' }),
    });
    const results = rows
      .keyBy('k')
      .window(TumblingEventTimeWindows.of(10))
      .aggregate({ n: count(), lo: min('maybe') });
    results.filter('f', (row) => row.k === '' && row.n > 0 && row.window_start < row.window_end);
    // @ts-expect-error only the key comes along
    results.filter('f', (row) => row.other === '');
    // @ts-expect-error the minimum of nullable numbers may be null
    results.filter('f', (row) => row.lo > 0);
    expect(results.schema.columns.map((c) => `${c.name} ${c.kind}${c.nullable ? '?' : ''}`)).toEqual([
      'k string',
      'window_start timestamp',
      'window_end timestamp',
      'n f64',
      'lo f64?',
    ]);
  });
});

describe('explain', () => {
  it('CH12 shows tasks, what is chained in them, and how they are connected', () => {
    const graph = job((rows) => {
      const checked = rows
        .process('check', { output: S, sideOutputs: [errors], create: () => () => {} })
        .assignTimestampsAndWatermarks(boundedOutOfOrderness(0), 'watermarks');
      const windows = checked
        .keyBy('k')
        .window(TumblingEventTimeWindows.of(10))
        .aggregate({ n: count() }, 'windows')
        .setParallelism(2);
      windows.sinkTo(sink(), 'results').setParallelism(2);
    });
    expect(explain(graph)).toBe(`Job job
1  rows -> check -> watermarks  ×1 (max 128)
     rows        source      {k: string, v: f64}
     check       process     <- rows  {k: string, v: f64}
     watermarks  watermarks  <- check  {k: string, v: f64}
     watermarks ══hash(k)══> 2
2  windows -> results  ×2 (max 128)
     windows  window      {k: string, window_start: timestamp, window_end: timestamp, n: f64}
     results  sink        <- windows
`);
  });
});
