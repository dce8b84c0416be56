/** A job without threads, for the tests of this room: its cells, taps and simulator are moved by hand. */

import { systemClock } from '#base/clock.ts';
import { f64, schema } from '#engine/batch/schema.ts';
import type { JobGraph, JobOperator, JobVertex } from '#engine/graph/job-graph.ts';
import { cellsPerTask, OperatorCell, operatorCells, TaskCell } from '#engine/metrics/cells.ts';
import { NO_LATENCY_TRACKING } from '#engine/metrics/latency.ts';
import { DEFAULT_STATE } from '#engine/state/keyed-state.ts';
import { Injections, nodeTimers } from '#lab/injections.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import { newLatencies } from '#runtime/task/wiring.ts';
import type { ErrorCount, ErrorRow, JobState, LateRow, SimulatorSettings, WindowResult } from '#shared/live.ts';
import type { ErrorsSource, JobHandle, LiveJob, WindowsSource } from './job-handle.ts';

const any = schema({ x: f64() });

function operator(id: string, kind: string): JobOperator {
  return {
    id,
    name: id,
    kind,
    create: null,
    source: null,
    sink: null,
    alignment: null,
    outputSchema: any,
    sideOutputs: new Map(),
  };
}

const vertex: JobVertex = {
  id: 'readings',
  name: 'readings -> validate -> errors-live',
  parallelism: 1,
  maxParallelism: 128,
  operators: [operator('readings', 'source'), operator('validate', 'process'), operator('errors-live', 'sink')],
  links: [
    { from: 0, to: 1, tag: null },
    { from: 1, to: 2, tag: 'errors' },
  ],
  inputs: [],
  outputs: [],
};

export class FakeWindows implements WindowsSource {
  devicesSeen = 0;
  chosen: string[] = [];
  pinned: readonly string[] = [];
  pulls = 0;
  readonly all: WindowResult[] = [];

  pin(devices: readonly string[]): void {
    this.pinned = devices;
  }

  async pull(): Promise<boolean> {
    this.pulls++;
    return false;
  }

  results(devices: readonly string[], after: number, limit: number): WindowResult[] {
    return this.all.filter((r) => r.id > after && devices.includes(r.device)).slice(0, limit);
  }

  add(device: string, start: number): void {
    if (!this.chosen.includes(device)) this.chosen.push(device);
    this.devicesSeen = this.chosen.length;
    const id = this.all.length + 1;
    this.all.push({ id, device, start, end: start + 5000, values: [1], pane: 'on-time', at: start });
  }
}

/** Errors come to light only when they are pulled, as from the real taps. */
export class FakeErrors implements ErrorsSource {
  counts: ErrorCount[] = [];
  pulls: boolean[] = [];
  waiting = 0;
  readonly #rows: ErrorRow[] = [];

  get lastErrorId(): number {
    return this.#rows.length;
  }

  readonly lastLateId = 0;

  errorsAfter(id: number): ErrorRow[] {
    return this.#rows.filter((row) => row.id > id);
  }

  lateAfter(): LateRow[] {
    return [];
  }

  async pull(rows: boolean): Promise<void> {
    this.pulls.push(rows);
    for (; this.waiting > 0; this.waiting--) {
      const id = this.#rows.length + 1;
      this.#rows.push({
        id,
        at: 0,
        reason: 'malformed_json',
        field: null,
        payload: `x${id}`,
        payloadBytes: 2,
        source: 'simulator-0',
        offset: id,
        injection: null,
      });
    }
    this.counts = [{ reason: 'malformed_json', field: null, count: this.#rows.length, perSecond: 0 }];
  }
}

export class FakeHandle implements JobHandle {
  readonly graph: JobGraph = {
    name: 'iot',
    vertices: [vertex],
    edges: [],
    latencyTracking: NO_LATENCY_TRACKING,
    state: DEFAULT_STATE,
  };
  state: JobState = 'RUNNING';
  failure: Error | null = null;
  readonly startedAt = 1000;
  readonly cells = [[new Float64Array(cellsPerTask(3))]];
  readonly latencies = [[newLatencies(this.graph, 0, (bytes) => new ArrayBuffer(bytes))]];
  readonly controls: unknown[] = [];
  readonly inspected: string[] = [];
  readonly #listeners = new Set<(state: JobState) => void>();
  readonly #newsListeners = new Set<(news: JobNews) => void>();

  constructor() {
    this.#task[TaskCell.PHASE] = 1;
  }

  get #task(): Float64Array {
    return this.cells[0]?.[0] ?? new Float64Array(0);
  }

  onState(listener: (state: JobState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(state: JobState): void {
    this.state = state;
    for (const listener of this.#listeners) listener(state);
  }

  onNews(listener: (news: JobNews) => void): () => void {
    this.#newsListeners.add(listener);
    return () => this.#newsListeners.delete(listener);
  }

  tell(news: JobNews): void {
    for (const listener of this.#newsListeners) listener(news);
  }

  control(_: string, event: unknown): void {
    this.controls.push(event);
  }

  async inspect(operatorId: string): Promise<unknown[]> {
    this.inspected.push(operatorId);
    return [{ open: [{ key: 'a', start: 0, end: 5000, values: [2] }], keys: 1 }];
  }

  /** As if the source had read and validation refused so many more. */
  read(events: number, errors = 0): void {
    const source = operatorCells(this.#task, 0);
    const sink = operatorCells(this.#task, 2);
    source[OperatorCell.RECORDS_OUT] = (source[OperatorCell.RECORDS_OUT] ?? 0) + events;
    sink[OperatorCell.RECORDS_IN] = (sink[OperatorCell.RECORDS_IN] ?? 0) + errors;
  }
}

export function fakeJob() {
  const handle = new FakeHandle();
  const windows = new FakeWindows();
  const errors = new FakeErrors();
  const injections = new Injections({
    clock: systemClock,
    timers: nodeTimers,
    control: (message) => handle.control('readings', message),
  });
  let settings: SimulatorSettings = { devices: 24, rate: 200, malformed: 0, late: 0, disorder: 'none' };
  const job: LiveJob = {
    handle,
    control: null,
    faults: null,
    rescales: null,
    settings: {
      timeMode: 'event',
      window: { kind: 'tumbling', sizeMs: 5000 },
      outOfOrdernessMs: 5000,
      allowedLatenessMs: 0,
      taskManagers: 1,
      checkpointing: null,
    },
    windows,
    errors,
    windowOperator: 'windows',
    aggregates: ['count'],
    simulator: {
      settings: () => settings,
      change: (change) => {
        settings = { ...settings, ...change };
      },
      injections,
    },
  };
  return { job, handle, windows, errors, injections };
}
