/** Jobs that keep a value per key: the IoT stream with a counter per device, and bare keys drawn as the real world draws them. */

import { Random } from '#base/random.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { f64, i32, schema, string } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import {
  type Enumerator,
  type EnumeratorContext,
  Poll,
  type Source,
  type SourceReader,
  type Split,
} from '#engine/io/source.ts';
import type { KeyedProcessFunction } from '#engine/operators/keyed-process.ts';
import { valueState } from '#engine/state/descriptors.ts';
import type { StateSettings, ValueState } from '#engine/state/keyed-state.ts';
import { timeToLive } from '#engine/state/ttl.ts';
import { inEventTime, validReadings } from '#jobs/readings.ts';
import type { JobSpec } from '#runtime/messages.ts';
import { ForgetfulSink } from './formula-source.ts';
import { iotParams } from './iot-params.ts';

const PREFIX = 'state/';
/** Operator that keeps the values. */
export const KEEPER = 'keeper';

export interface DevicesParams {
  readonly devices: number;
  readonly events: number;
  /** ms; null: values stay. */
  readonly ttlMs: number | null;
}

export interface KeysParams {
  readonly keys: number;
  readonly rows: number;
  /** `zipf`: rank r comes with probability ~ 1 / r; `uniform`; `scan`: one after the other. */
  readonly access: 'zipf' | 'uniform' | 'scan';
  /** Text beside the counter. */
  readonly valueBytes: number;
  readonly state: StateSettings;
}

export const devicesJob = (params: DevicesParams): JobSpec => ({ name: `${PREFIX}devices`, params });
export const keysJob = (params: KeysParams): JobSpec => ({ name: `${PREFIX}keys`, params });
export const isStateJob = ({ name }: JobSpec): boolean => name.startsWith(PREFIX);

export function buildStateJob({ name, params }: JobSpec): JobGraph {
  return name === `${PREFIX}devices` ? buildDevices(params as DevicesParams) : buildKeys(params as KeysParams);
}

/** The main job with a counter and a sum per device where it has windows. */
function buildDevices({ devices, events, ttlMs }: DevicesParams): JobGraph {
  const options = parseSimulate(`profile=noise,rate=max,devices=${devices},events=${events}`);
  const params = iotParams({ kind: 'simulator', options }, 1);
  const env = new StreamExecutionEnvironment({ name: 'devices' });
  inEventTime(validReadings(env, params), params)
    .keyBy('device_id')
    .process('keeper', {
      output: schema({ device_id: string(), readings: f64() }),
      create: () => {
        let readings: ValueState<number, number>;
        return {
          open: (ctx) => {
            readings = ctx.getState(
              valueState('readings', { default: 0, ...(ttlMs === null ? {} : { ttl: timeToLive(ttlMs) }) }),
            );
          },
          processElement: () => readings.update(readings.value() + 1),
        };
      },
    })
    .uid(KEEPER)
    .sinkTo(new ForgetfulSink(), 'sink');
  return env.jobGraph();
}

const Keyed = schema({ k: i32() });
type Keyed = typeof Keyed.fields;

function buildKeys(params: KeysParams): JobGraph {
  const env = new StreamExecutionEnvironment({ name: 'keys', ...params.state });
  env
    .fromSource(new KeySource(params), 'keys')
    .keyBy('k')
    .process('keeper', { output: Keyed, create: () => keeper(params.valueBytes) })
    .uid(KEEPER)
    .sinkTo(new ForgetfulSink(), 'sink');
  return env.jobGraph();
}

/** Counts rows of a key; with text the value is of about that many bytes, another one each time. */
function keeper(bytes: number): KeyedProcessFunction<Keyed, Keyed> {
  const text = 'x'.repeat(Math.max(0, bytes - 8));
  let kept: ValueState<number | string>;
  return {
    open: (ctx) => {
      kept = ctx.getState(valueState<number | string>('kept'));
    },
    processElement: () => {
      const before = kept.value();
      if (bytes === 0) kept.update(((before as number | null) ?? 0) + 1);
      else
        kept.update(
          text + String(before === null ? 0 : Number((before as string).slice(text.length)) + 1).padStart(8, '0'),
        );
    },
  };
}

/** Draws are worked out once per thread and gone through over and over: a draw costs more than a row. */
const DRAWS = 1 << 22;
const drawn = new Map<string, Int32Array>();

function draws(keys: number, access: 'zipf' | 'uniform'): Int32Array {
  const name = `${access}/${keys}`;
  const known = drawn.get(name);
  if (known !== undefined) return known;
  const random = new Random(keys);
  const made = new Int32Array(DRAWS);
  if (access === 'uniform') {
    for (let i = 0; i < DRAWS; i++) made[i] = random.below(keys);
  } else {
    const upTo = new Float64Array(keys);
    for (let rank = 0, sum = 0; rank < keys; rank++) {
      sum += 1 / (rank + 1);
      upTo[rank] = sum;
    }
    const all = upTo[keys - 1] as number;
    for (let i = 0; i < DRAWS; i++) made[i] = firstAbove(upTo, random.next() * all);
  }
  drawn.clear();
  drawn.set(name, made);
  return made;
}

function firstAbove(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

interface KeySplit extends Split {
  /** Number of the next row. */
  readonly at: number;
}

class KeySource implements Source<Keyed, KeySplit> {
  readonly schema = Keyed;
  readonly bounded = true;
  readonly #params: KeysParams;

  constructor(params: KeysParams) {
    this.#params = params;
  }

  createEnumerator(context: EnumeratorContext<KeySplit>): Enumerator {
    return {
      start: () => {
        if (context.restored === null) context.assign(0, { id: 'keys', at: 0 });
        for (let subtask = 0; subtask < context.parallelism; subtask++) context.noMoreSplits(subtask);
      },
      onSplitRequest: () => {},
      snapshot: () => 'dealt',
      close: () => {},
    };
  }

  createReader(): SourceReader<KeySplit> {
    const { keys, rows, access } = this.#params;
    const made = access === 'scan' ? null : draws(keys, access);
    let at = 0;
    let id = '';
    let split = -1;
    let complete = false;
    return {
      wakeAt: Number.POSITIVE_INFINITY,
      addSplit: (added, index) => {
        ({ id, at } = added);
        split = index;
      },
      noMoreSplits: () => {
        complete = true;
      },
      poll: (batch: RecordBatch) => {
        if (split < 0) return complete ? Poll.END : Poll.WAIT;
        if (at === rows) return Poll.END;
        const column = batch.columns[0] as Int32Array;
        const size = Math.min(batch.capacity, rows - at);
        for (let i = 0; i < size; i++)
          column[i] = made === null ? (at + i) % keys : (made[(at + i) & (DRAWS - 1)] as number);
        batch.time.fill(Number.NaN, 0, size);
        batch.size = size;
        batch.split = split;
        at += size;
        return Poll.MORE;
      },
      snapshot: () => (split < 0 ? [] : [{ id, at }]),
      close: () => {},
    };
  }
}
