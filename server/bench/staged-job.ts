/** The IoT job at parallelism 2, driven by hand in one thread, so that every stage of a batch can be timed. */

import { type Clock, systemClock } from '#base/clock.ts';
import type { SimulatorOptions } from '#connectors/iot-simulator/options.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import { InputGate } from '#engine/exchange/input-gate.ts';
import { PartitionWriter } from '#engine/exchange/partition-writer.ts';
import { Ring, ringBytes } from '#engine/exchange/ring-layout.ts';
import { RingWriter } from '#engine/exchange/ring-writer.ts';
import { findOperator, type JobGraph, type JobOperator } from '#engine/graph/job-graph.ts';
import type { Split } from '#engine/io/source.ts';
import { OPERATOR_CELLS } from '#engine/metrics/cells.ts';
import type { Operator } from '#engine/operators/operator.ts';
import { type Consumer, Output } from '#engine/operators/output.ts';
import { SourceOperator, Splits } from '#engine/operators/source.ts';
import { IOT, iotParams } from './iot-params.ts';
import { buildBenchJob } from './jobs.ts';

export const STAGES = ['generate', 'validate', 'watermarks', 'partition and write', 'read', 'windows'] as const;
export type Stage = (typeof STAGES)[number];

export interface StageTimes {
  readonly rows: number;
  readonly nanos: Record<Stage, number>;
}

const PARALLELISM = 2;
const clock: Clock = systemClock;

interface Producer {
  readonly source: SourceOperator;
  readonly validate: Operator;
  readonly watermarks: Operator;
  readonly writer: PartitionWriter;
  /** What the operator before put out last. */
  readonly generated: Held;
  readonly valid: Held;
  readonly timed: Held;
}

export class StagedJob {
  readonly #producers: Producer[] = [];
  readonly #gates: InputGate[] = [];
  readonly #nanos: Record<Stage, number> = {
    generate: 0,
    validate: 0,
    watermarks: 0,
    'partition and write': 0,
    read: 0,
    windows: 0,
  };
  /** Of the windows since the gate was asked: the gate calls them. */
  #nested = 0;

  constructor(options: SimulatorOptions) {
    const graph = graphOf(options);
    const edge = graph.edges[0];
    if (edge === undefined) throw new TypeError('The job has no exchange.');
    const memory = Array.from({ length: PARALLELISM }, () =>
      Array.from({ length: PARALLELISM }, () => new SharedArrayBuffer(ringBytes(edge.schema))),
    );
    for (let c = 0; c < PARALLELISM; c++) {
      const windows = make(operatorOf(graph, IOT.windows));
      open(windows, edge.schema, new Held(), new Splits(), c);
      const gate = new InputGate(edge.schema, PARALLELISM, this.#timedWindows(windows));
      for (let p = 0; p < PARALLELISM; p++) {
        gate.addRing(p, new Ring(memory[p]?.[c] as SharedArrayBuffer, edge.schema), () => {});
      }
      this.#gates.push(gate);
    }
    for (let p = 0; p < PARALLELISM; p++) {
      const writers =
        memory[p]?.map((ring) => new RingWriter(new Ring(ring, edge.schema), edge.schema, () => {})) ?? [];
      const producer = newProducer(graph, writers, p);
      this.#producers.push(producer);
    }
    this.#dealSplits(graph);
  }

  /** Schema of the windows' results. */
  static results(): Schema {
    const graph = graphOf(null);
    return operatorOf(graph, IOT.windows).outputSchema as Schema;
  }

  /** So many rows or a few more go through; their times. */
  run(rows: number): StageTimes {
    for (const stage of STAGES) this.#nanos[stage] = 0;
    let done = 0;
    while (done < rows) for (const producer of this.#producers) done += this.#step(producer);
    return { rows: done, nanos: { ...this.#nanos } };
  }

  #step(producer: Producer): number {
    const { source, validate, watermarks, writer, generated, valid, timed } = producer;
    const nanos = this.#nanos;
    const t0 = clock.nanos();
    source.poll();
    const batch = generated.take();
    const t1 = clock.nanos();
    // Devices are named before the first row.
    if (batch === null) return 0;
    validate.processBatch(batch, 0);
    const good = valid.take();
    const t2 = clock.nanos();
    if (good === null) throw new TypeError('The simulator made a batch without a valid row.');
    watermarks.processBatch(good, 0);
    const t3 = clock.nanos();
    writer.batch(timed.take() ?? good);
    writer.watermark(timed.watermarkSeen);
    const t4 = clock.nanos();
    this.#nested = 0;
    for (const gate of this.#gates) while (gate.available) gate.poll();
    const t5 = clock.nanos();
    nanos.generate += t1 - t0;
    nanos.validate += t2 - t1;
    nanos.watermarks += t3 - t2;
    nanos['partition and write'] += t4 - t3;
    nanos.read += t5 - t4 - this.#nested;
    nanos.windows += this.#nested;
    return batch.size;
  }

  #timedWindows(windows: Operator): Consumer {
    const timed = (work: () => void): void => {
      const began = clock.nanos();
      work();
      this.#nested += clock.nanos() - began;
    };
    return {
      ready: () => true,
      batch: (batch) => timed(() => windows.processBatch(batch, 0)),
      watermark: (watermark) => timed(() => windows.processWatermark(watermark)),
      idle: () => {},
      marker: () => {},
      end: () => {},
    };
  }

  #dealSplits(graph: JobGraph): void {
    const source = operatorOf(graph, IOT.source).source;
    const enumerator = source?.createEnumerator({
      restored: null,
      parallelism: PARALLELISM,
      clock,
      assign: (subtask: number, split: Split) => this.#producers[subtask]?.source.addSplit(split),
      noMoreSplits: (subtask) => this.#producers[subtask]?.source.noMoreSplits(),
      send: () => {},
      fail: (error) => {
        throw error;
      },
    });
    enumerator?.start();
  }
}

/** Takes one batch at a time; it is the producer's, and valid until that is called again. */
class Held implements Consumer {
  #batch: RecordBatch | null = null;
  watermarkSeen = Number.NEGATIVE_INFINITY;

  take(): RecordBatch | null {
    const batch = this.#batch;
    this.#batch = null;
    return batch;
  }

  ready(): boolean {
    return true;
  }

  batch(batch: RecordBatch): void {
    this.#batch = batch;
  }

  watermark(watermark: number): void {
    this.watermarkSeen = watermark;
  }

  idle(): void {}

  marker(): void {}

  end(): void {}
}

function newProducer(graph: JobGraph, writers: readonly RingWriter[], subtask: number): Producer {
  const splits = new Splits();
  const [generated, valid, timed] = [new Held(), new Held(), new Held()];
  const spec = operatorOf(graph, IOT.source);
  if (spec.source === null) throw new TypeError('The readings have no source.');
  const source = new SourceOperator(spec.source, splits, { requestSplit: () => {}, send: () => {} });
  open(source, null, generated, splits, subtask);
  const validate = make(operatorOf(graph, IOT.validate));
  open(validate, spec.outputSchema, valid, splits, subtask);
  const watermarks = make(operatorOf(graph, IOT.watermarks));
  open(watermarks, operatorOf(graph, IOT.validate).outputSchema, timed, splits, subtask);
  const edge = graph.edges[0] as JobGraph['edges'][number];
  const { partitioner, schema } = edge;
  const writer = new PartitionWriter(partitioner, writers, { schema, maxParallelism: 128, subtask, keyKind: 'string' });
  return { source, validate, watermarks, writer, generated, valid, timed };
}

function open(operator: Operator, inputSchema: Schema | null, to: Consumer, splits: Splits, subtask: number): void {
  const cells = new Float64Array(OPERATOR_CELLS);
  operator.open({
    subtask,
    parallelism: PARALLELISM,
    maxParallelism: 128,
    name: 'stage',
    stateBackend: () => {
      throw new Error('No state here.');
    },
    clock,
    inputSchema,
    secondSchema: null,
    cells,
    output: new Output([to], cells),
    sideOutput: () => new Output([], cells),
    splits,
    own: () => {},
    report: () => {},
    wake: () => {},
    checkpointing: false,
    fail: (error) => {
      throw error;
    },
  });
  operator.start();
}

function graphOf(options: SimulatorOptions | null): JobGraph {
  const source =
    options === null ? { kind: 'file' as const, options: { path: '-' } } : { kind: 'simulator' as const, options };
  return buildBenchJob({ name: 'iot', params: iotParams(source, PARALLELISM) });
}

function operatorOf(graph: JobGraph, id: string): JobOperator {
  const place = findOperator(graph, id);
  const operator = place === null ? undefined : graph.vertices[place.vertex]?.operators[place.operator];
  if (operator === undefined) throw new TypeError(`The job has no operator ${id}.`);
  return operator;
}

function make({ id, create }: JobOperator): Operator {
  if (create === null) throw new TypeError(`Operator ${id} cannot be made.`);
  return create();
}
