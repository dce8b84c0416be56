import type { JobView, LiveEvent, Snapshot, Tick, WindowResult } from '#shared/live.ts';

/** Frames as a server might send them, for tests. */

export function sampleJob(): JobView {
  return {
    id: 'j1',
    name: 'iot',
    state: 'RUNNING',
    failure: null,
    startedAt: 0,
    timeMode: 'event',
    window: { kind: 'tumbling', sizeMs: 5000 },
    outOfOrdernessMs: 5000,
    allowedLatenessMs: 0,
    parallelism: 2,
    taskManagers: 2,
    vertices: [
      { id: 'v1', name: 'read', parallelism: 2 },
      { id: 'v2', name: 'window', parallelism: 2 },
    ],
    operators: [
      { id: 'source', name: 'source', kind: 'source', vertex: 0 },
      { id: 'validate', name: 'validate', kind: 'process', vertex: 0 },
      { id: 'watermarks', name: 'watermarks', kind: 'watermarks', vertex: 0 },
      { id: 'errors', name: 'error log', kind: 'sink', vertex: 0 },
      { id: 'window', name: 'windows', kind: 'window', vertex: 1 },
      { id: 'csv', name: 'files', kind: 'sink', vertex: 1 },
      { id: 'late', name: 'late log', kind: 'sink', vertex: 1 },
    ],
    edges: [
      { from: 0, to: 1, input: 0, partitioner: 'forward', chained: true, sideOutput: null },
      { from: 1, to: 3, input: 0, partitioner: 'forward', chained: true, sideOutput: 'errors' },
      { from: 1, to: 2, input: 0, partitioner: 'forward', chained: true, sideOutput: null },
      { from: 2, to: 4, input: 0, partitioner: 'hash', chained: false, sideOutput: null },
      { from: 4, to: 6, input: 0, partitioner: 'forward', chained: true, sideOutput: 'late' },
      { from: 4, to: 5, input: 0, partitioner: 'forward', chained: true, sideOutput: null },
    ],
    checkpointing: null,
    aggregates: ['count', 'temperature_min', 'temperature_max', 'temperature_avg'],
    simulator: { devices: 10, rate: 1000, malformed: 0, late: 0, disorder: 'none' },
  };
}

export function sampleSnapshot(change: Partial<Snapshot> = {}): Snapshot {
  return {
    epoch: 'first',
    seq: 10,
    serverTime: 1_000_000,
    job: sampleJob(),
    totals: null,
    operators: null,
    vertices: null,
    holders: null,
    history: {
      from: 0,
      eventsPerSecond: [],
      windowsPerSecond: [],
      watermarkLagMs: [],
      errorsPerSecond: [],
      latePerSecond: [],
      latencyP50Ms: [],
      latencyP95Ms: [],
      latencyP99Ms: [],
    },
    checkpointAt: null,
    windows: { devicesSeen: 0, devices: [], results: [], open: [] },
    errors: { counts: [], recent: [], late: [] },
    injections: [],
    faults: null,
    scaling: null,
    events: [],
    ...change,
  };
}

export function sampleTick(change: Partial<Tick> = {}): Tick {
  return {
    seq: 11,
    serverTime: 1_000_100,
    state: 'RUNNING',
    totals: null,
    operators: null,
    vertices: null,
    holders: null,
    checkpointAt: null,
    checkpoints: null,
    injections: null,
    faults: null,
    scaling: null,
    windows: null,
    errors: null,
    second: null,
    rateHz: 10,
    ...change,
  };
}

export function sampleEvent(seq: number, change: Partial<LiveEvent> = {}): LiveEvent {
  return {
    seq,
    at: seq * 1000,
    kind: 'settings-changed',
    text: `event ${seq}`,
    injection: null,
    ended: null,
    fault: null,
    state: null,
    ...change,
  };
}

export function sampleResult(id: number, start: number, change: Partial<WindowResult> = {}): WindowResult {
  return {
    id,
    device: 'd1',
    start,
    end: start + 5000,
    values: [1, 20, 22, 21],
    pane: 'on-time',
    at: start + 9000,
    ...change,
  };
}
