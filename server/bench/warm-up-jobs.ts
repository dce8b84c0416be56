/**
 * Other people's jobs: every kind of column, every operator, every exchange. The benches run them in the same threads before they measure
 * anything, so that no number depends on code that only ever saw one shape of data.
 */

import { UsageError } from '#base/errors.ts';
import {
  bool,
  bytes,
  type Fields,
  f64,
  i32,
  nullable,
  type Row,
  type Schema,
  schema,
  string,
  timestamp,
} from '#engine/batch/schema.ts';
import { type DataStream, OutputTag, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { boundedOutOfOrderness, monotonousTimestamps } from '#engine/time/watermark-strategy.ts';
import { avg, count, max, min, sum } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows, TumblingProcessingTimeWindows } from '#engine/window/assigners.ts';
import { ForgetfulSink, FormulaSource } from './formula-source.ts';

export interface WarmUpParams {
  /** Rows of each source. */
  readonly rows: number;
  readonly parallelism: number;
}

const PREFIX = 'warm-up/';
/** Operator that counts how much arrived: its sinks add up to `WarmUp.sunk`. */
const SINK = 'sink';
const START = 1_700_000_000_000;
const WINDOW = TumblingEventTimeWindows.of(1000);

interface WarmUp {
  readonly build: (env: StreamExecutionEnvironment, rows: number) => void;
  /** Rows that all subtasks of the operator `sink` take together; null: depends on the clock. */
  readonly sunk: (params: WarmUpParams) => number | null;
}

const WARM_UPS: Record<string, WarmUp> = {
  /** Numbers with gaps: filter, map to a new row, aggregates over a nullable column, integer keys. */
  numbers: {
    build: (env, rows) => {
      const Measured = schema({ sensor: i32(), value: f64(), gap: nullable(f64()), at: timestamp() });
      const Scaled = schema({ group: i32(), scaled: f64(), gap: nullable(f64()) });
      source(env, Measured, rows, (n) => ({
        sensor: n % 50,
        value: (n * 7) % 101,
        gap: n % 3 === 0 ? null : n / 4,
        at: START + n,
      }))
        .filter('even sensors', (row) => row.sensor % 2 === 0)
        .map('scale', Scaled, (row) => ({ group: row.sensor >> 1, scaled: row.value * 1.8 + 32, gap: row.gap }))
        .assignTimestampsAndWatermarks(boundedOutOfOrderness(10, { emit: 'on-event' }))
        .keyBy('group')
        .window(WINDOW)
        .aggregate({ n: count(), low: min('scaled'), high: max('gap'), mean: avg('gap'), all: sum('scaled') })
        .sinkTo(new ForgetfulSink(), 'sink')
        .uid(SINK);
    },
    sunk: ({ rows }) => seconds(rows) * 25,
  },
  /** Text: one row makes several of another schema, string keys, flags. */
  words: {
    build: (env, rows) => {
      const Line = schema({ text: string(), author: nullable(string()), shout: bool() });
      const Word = schema({ word: string(), shout: bool(), length: i32() });
      source(env, Line, rows, (n) => ({
        text: `the ${COLOURS[n % 7]} fox`,
        author: n % 5 === 0 ? null : `author-${n % 11}`,
        shout: n % 2 === 0,
      }))
        .flatMap('split', Word, (row, out) => {
          for (const word of row.text.split(' ')) out.collect({ word, shout: row.shout, length: word.length });
        })
        .assignTimestampsAndWatermarks(monotonousTimestamps({ emit: 'on-event' }))
        .keyBy('word')
        .window(WINDOW)
        .aggregate({ n: count(), longest: max('length') })
        .sinkTo(new ForgetfulSink(), 'sink')
        .uid(SINK);
    },
    sunk: ({ rows }) => seconds(rows) * (2 + COLOURS.length),
  },
  /** Payloads: bytes through rebalance, a side output with bytes, new rows and forwarded ones from the same function. */
  packets: {
    build: (env, rows) => {
      const Packet = schema({ from: string(), body: nullable(bytes()), size: f64() });
      const empty = new OutputTag('empty', schema({ from: string(), sample: bytes() }));
      const body = new Uint8Array(100).fill(7);
      const packets = source(env, Packet, rows, (n) => ({
        from: `host-${n % 300}`,
        body: n % 10 === 0 ? null : body.subarray(0, n % 90),
        size: n % 90,
      }))
        .rebalance()
        .process('inspect', {
          output: Packet,
          sideOutputs: [empty],
          create: () => (row, ctx, out) => {
            if (row.body === null) ctx.output(empty, { from: row.from, sample: body });
            else if (row.size > 45) out.forward();
            else out.collect({ from: row.from, body: row.body, size: -row.size });
          },
        });
      packets.sinkTo(new ForgetfulSink(), 'sink').uid(SINK);
      packets.sideOutput(empty).rescale().sinkTo(new ForgetfulSink(), 'empty ones');
    },
    sunk: ({ rows }) => rows - Math.ceil(rows / 10),
  },
  /** Rows folded into one per key and window. */
  purchases: {
    build: (env, rows) => {
      const Purchase = schema({ user: string(), amount: f64(), first: bool(), when: timestamp() });
      source(env, Purchase, rows, (n) => ({
        user: `user-${n % 40}`,
        amount: n % 1000,
        first: n < 40,
        when: START + n,
      }))
        .assignTimestampsAndWatermarks(boundedOutOfOrderness(0, { emit: 'on-event' }))
        .keyBy('user')
        .window(WINDOW)
        .reduce((a, b) => ({
          user: a.user,
          amount: a.amount + b.amount,
          first: a.first || b.first,
          when: Math.max(a.when, b.when),
        }))
        .sinkTo(new ForgetfulSink(), 'sink')
        .uid(SINK);
    },
    sunk: ({ rows }) => seconds(rows) * 40,
  },
  /** Two streams as one, to everybody. */
  notices: {
    build: (env, rows) => {
      const Notice = schema({ code: i32(), text: string(), urgent: bool() });
      const stream = (name: string): DataStream<typeof Notice.fields> =>
        source(env, Notice, rows, (n) => ({ code: n, text: `${name} ${n % 64}`, urgent: n % 8 === 0 }));
      stream('left')
        .union(stream('right'))
        .broadcast()
        .filter('urgent', (row) => row.urgent)
        .sinkTo(new ForgetfulSink(), 'sink')
        .uid(SINK);
    },
    sunk: ({ rows, parallelism }) => 2 * Math.ceil(rows / 8) * parallelism,
  },
  /** Whole windows at once, in processing time. */
  sessions: {
    build: (env, rows) => {
      const Click = schema({ page: i32(), ms: f64(), agent: nullable(string()) });
      const Visit = schema({ page: string(), clicks: i32(), slowest: f64() });
      source(env, Click, rows, (n) => ({ page: n % 31, ms: (n * 13) % 997, agent: n % 2 === 0 ? null : 'x' }))
        .keyBy('page')
        .window(TumblingProcessingTimeWindows.of(50))
        .process(Visit, (page, _window, clicks, out) => {
          out.collect({ page, clicks: clicks.length, slowest: Math.max(...clicks.map((c) => c.ms)) });
        })
        .sinkTo(new ForgetfulSink(), 'sink')
        .uid(SINK);
    },
    sunk: () => null,
  },
};

const COLOURS = ['red', 'blue', 'green', 'white', 'black', 'grey', 'brown'];

export interface WarmUpSpec {
  readonly name: string;
  readonly params: unknown;
}

export function warmUpSpecs(params: WarmUpParams): WarmUpSpec[] {
  return Object.keys(WARM_UPS).map((name) => ({ name: PREFIX + name, params }));
}

export function isWarmUp({ name }: WarmUpSpec): boolean {
  return name.startsWith(PREFIX);
}

export function buildWarmUp(spec: WarmUpSpec): JobGraph {
  const { rows, parallelism } = spec.params as WarmUpParams;
  const env = new StreamExecutionEnvironment({ name: spec.name, parallelism });
  warmUp(spec).build(env, rows);
  return env.jobGraph();
}

/** Rows that the operator `sink` takes in a right run; null: nobody can know. */
export function expectedRows(spec: WarmUpSpec): { operator: string; rows: number | null } {
  return { operator: SINK, rows: warmUp(spec).sunk(spec.params as WarmUpParams) };
}

function warmUp({ name }: WarmUpSpec): WarmUp {
  const found = WARM_UPS[name.slice(PREFIX.length)];
  if (found === undefined) throw new UsageError(`There is no warm-up job "${name}".`);
  return found;
}

/** A row a millisecond, in order within each split. */
function source<F extends Fields>(
  env: StreamExecutionEnvironment,
  of: Schema<F>,
  rows: number,
  row: (n: number) => Row<F>,
): DataStream<F> {
  return env.fromSource(new FormulaSource(of, { rows, splits: 4, row, time: (n) => START + n }), 'rows');
}

/** Windows of a second that so many rows fill. */
function seconds(rows: number): number {
  return Math.ceil(rows / 1000);
}
