/**
 * Which readings are outside of what is allowed? Each is judged by the threshold of its sensor that was in force at its own time.
 *
 *   readings   ═hash(device_id)═> judge ─> breaches
 *   thresholds ════broadcast════╯
 *
 * A reading waits, as state, until the watermark of both streams has reached its time: no threshold that concerns it can still be missing.
 */

import type { Reading } from '#connectors/iot/reading.ts';
import { RowsSource } from '#connectors/rows/rows-source.ts';
import { f64, type Row, schema, string, timestamp } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type {
  KeyedBroadcastContext,
  KeyedBroadcastProcessFunction,
  ReadsBroadcast,
} from '#engine/operators/broadcast-process.ts';
import type { KeyedContext, KeyedOpenContext, OnTimerContext } from '#engine/operators/keyed-process.ts';
import type { Collector } from '#engine/operators/process.ts';
import { mapState } from '#engine/state/descriptors.ts';
import type { MapState } from '#engine/state/keyed-state.ts';
import { monotonousTimestamps } from '#engine/time/watermark-strategy.ts';
import { inEventTime, type ReadingsParams, showErrors, showResults, validReadings } from './readings.ts';

const SENSORS = ['temperature', 'humidity', 'pressure'] as const;
export type Sensor = (typeof SENSORS)[number];

export const Threshold = schema({
  /** In force from then on, until the next one of its sensor. */
  from: timestamp(),
  sensor: string(),
  low: f64(),
  high: f64(),
});

export const Breach = schema({
  device_id: string(),
  at: timestamp(),
  sensor: string(),
  value: f64(),
  low: f64(),
  high: f64(),
});

export interface ThresholdsParams extends ReadingsParams {
  /** By `from`, ascending. */
  readonly thresholds: readonly Row<typeof Threshold.fields>[];
}

type In = typeof Reading.fields;
type Rule = typeof Threshold.fields;
type Out = typeof Breach.fields;
interface Waiting {
  readonly [sensor: string]: number;
}

/** Thresholds of a sensor, in the order of their times. */
const bySensor = mapState<string, readonly Row<Rule>[]>('thresholds');

class Judge implements KeyedBroadcastProcessFunction<In, Rule, Out> {
  /** Readings of a device by time; a device may send several of one instant. */
  #waiting!: MapState<number, readonly Waiting[]>;

  open(ctx: KeyedOpenContext): void {
    this.#waiting = ctx.getState(mapState<number, readonly Waiting[]>('waiting'));
  }

  processElement(row: Row<In>, ctx: KeyedContext): void {
    const { event_timestamp: at, temperature, humidity, pressure } = row;
    this.#waiting.put(at, [...(this.#waiting.get(at) ?? []), { temperature, humidity, pressure }]);
    ctx.timerService.registerEventTimeTimer(at);
  }

  processBroadcastElement({ from, sensor, low, high }: Row<Rule>, ctx: KeyedBroadcastContext): void {
    const rules = ctx.getBroadcastState(bySensor);
    rules.put(sensor, [...(rules.get(sensor) ?? []), { from, sensor, low, high }]);
  }

  onTimer(at: number, ctx: OnTimerContext & ReadsBroadcast, out: Collector<Out>): void {
    const rules = ctx.getBroadcastState(bySensor);
    for (const values of this.#waiting.get(at) ?? []) {
      for (const sensor of SENSORS) {
        const rule = rules.get(sensor)?.findLast(({ from }) => from <= at);
        const value = values[sensor] as number;
        if (rule === undefined || (value >= rule.low && value <= rule.high)) continue;
        out.collect({ device_id: String(ctx.currentKey), at, sensor, value, low: rule.low, high: rule.high });
      }
    }
    this.#waiting.remove(at);
  }
}

export function buildThresholds(params: ThresholdsParams): JobGraph {
  const { parallelism, rollIntervalMs } = params;
  const env = new StreamExecutionEnvironment({ name: 'thresholds', parallelism: parallelism.window, rollIntervalMs });
  const valid = validReadings(env, params);
  const thresholds = env
    .fromSource(new RowsSource(Threshold, params.thresholds, ({ from }) => from), 'thresholds')
    .setParallelism(1)
    .assignTimestampsAndWatermarks(monotonousTimestamps(), 'watermarks of thresholds')
    .setParallelism(1)
    .broadcast(bySensor);
  const breaches = inEventTime(valid, params)
    .keyBy('device_id')
    .connect(thresholds)
    .process('judge', { output: Breach, create: () => new Judge() })
    .uid('breaches');
  showResults(breaches, 'breaches', params);
  showErrors(valid, params);
  return env.jobGraph();
}

/** Without a file of their own: what a room for people and computers should keep. */
export const USUAL_THRESHOLDS: readonly Row<Rule>[] = [
  { from: 0, sensor: 'temperature', low: 5, high: 30 },
  { from: 0, sensor: 'humidity', low: 20, high: 80 },
  { from: 0, sensor: 'pressure', low: 950, high: 1050 },
];

/** Reads thresholds, one JSON object a line: `{"from": 0, "sensor": "temperature", "low": 5, "high": 30}`. Errors name line and field. */
export function parseThresholds(text: string): Row<Rule>[] {
  const rules = text.split(/\r?\n/).flatMap((line, i) => (line.trim() === '' ? [] : [parseRule(line, i + 1)]));
  return rules.sort((a, b) => a.from - b.from);
}

function parseRule(line: string, number: number): Row<Rule> {
  const refuse = (why: string): never => {
    throw new Error(`line ${number}: ${why}`);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return refuse('is no JSON');
  }
  const fields = new Map(typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : []);
  const [from = 0, low, high] = ['from', 'low', 'high'].map((name) => {
    const value: unknown = fields.get(name);
    if (name === 'from' && value === undefined) return 0;
    return typeof value === 'number' && Number.isFinite(value) ? value : refuse(`"${name}" must be a number`);
  });
  const sensor = SENSORS.find((name) => name === fields.get('sensor'));
  if (sensor === undefined) return refuse(`"sensor" must be one of ${SENSORS.join(', ')}`);
  if ((low as number) > (high as number)) return refuse(`"low" ${low} is above "high" ${high}`);
  return { from, sensor, low: low as number, high: high as number };
}
