/**
 * Which devices need somebody to look after them? One that says nothing for a while, and one whose value leaves its usual range.
 *
 *   readings ═hash(device_id)═> alerts (a timer and state per device) ─> silent, back, unusual
 */

import type { Reading } from '#connectors/iot/reading.ts';
import { f64, nullable, type Row, schema, string, timestamp } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type {
  KeyedContext,
  KeyedOpenContext,
  KeyedProcessFunction,
  OnTimerContext,
} from '#engine/operators/keyed-process.ts';
import { MAX_WATERMARK } from '#engine/operators/operator.ts';
import type { Collector } from '#engine/operators/process.ts';
import { mapState, valueState } from '#engine/state/descriptors.ts';
import type { MapState, StateSettings, ValueState } from '#engine/state/keyed-state.ts';
import { timeToLive } from '#engine/state/ttl.ts';
import { inEventTime, type ReadingsParams, showErrors, showResults, validReadings } from './readings.ts';

export const Alert = schema({
  device_id: string(),
  at: timestamp(),
  /** `silent`, `back`, or `unusual`. */
  alert: string(),
  /** Of an unusual value: which sensor. */
  sensor: nullable(string()),
  /** Of an unusual value: itself; of a device that is back: how long it was silent, ms. */
  value: nullable(f64()),
});

export interface AlertsParams extends ReadingsParams {
  /** A device without readings for so long is silent, ms of event time. */
  readonly silenceMs: number;
  readonly state: StateSettings;
}

/** What a sensor usually says: an average that follows slowly, and how far values are from it on average. */
interface Usual {
  readonly readings: number;
  readonly mean: number;
  readonly deviation: number;
}

const SENSORS = ['temperature', 'humidity', 'pressure'] as const;
/** Nothing is usual before so many readings. */
const LEARNING = 20;
/** A value this many usual deviations away is unusual. */
const FAR = 8;
/** A device that has gone for good is forgotten after so long, ms of processing time. */
const DAY_MS = 86_400_000;

type In = typeof Reading.fields;
type Out = typeof Alert.fields;

class Alerts implements KeyedProcessFunction<In, Out> {
  readonly #silenceMs: number;
  #lastSeen!: ValueState<number>;
  #usual!: MapState<string, Usual>;

  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
  }

  open(ctx: KeyedOpenContext): void {
    this.#lastSeen = ctx.getState(valueState<number>('last-seen', { ttl: timeToLive(DAY_MS) }));
    this.#usual = ctx.getState(mapState<string, Usual>('usual', { ttl: timeToLive(DAY_MS) }));
  }

  processElement(row: Row<In>, ctx: KeyedContext, out: Collector<Out>): void {
    const { device_id, event_timestamp: at } = row;
    const last = this.#lastSeen.value();
    if (last === null || at > last) {
      if (last !== null && last + this.#silenceMs <= ctx.currentWatermark) {
        out.collect({ device_id, at, alert: 'back', sensor: null, value: at - last });
      }
      if (last !== null) ctx.timerService.deleteEventTimeTimer(last + this.#silenceMs);
      ctx.timerService.registerEventTimeTimer(at + this.#silenceMs);
      this.#lastSeen.update(at);
    }
    for (const sensor of SENSORS) {
      const value = row[sensor];
      const usual = this.#usual.get(sensor) ?? { readings: 0, mean: value, deviation: 0 };
      const away = Math.abs(value - usual.mean);
      if (usual.readings >= LEARNING && away > FAR * usual.deviation) {
        out.collect({ device_id, at, alert: 'unusual', sensor, value });
      }
      this.#usual.put(sensor, {
        readings: usual.readings + 1,
        mean: usual.mean + (value - usual.mean) / LEARNING,
        deviation: usual.deviation + (away - usual.deviation) / LEARNING,
      });
    }
  }

  onTimer(time: number, ctx: OnTimerContext, out: Collector<Out>): void {
    // The end of the input makes every timer come: that is no silence.
    if (ctx.timerService.currentWatermark() === MAX_WATERMARK) return;
    out.collect({ device_id: String(ctx.currentKey), at: time, alert: 'silent', sensor: null, value: null });
  }
}

export function buildAlerts(params: AlertsParams): JobGraph {
  const { parallelism, rollIntervalMs } = params;
  const env = new StreamExecutionEnvironment({
    name: 'alerts',
    parallelism: parallelism.window,
    rollIntervalMs,
    ...params.state,
  });
  const valid = validReadings(env, params);
  const alerts = inEventTime(valid, params)
    .keyBy('device_id')
    .process('alerts', { output: Alert, create: () => new Alerts(params.silenceMs) })
    .uid('alerts');
  showResults(alerts, 'alerts', params);
  showErrors(valid, params);
  return env.jobGraph();
}
