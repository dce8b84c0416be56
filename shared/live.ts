/**
 * The live protocol between server and dashboard (socket.io), as both sides type it.
 *
 * On connect the client sends `LiveAuth`; the server answers with one `snapshot`, then sends one volatile `tick` per server turn
 * (at most 10 a second, always alone in its turn) and numbered, reliable `event`s. A client that lost ticks needs nothing but the next one;
 * a client that lost the connection gets a new snapshot, whose `events` continue after the `eventSeq` it named.
 * Times are milliseconds since the epoch unless a name says otherwise; durations end in `Ms`.
 */

import type { CheckpointDetails, CheckpointSettingsView, CheckpointStatistics } from './checkpoints.ts';
import type { Fault, FaultSpec, FaultsView, FaultVerdict } from './faults.ts';
import type { Injection, InjectionSpec } from './injections.ts';
import type { ParallelismWish, Rescale, ScalingView } from './scaling.ts';

export interface LiveAuth {
  /** `Snapshot.epoch` last seen, or empty: a server that restarted has another one. */
  epoch: string;
  /** Last `LiveEvent.seq` the client holds, 0 for none. */
  eventSeq: number;
}

export interface ServerToClient {
  snapshot(snapshot: Snapshot): void;
  tick(tick: Tick): void;
  event(event: LiveEvent): void;
}

export interface ClientToServer {
  /** Every tenth tick: the sequence number seen; two missing reports halve this client's rate (10, 5, 2, 1 Hz). */
  seen(seq: number): void;
  /** What the page shows, so that the server samples only what somebody looks at. */
  view(view: View): void;
  /** Changes something. The acknowledgement says whether it was accepted; the effect arrives as an `event`. */
  command(command: Command, ack: (result: CommandResult) => void): void;
}

export interface View {
  page: 'overview' | 'windows' | 'errors' | 'checkpoints' | 'other';
  /** Devices pinned on the Windows page, at most `LIMITS.pinnedDevices`; empty means the server's choice. */
  devices: string[];
  /** On the page Checkpoints: the one whose subtasks are shown; null: the newest. */
  checkpoint?: number | null;
}

/** Bounds of what travels and what is kept; both sides rely on them. */
export const LIMITS = {
  /** Milliseconds between two ticks, at least. */
  tickMs: 100,
  /** Seconds of history in a snapshot. */
  historySeconds: 900,
  pinnedDevices: 8,
  /** Devices whose results the server keeps for the Windows page when nobody pinned any. */
  watchedDevices: 60,
  /** Window results kept for each watched device. */
  resultsPerDevice: 120,
  /** Splits of one source subtask that are told apart where sources wait for each other. */
  alignedSplits: 8,
  recentErrors: 200,
  recentLate: 200,
  events: 500,
  /** Characters of an error's payload that travel; the whole payload is in the error log. */
  payloadPreview: 2048,
} as const;

// ---------------------------------------------------------------- job

export type JobState =
  | 'CREATED'
  | 'RUNNING'
  | 'RESTARTING'
  | 'FAILING'
  | 'FAILED'
  | 'CANCELLING'
  | 'CANCELED'
  | 'FINISHED';

/** One operator of the job graph; operators of one task (`Vertex`) run chained in one thread. */
export interface OperatorView {
  id: string;
  name: string;
  /** `source`, `process`, `watermarks`, `window`, `sink`, `map`, `filter`, … */
  kind: string;
  /** Index into `JobView.vertices`. */
  vertex: number;
}

export interface VertexView {
  id: string;
  name: string;
  parallelism: number;
}

export interface EdgeView {
  /** Indexes into `JobView.operators`. */
  from: number;
  to: number;
  /** Which input of `to` it leads to: 0, or 1 for the second one. Two edges may be equal in all of this: a stream united with itself. */
  input: number;
  /** `forward`, `hash`, `rebalance`, `rescale`, `broadcast`. */
  partitioner: string;
  /** Inside one task: no channel, no thread border. */
  chained: boolean;
  /** Side output that this edge carries (`errors`, `late`), or null for the main output. */
  sideOutput: string | null;
}

/** The windows of a job: one after the other, one every so often, or from the first event of a device to its next silence. */
export type JobWindows =
  | { kind: 'tumbling'; sizeMs: number }
  | { kind: 'sliding'; sizeMs: number; slideMs: number }
  | { kind: 'session'; gapMs: number };

export interface JobView {
  id: string;
  name: string;
  state: JobState;
  /** Cause in words when FAILED, else null. */
  failure: string | null;
  startedAt: number;
  timeMode: 'event' | 'processing';
  window: JobWindows;
  outOfOrdernessMs: number;
  allowedLatenessMs: number;
  parallelism: number;
  taskManagers: number;
  vertices: VertexView[];
  operators: OperatorView[];
  edges: EdgeView[];
  /** The aggregates of a window result in column order, e.g. `count`, `temperature_min`, `temperature_max`, `temperature_avg`, … */
  aggregates: string[];
  /** When checkpoints are taken; null: it takes none. */
  checkpointing: CheckpointSettingsView | null;
  /** Null when the source is not the simulator: then nothing can be injected. */
  simulator: SimulatorSettings | null;
}

export interface SimulatorSettings {
  devices: number;
  /** Events per second over all splits; null means as fast as it goes. */
  rate: number | null;
  /** Share of malformed events, 0..1. */
  malformed: number;
  /** Share of events that come late, beyond the bound, 0..1. */
  late: number;
  /** As on the command line: `none`, `uniform:D`, `exp:MEAN`, `lognormal:MEDIAN,SIGMA`. */
  disorder: string;
}

// ---------------------------------------------------------------- numbers

/** Job totals and rates; rates are over the last few seconds (`RATE_WINDOW_MS`), never since the start. */
export interface Totals {
  events: number;
  eventsPerSecond: number;
  windows: number;
  windowsPerSecond: number;
  errors: number;
  late: number;
  /** Watermark of the window operator (minimum over subtasks), null before the first one. */
  watermark: number | null;
  /** serverTime - watermark, null before the first watermark. */
  watermarkLagMs: number | null;
  /** Of window results, from the event that let them go to the sink (`EL` in `server/engine/SPEC.md`); null: none lately. */
  latency: LatencyNumbers | null;
}

/** Latencies look back this far. */
export const LATENCY_WINDOW_MS = 10_000;

/** Quantiles over `LATENCY_WINDOW_MS`, ms, to within 1 %. */
export interface LatencyNumbers {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** Rates on screen look back this far. */
export const RATE_WINDOW_MS = 5000;

/** Columns: index = index of `JobView.operators`. */
export interface OperatorNumbers {
  recordsIn: number[];
  recordsInPerSecond: number[];
  recordsOutPerSecond: number[];
  /** Output watermark, null for none yet. */
  watermark: (number | null)[];
  /** Of latency markers, from the sources to this operator; null: none lately (sources never have any). */
  latency: (LatencyNumbers | null)[];
  /** Of what sinks are handed, from the event that let it go (`EL`); null: none lately, or it is no sink. */
  emitLatency: (LatencyNumbers | null)[];
  /** Entries of state, and windows, that were forgotten because their time to live was over. */
  expired: number[];
  /** State in memory, of all subtasks, an estimate. */
  stateBytes: number[];
  /** By how much that grows, bytes per second over `RATE_WINDOW_MS`; below 0: it shrinks. */
  stateGrowth: number[];
}

/** Columns: index = index of `JobView.vertices`, then subtask. Shares are 0..1 and add up to 1. */
export interface VertexNumbers {
  busy: number[][];
  backpressured: number[][];
  idle: number[][];
  watermark: (number | null)[][];
  /** Whether the subtask's watermark status is idle. */
  idleStatus: boolean[][];
}

/** Why the watermark of an operator is no further. */
export interface WatermarkHolder {
  /**
   * `behind`: a split that is the furthest behind of all that count; `no-rows`: one that has had no row yet; `no-split`: a subtask that has
   * nothing to read yet; `idle`: nothing is read, so nothing holds back; `finished`: the input has ended; `none`: nobody has told yet.
   */
  state: 'behind' | 'no-rows' | 'no-split' | 'idle' | 'finished' | 'none';
  /** Index into `JobView.operators`: the source that reads it. */
  operator: number | null;
  subtask: number | null;
  split: string | null;
  /** Who the event was from (a device) that raised the split's watermark to where it is, cut to 256 characters; null: unknown. Untrusted text. */
  origin: string | null;
  /** When its watermark last rose; when it was assigned (the subtask started), if it has none. */
  since: number | null;
  /** When it last had rows. */
  rowsAt: number | null;
}

/** `of`: by index of `JobView.operators`, an index into `list`; null where no watermark comes. */
export interface WatermarkHolders {
  list: WatermarkHolder[];
  of: (number | null)[];
  /** Sources that keep near each other in event time (watermark alignment), subtask by subtask; empty: none do. */
  aligned: AlignedSubtask[];
}

/** A source subtask that waits where it is too far ahead of the others of its group. */
export interface AlignedSubtask {
  group: string;
  /** Index into `JobView.operators`: the source. */
  operator: number;
  subtask: number;
  /** It may be so far ahead of the others. */
  maxDriftMs: number;
  /** By how much its watermark is ahead of the smallest of the other subtasks (below 0: behind); null: nothing to compare. */
  aheadMs: number | null;
  /** `waits`: it reads nothing until the others have come on; `idle`: it holds back nobody; `finished`: its input has ended. */
  state: 'reads' | 'waits' | 'idle' | 'finished';
  /** Those furthest ahead, at most `LIMITS.alignedSplits`, in the order in which they were assigned. */
  splits: AlignedSplit[];
  /** How many it reads, and how many of them wait. */
  splitCount: number;
  splitsWaiting: number;
}

export interface AlignedSplit {
  /** Null: rows that came through a channel. */
  name: string | null;
  /** Ahead of the smallest of all other splits and subtasks; null: nothing to compare, or no watermark yet. */
  aheadMs: number | null;
  state: 'reads' | 'waits' | 'idle';
}

/** The strips under the graph, one value a second, oldest first; a gap (server down, no sample) is null. */
export interface History {
  /** Time of the first value; the i-th is `from + i * 1000`. */
  from: number;
  eventsPerSecond: (number | null)[];
  windowsPerSecond: (number | null)[];
  watermarkLagMs: (number | null)[];
  errorsPerSecond: (number | null)[];
  latePerSecond: (number | null)[];
  /** Quantiles of `Totals.latency`. */
  latencyP50Ms: (number | null)[];
  latencyP95Ms: (number | null)[];
  latencyP99Ms: (number | null)[];
}

// ---------------------------------------------------------------- windows

/** One result as the window operator emitted it. */
export interface WindowResult {
  /** Increases by one per result that the server kept; identifies the row. */
  id: number;
  device: string;
  start: number;
  end: number;
  /** In the order of `JobView.aggregates`. */
  values: number[];
  /** `late-update`: a late but allowed event made the window fire again, or a session grow; it replaces what `replaces` says. */
  pane: 'on-time' | 'late-update';
  /** Server time of arrival. */
  at: number;
}

/**
 * Whether a result takes the place of an older one of the same device: it is of the same window, or of a session that has grown or taken in
 * others since. Windows that fire once never cover each other, or are the same.
 */
export function replaces(newer: { start: number; end: number }, older: { start: number; end: number }): boolean {
  return newer.start <= older.start && newer.end >= older.end;
}

/** A window that is still filling. */
export interface OpenWindow {
  device: string;
  start: number;
  end: number;
  values: number[];
}

export interface WindowsView {
  /** Distinct devices seen in results so far. */
  devicesSeen: number;
  /** Devices whose results follow: the pinned ones, else the server's choice. */
  devices: string[];
  results: WindowResult[];
  open: OpenWindow[];
}

// ---------------------------------------------------------------- errors and late events

export interface ErrorCount {
  reason: string;
  /** Field that failed, null where none can be named (`malformed_json`). */
  field: string | null;
  count: number;
  perSecond: number;
}

export interface ErrorRow {
  id: number;
  at: number;
  reason: string;
  field: string | null;
  /** Untrusted text, cut to `LIMITS.payloadPreview` characters; invalid UTF-8 shows as U+FFFD. */
  payload: string;
  /** Whole length in bytes. */
  payloadBytes: number;
  source: string;
  offset: number;
  /** Injection that made it, else null. */
  injection: number | null;
}

export interface LateRow {
  id: number;
  at: number;
  device: string;
  eventTimestamp: number;
  watermark: number;
  lateByMs: number;
  values: Record<string, number>;
}

export interface ErrorsView {
  counts: ErrorCount[];
  /** Newest last; in a tick only the rows since the tick before. */
  recent: ErrorRow[];
  late: LateRow[];
}

// ---------------------------------------------------------------- checkpoints

export interface CheckpointsView {
  statistics: CheckpointStatistics;
  /** Of the checkpoint that the page shows (`View.checkpoint`), or of the newest; null: it is not known any more, or there is none. */
  details: CheckpointDetails | null;
}

// ---------------------------------------------------------------- frames

export interface Snapshot {
  /** Id of this server process. */
  epoch: string;
  seq: number;
  serverTime: number;
  /** Null: no job was started. */
  job: JobView | null;
  totals: Totals | null;
  operators: OperatorNumbers | null;
  vertices: VertexNumbers | null;
  /** Null: nobody has looked yet, or the job has no watermarks. */
  holders: WatermarkHolders | null;
  history: History;
  /** When the last checkpoint was completed; null: none was. */
  checkpointAt: number | null;
  windows: WindowsView;
  errors: ErrorsView;
  injections: Injection[];
  /** Null: the job takes no faults. */
  faults: FaultsView | null;
  /** Null: it cannot be rescaled. */
  scaling: ScalingView | null;
  /** Events after `LiveAuth.eventSeq` if the epoch matches, else all that are kept. */
  events: LiveEvent[];
}

export interface Tick {
  seq: number;
  serverTime: number;
  state: JobState | null;
  totals: Totals | null;
  operators: OperatorNumbers | null;
  vertices: VertexNumbers | null;
  /** When the last checkpoint was completed; null: none was. */
  checkpointAt: number | null;
  /** Only for clients whose view is `checkpoints`, when something has changed. */
  checkpoints: CheckpointsView | null;
  /** Only for clients whose view is `overview`, as of the last half second. */
  holders: WatermarkHolders | null;
  /** Only while a running injection's numbers change or one ended lately. */
  injections: Injection[] | null;
  /** When something in it has changed; `verdicts` only where they have. */
  faults: (Omit<FaultsView, 'verdicts'> & { verdicts: readonly FaultVerdict[] | null }) | null;
  /** When something in it has changed. */
  scaling: ScalingView | null;
  /** Only for clients whose view is `windows`: new results since their last tick, open windows as of now. */
  windows: WindowsView | null;
  /** Only for clients whose view is `errors`; counts always whole. */
  errors: ErrorsView | null;
  /** One closed second of history, when one closed since this client's last tick. */
  second: HistorySecond | null;
  /** Ticks per second this client gets now. */
  rateHz: number;
}

export interface HistorySecond {
  at: number;
  eventsPerSecond: number;
  windowsPerSecond: number;
  watermarkLagMs: number | null;
  errorsPerSecond: number;
  latePerSecond: number;
  latencyP50Ms: number | null;
  latencyP95Ms: number | null;
  latencyP99Ms: number | null;
}

export interface LiveEvent {
  /** 1, 2, 3 … within an epoch; every client sees the same order. */
  seq: number;
  at: number;
  kind:
    | 'job-state'
    | 'injection-started'
    | 'injection-stopped'
    | 'settings-changed'
    | 'fault-started'
    | 'fault-ended'
    | 'fault-verdict'
    | 'rescale-started'
    | 'rescale-ended'
    | 'checkpoint-failed'
    | 'savepoint'
    | 'failure'
    | 'restored'
    | 'rescaled'
    | 'state-size';
  /** One line, in words. */
  text: string;
  /** Injection it belongs to, else null. */
  injection: number | null;
  /** `injection-stopped` only: the injection as it ended, so that no page shows it ended with less than it did; else null. */
  ended: Injection | null;
  /** Fault it belongs to, else null. */
  fault: number | null;
  /** `job-state` only. */
  state: JobState | null;
}

// ---------------------------------------------------------------- commands

export type CommandBody =
  | { type: 'inject'; spec: InjectionSpec }
  | { type: 'stop-injection'; id: number }
  | { type: 'stop-all-injections' }
  | { type: 'start-fault'; spec: FaultSpec }
  | { type: 'stop-fault'; id: number }
  /** Injections too. */
  | { type: 'stop-all' }
  | { type: 'rescale'; parallelism: ParallelismWish }
  | { type: 'take-checkpoint' }
  | { type: 'take-savepoint' }
  /** Ends the job behind a savepoint; `drain`: all windows fire first, and nobody should go on from it. */
  | { type: 'stop-with-savepoint'; drain: boolean }
  | {
      type: 'change-simulator';
      settings: Partial<Pick<SimulatorSettings, 'rate' | 'malformed' | 'late' | 'disorder'>>;
    };

/** `commandId` is made by the client; the server answers a repeated id with the first answer and does nothing. */
export type Command = CommandBody & { commandId: string };

export type CommandResult =
  | { ok: true; injection?: Injection; fault?: Fault; rescale?: Rescale }
  | { ok: false; error: string };
