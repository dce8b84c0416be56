/** A simulator with its readers, driven by hand: what the runtime does, in one thread and under a manual clock. Tests only. */

import { ManualClock } from '#base/clock.ts';
import { Dictionary, SWEEP_ENTRIES } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import { Poll } from '#engine/io/source.ts';
import { RawReading } from '../iot/reading.ts';
import { parseSimulate } from './options.ts';
import type { IotSimulatorReader } from './reader.ts';
import { IotSimulator } from './simulator.ts';

/** A row with its strings looked up; null as in the columns. */
export interface SimulatedRow {
  split: number;
  device: string | null;
  timestamp: number | null;
  temperature: number | null;
  humidity: number | null;
  pressure: number | null;
  defect: number;
  payload: Uint8Array | null;
  payloadBytes: number | null;
  source: string | null;
  offset: number;
  time: number;
  /** Clock at the poll. */
  at: number;
}

interface Subtask {
  readonly reader: IotSimulatorReader;
  readonly dictionary: Dictionary;
  readonly batch: RecordBatch;
  readonly finished: number[];
  /** Splits of which it must give no rows. */
  readonly paused: Set<number>;
  ended: boolean;
}

export class SimulatorHarness {
  readonly clock: ManualClock;
  readonly simulator: IotSimulator;
  readonly subtasks: Subtask[] = [];
  readonly progress: { id: number; affected: number; done: boolean; at: number }[] = [];
  readonly #enumerator;
  readonly #splits: number[] = [];

  constructor(
    options: string,
    { parallelism = 1, capacity = 2048, startAt = 1_800_000_000_000, sweepEntries = SWEEP_ENTRIES } = {},
  ) {
    this.clock = new ManualClock(startAt);
    this.simulator = new IotSimulator(parseSimulate(options));
    this.simulator.onInjectionProgress((id, affected, done) =>
      this.progress.push({ id, affected, done, at: this.clock.now() }),
    );
    this.#enumerator = this.simulator.createEnumerator({
      restored: null,
      parallelism,
      clock: this.clock,
      assign: (subtask, split) => {
        const index = this.#splits[subtask] ?? 0;
        this.#splits[subtask] = index + 1;
        this.#subtask(subtask).reader.addSplit(structuredClone(split), index);
      },
      noMoreSplits: (subtask) => this.#subtask(subtask).reader.noMoreSplits(),
      send: (subtask, event) => this.#subtask(subtask).reader.onEvent(structuredClone(event)),
      fail: (error) => {
        throw error;
      },
    });
    for (let subtask = 0; subtask < parallelism; subtask++) {
      const dictionary = new Dictionary(sweepEntries);
      const finished: number[] = [];
      const paused = new Set<number>();
      const reader = this.simulator.createReader({
        subtask,
        parallelism,
        clock: this.clock,
        dictionary,
        requestSplit: () => {},
        splitFinished: (index) => finished.push(index),
        paused,
        wake: () => {},
        send: (event) => this.#enumerator.onReaderEvent(subtask, structuredClone(event)),
      });
      this.subtasks.push({
        reader,
        dictionary,
        batch: RecordBatch.allocate(RawReading, dictionary, capacity),
        finished,
        paused,
        ended: false,
      });
    }
    this.#enumerator.start();
  }

  control(event: unknown): void {
    this.#enumerator.onControl(structuredClone(event));
  }

  /** One poll of one subtask. */
  poll(subtask: number, rows: SimulatedRow[]): Poll {
    const task = this.#subtask(subtask);
    const { batch } = task;
    batch.size = 0;
    batch.bytes('payload').reset();
    task.dictionary.sweepIfLarge();
    const found = task.reader.poll(batch);
    if (found === Poll.END) task.ended = true;
    this.#collect(batch, rows);
    return found;
  }

  /** Polls all subtasks until nothing is due. For splits with a rate only: rate=max has always something. */
  drain(rows: SimulatedRow[] = []): SimulatedRow[] {
    for (let subtask = 0; subtask < this.subtasks.length; subtask++) {
      let polls = 0;
      while (!this.#subtask(subtask).ended && this.poll(subtask, rows) === Poll.MORE) {
        if (++polls > 100_000) throw new Error('The reader is always due.');
      }
    }
    return rows;
  }

  /** Lets `ms` pass in steps, draining after each. */
  run(ms: number, step = 1): SimulatedRow[] {
    const rows: SimulatedRow[] = [];
    for (let passed = 0; passed < ms; passed += step) {
      this.clock.advance(step);
      this.drain(rows);
    }
    return rows;
  }

  /** Polls subtasks in turn until all have ended. */
  runToEnd(): SimulatedRow[] {
    const rows: SimulatedRow[] = [];
    while (!this.subtasks.every((t) => t.ended)) {
      for (let subtask = 0; subtask < this.subtasks.length; subtask++) {
        if (!this.#subtask(subtask).ended) this.poll(subtask, rows);
      }
    }
    return rows;
  }

  #subtask(subtask: number): Subtask {
    const task = this.subtasks[subtask];
    if (task === undefined) throw new RangeError(`There is no subtask ${subtask}.`);
    return task;
  }

  #collect(batch: RecordBatch, rows: SimulatedRow[]): void {
    const at = this.clock.now();
    const orNull = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? null : value);
    const text = (column: string, k: number) => batch.dictionaries[0]?.get(batch.codes(column)[k] as number) ?? null;
    for (let k = 0; k < batch.size; k++) {
      rows.push({
        split: batch.split,
        device: text('device_id', k),
        timestamp: orNull(batch.f64('event_timestamp')[k]),
        temperature: orNull(batch.f64('temperature')[k]),
        humidity: orNull(batch.f64('humidity')[k]),
        pressure: orNull(batch.f64('pressure')[k]),
        defect: batch.i32('defect')[k] as number,
        payload: batch.bytes('payload').get(k)?.slice() ?? null,
        payloadBytes: orNull(batch.f64('payload_bytes')[k]),
        source: text('source', k),
        offset: batch.f64('offset')[k] as number,
        time: batch.time[k] as number,
        at,
      });
    }
  }
}
