/**
 * The jobs that a simulation runs, and what each has to give, said a second time and plainly. All values are eighths, so that sums are the same in
 * any order.
 *
 * Which row is late depends on the order of arrival as soon as there are two splits: there the watermarks are given as much patience as the rows
 * need, and no row is late. With one split late rows, and windows that fire again for them, are part of what is compared.
 */

import type { Random } from '#base/random.ts';
import { FileSink } from '#connectors/file/file-sink.ts';
import { NdjsonFormat } from '#connectors/file/ndjson-format.ts';
import { Reading } from '#connectors/iot/reading.ts';
import { type Fields, f64, schema, string, timestamp } from '#engine/batch/schema.ts';
import { type DataStream, lateTag, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { Sink } from '#engine/io/sink.ts';
import { Poll, type Source, type Split } from '#engine/io/source.ts';
import type {
  KeyedContext,
  KeyedOpenContext,
  KeyedProcessFunction,
  OnTimerContext,
} from '#engine/operators/keyed-process.ts';
import type { Collector } from '#engine/operators/process.ts';
import { mapState, valueState } from '#engine/state/descriptors.ts';
import type { MapState, ValueState } from '#engine/state/keyed-state.ts';
import { boundedOutOfOrderness } from '#engine/time/watermark-strategy.ts';
import { SlidingEventTimeWindows, TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { EventTimeSessionWindows } from '#engine/window/session-windows.ts';
import { sensorAggregates } from '#jobs/iot.ts';
import { fromRows, type TimedRow } from '../collect.ts';
import { runModel, session, sliding, tumbling } from '../reference-model.ts';
import { buildPipelines, doubled, type Pipelines } from './pipelines.ts';
import { checkedReadings, type Parallelism, pick, type ReadingRow, type Trouble } from './readings.ts';
import type { AnyDisk } from './simulated-task-managers.ts';

const late = lateTag('late', Reading);
const Total = schema({ device_id: string(), until: timestamp(), sum: f64(), before: f64() });
const Pair = schema({ device_id: string(), start: timestamp(), left: f64(), right: f64() });

export type WindowKind = 'tumbling' | 'sliding' | 'session';

export interface SimulatedJob {
  readonly kind: 'windows' | 'totals' | 'join' | 'pipelines';
  readonly window: WindowKind;
  readonly rows: readonly ReadingRow[];
  readonly splits: number;
  readonly patienceMs: number;
  readonly latenessMs: number;
  /** Rows may come late: there is one reader then, because others that have nothing to read hold the watermark back after a change of parallelism. */
  readonly late: boolean;
  /** Rows of a batch at most, and ms between two of a reader. */
  readonly batch: number;
  readonly everyMs: number;
  /** Of that kind; null: another one. */
  readonly pipelines: Pipelines | null;
}

const SIZE_MS = 40;
const SLIDE_MS = 15;
/** Odd, and times are even: whether sessions that only touch become one depends on which came first. */
const GAP_MS = 13;
export const OUTPUT = '/out';

export function drawJob(random: Random): SimulatedJob {
  const kind = pick(random, ['windows', 'windows', 'totals', 'join'] as const);
  const splits = kind === 'join' ? 1 : 1 + random.below(3);
  const n = 20 + random.below(100);
  const disorder = random.below(30);
  let now = 1000;
  const rows = Array.from({ length: n }, (): ReadingRow => {
    now += random.below(8);
    return {
      device_id: `d${random.below(4)}`,
      event_timestamp: 2 * Math.floor((now - random.below(disorder + 1)) / 2),
      temperature: random.below(400) / 8,
      // More than 100 is refused.
      humidity: random.below(840) / 8,
      pressure: 1000 + random.below(80) / 8,
    };
  });
  const onTime = splits > 1 || kind !== 'windows';
  return {
    kind,
    window: pick(random, ['tumbling', 'sliding', 'session'] as const),
    rows,
    splits,
    patienceMs: onTime ? disorder + 2 : random.below(disorder + 1),
    late: !onTime,
    latenessMs: onTime ? 0 : pick(random, [0, 10, 30]),
    batch: 1 + random.below(5),
    everyMs: random.below(8),
    pipelines: null,
  };
}

export function buildJob(job: SimulatedJob, parallelism: Parallelism, disk: AnyDisk, trouble: Trouble): JobGraph {
  const files = (name: string): Sink =>
    new FileSink({ directory: `${OUTPUT}/${name}`, format: new NdjsonFormat(), disk }) as Sink;
  if (job.kind === 'pipelines') return buildPipelines(job, parallelism, files, trouble);
  const env = new StreamExecutionEnvironment({ name: 'simulated', parallelism: parallelism.main });
  const read = (name: string, rows: readonly ReadingRow[]): DataStream<typeof Reading.fields> => {
    const timed = rows.map((row): TimedRow<typeof Reading.fields> => ({ row, time: row.event_timestamp }));
    const source = gathered(
      fromRows(Reading, timed, { splits: job.splits, cut: () => job.batch, everyMs: job.everyMs }),
    );
    return checkedReadings(env, source, name, parallelism, files, trouble)
      .assignTimestampsAndWatermarks(boundedOutOfOrderness(job.patienceMs, { emit: 'on-event' }))
      .setParallelism(parallelism.source)
      .uid(`${name}-watermarks`);
  };
  const write = <F extends Fields>(stream: DataStream<F>, name: string): void => {
    stream.sinkTo(files(name), name).setParallelism(parallelism.sink).uid(`${name}-files`);
  };
  if (job.kind === 'join') {
    const [left, right] = halves(job.rows).map((rows, i) => read(`half-${i}`, rows)) as [
      DataStream<typeof Reading.fields>,
      DataStream<typeof Reading.fields>,
    ];
    const joined = left
      .join(right)
      .where('device_id')
      .equalTo('device_id')
      .window(TumblingEventTimeWindows.of(SIZE_MS))
      .apply('main', Pair, (l, r, { window }) => ({
        device_id: l.device_id,
        start: window.start,
        left: l.temperature,
        right: r.temperature,
      }))
      .uid('main');
    write(joined, 'results');
    return env.jobGraph();
  }
  const keyed = read('readings', job.rows).keyBy('device_id');
  if (job.kind === 'totals') {
    write(keyed.process('main', { output: Total, create: () => new Totals() }).uid('main'), 'results');
    return env.jobGraph();
  }
  const windows = keyed
    .window(
      job.window === 'tumbling'
        ? TumblingEventTimeWindows.of(SIZE_MS)
        : job.window === 'sliding'
          ? SlidingEventTimeWindows.of(SIZE_MS, SLIDE_MS)
          : EventTimeSessionWindows.withGap(GAP_MS),
    )
    .allowedLateness(job.latenessMs)
    .sideOutputLateData(late)
    .aggregate(sensorAggregates(), 'main')
    .uid('main');
  write(windows, 'results');
  write(windows.sideOutput(late), 'late');
  return env.jobGraph();
}

/** Sum of each device in each span of time, told by a timer at its end, with how many spans were told before. */
class Totals implements KeyedProcessFunction<typeof Reading.fields, typeof Total.fields> {
  #sums!: MapState<number, number>;
  #told!: ValueState<number, number>;

  open(ctx: KeyedOpenContext): void {
    this.#sums = ctx.getState(mapState<number, number>('sums'));
    this.#told = ctx.getState(valueState('told', { default: 0 }));
  }

  processElement(row: ReadingRow, ctx: KeyedContext): void {
    const until = (Math.floor(row.event_timestamp / SIZE_MS) + 1) * SIZE_MS;
    this.#sums.put(until, (this.#sums.get(until) ?? 0) + row.temperature);
    ctx.timerService.registerEventTimeTimer(until);
  }

  onTimer(until: number, ctx: OnTimerContext, out: Collector<typeof Total.fields>): void {
    const before = this.#told.value();
    out.collect({ device_id: String(ctx.currentKey), until, sum: this.#sums.get(until) ?? 0, before });
    this.#told.update(before + 1);
    this.#sums.remove(until);
  }
}

/** A split that is dealt when another is already being read may find the watermark ahead of it: nothing is read before all are there. */
function gathered<F extends Fields, S extends Split>(source: Source<F, S>): Source<F, S> {
  return {
    ...source,
    createReader: (context) => {
      const reader = source.createReader(context);
      let complete = false;
      return {
        addSplit: (split, index) => reader.addSplit(split, index),
        noMoreSplits: () => {
          complete = true;
          reader.noMoreSplits();
        },
        poll: (batch) => (complete ? reader.poll(batch) : Poll.WAIT),
        get wakeAt() {
          return complete ? reader.wakeAt : Number.POSITIVE_INFINITY;
        },
        snapshot: () => reader.snapshot?.() ?? [],
        close: () => reader.close(),
      };
    },
  };
}

const halves = (rows: readonly ReadingRow[]): ReadingRow[][] =>
  [0, 1].map((half) => rows.filter((_, i) => i % 2 === half));

/** Rows that must be in each directory of the output, as text. */
export function expected(job: SimulatedJob): Map<string, string[]> {
  const out = new Map<string, string[]>();
  const add = (name: string, rows: readonly (readonly unknown[])[]): void => {
    out.set(name, rows.map((row) => JSON.stringify(row)).sort());
  };
  const refused = (rows: readonly ReadingRow[]): unknown[][] =>
    rows.filter(({ humidity }) => humidity > 100).map((row) => [row.device_id, row.event_timestamp]);
  const good = job.rows.filter(({ humidity }) => humidity <= 100);
  if (job.kind === 'join') {
    const [left, right] = halves(job.rows) as [ReadingRow[], ReadingRow[]];
    add('half-0-refused', refused(left));
    add('half-1-refused', refused(right));
    const startOf = (row: ReadingRow): number => Math.floor(row.event_timestamp / SIZE_MS) * SIZE_MS;
    const pairs = left
      .filter((row) => good.includes(row))
      .flatMap((l) =>
        right
          .filter((r) => good.includes(r) && r.device_id === l.device_id && startOf(r) === startOf(l))
          .map((r) => [l.device_id, startOf(l), l.temperature, r.temperature]),
      );
    add('results', pairs);
    return out;
  }
  add('readings-refused', refused(job.rows));
  if (job.kind === 'pipelines') {
    add('results', doubled(good));
    return out;
  }
  if (job.kind === 'totals') {
    const sums = new Map<string, Map<number, number>>();
    for (const { device_id, event_timestamp, temperature } of good) {
      const until = (Math.floor(event_timestamp / SIZE_MS) + 1) * SIZE_MS;
      const device = sums.get(device_id) ?? new Map<number, number>();
      sums.set(device_id, device.set(until, (device.get(until) ?? 0) + temperature));
    }
    const rows = [...sums].flatMap(([device, of]) =>
      [...of].sort(([a], [b]) => a - b).map(([until, sum], before) => [device, until, sum, before]),
    );
    add('results', rows);
    return out;
  }
  const model = runModel(Buffer.from(good.map((row) => JSON.stringify(row)).join('\n')), {
    assign:
      job.window === 'tumbling'
        ? tumbling(SIZE_MS)
        : job.window === 'sliding'
          ? sliding(SIZE_MS, SLIDE_MS)
          : session(GAP_MS),
    merging: job.window === 'session',
    outOfOrdernessMs: job.patienceMs,
    allowedLatenessMs: job.latenessMs,
  });
  add('results', model.windows);
  add(
    'late',
    model.late.map(({ watermark, ...row }) => [...Object.values(row), watermark, watermark - row.event_timestamp]),
  );
  return out;
}
