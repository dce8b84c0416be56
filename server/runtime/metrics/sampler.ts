/**
 * Turns the cells of a job into what people see: totals, rates, shares of time, watermarks. A pure function of the cells and of the times
 * at which it was asked to look; it owns no timer.
 *
 *   sample(now) every 0.1 .. 1 s ──> ring of past cells ──> numbers(): change since `RATE_WINDOW_MS` ago
 *                                └─> a second has closed ──> history
 *
 * Bounds: `RATE_WINDOW_MS / SAMPLE_MS + 2` copies of all cells, one history, and what `LatencySampler` keeps.
 */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import { OperatorCell, TaskCell } from '#engine/metrics/cells.ts';
import {
  type HistorySecond,
  type OperatorNumbers,
  RATE_WINDOW_MS,
  type Totals,
  type VertexNumbers,
} from '#shared/live.ts';
import { JobHistory } from './history.ts';
import { LatencySampler } from './latency-sampler.ts';
import { type JobLayout, jobLayout, type OperatorPlace } from './layout.ts';

/** Copies of the cells are kept at least this far apart. */
const SAMPLE_MS = 250;
/** Shares of time look back less far than rates: a blocked subtask should show within a second or two. */
const SHARE_WINDOW_MS = 1500;
/** Later than any instant a Date can name: the watermark at the end of the input. */
const LAST_INSTANT = 8.64e15;
/** A pause between two samples longer than this is a gap in the history, not a slow second. */
const GAP_MS = 2500;

/** Cells by vertex, then subtask. */
export type Cells = readonly (readonly Float64Array[])[];

export interface JobNumbers {
  totals: Totals;
  operators: OperatorNumbers;
  vertices: VertexNumbers;
}

interface Counts {
  events: number;
  windows: number;
  errors: number;
  late: number;
}

interface Sample {
  at: number;
  /** All cells of all subtasks, one after the other. */
  cells: Float64Array;
}

export class JobSampler {
  readonly layout: JobLayout;
  readonly history: JobHistory;
  readonly #cells: Cells;
  readonly #latency: LatencySampler | null;
  /** Where the cells of a subtask begin in a sample: by vertex, then subtask. */
  readonly #base: number[][];
  readonly #size: number;
  #samples: Sample[] = [];
  #free: Float64Array[] = [];
  #last: Sample | null = null;
  /** Where the current second of the history began. */
  #opened: { second: number; at: number; counts: Counts } | null = null;
  /** Highest watermark of the windows that is a time: what is shown when the end of the input has made it infinite. */
  #watermark: number | null = null;

  /** `latencies`: latency histograms by vertex, then subtask; null where nobody looks at them. `history`: of the same job before it was rescaled. */
  constructor(graph: JobGraph, cells: Cells, latencies: Cells | null = null, history = new JobHistory()) {
    this.history = history;
    this.layout = jobLayout(graph);
    this.#cells = cells;
    this.#latency = latencies === null ? null : new LatencySampler(graph, this.layout, latencies);
    let size = 0;
    this.#base = cells.map((subtasks) =>
      subtasks.map((of) => {
        const from = size;
        size += of.length;
        return from;
      }),
    );
    this.#size = size;
  }

  /** Looks at the cells. `now` never goes back. */
  sample(now: number): void {
    const cells = this.#free.pop() ?? new Float64Array(this.#size);
    for (const [v, subtasks] of this.#cells.entries()) {
      for (const [s, of] of subtasks.entries()) cells.set(of, this.#base[v]?.[s] as number);
    }
    const sample: Sample = { at: now, cells };
    if (this.#last !== null && !this.#samples.includes(this.#last)) this.#free.push(this.#last.cells);
    this.#last = sample;
    if (now - (this.#samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= SAMPLE_MS) this.#samples.push(sample);
    // The oldest kept is the newest that is old enough.
    while ((this.#samples[1]?.at ?? now) <= now - RATE_WINDOW_MS) {
      const old = this.#samples.shift();
      if (old && old !== this.#last) this.#free.push(old.cells);
    }
    this.#watermarkOfWindows(cells);
    this.#latency?.sample(now);
    this.#closeSecond(now);
  }

  /** Numbers as of the last sample; null before the first. */
  numbers(): JobNumbers | null {
    const last = this.#last;
    if (last === null) return null;
    return { totals: this.#totals(last), operators: this.#operators(last), vertices: this.#vertices(last) };
  }

  #totals(last: Sample): Totals {
    const base = this.#since(last, RATE_WINDOW_MS);
    const counts = this.#counts(last.cells);
    const before = this.#counts(base.cells);
    const perSecond = rateOver(last.at - base.at);
    return {
      ...counts,
      eventsPerSecond: perSecond(counts.events - before.events),
      windowsPerSecond: perSecond(counts.windows - before.windows),
      watermark: this.#watermark,
      watermarkLagMs: this.#watermark === null ? null : last.at - this.#watermark,
      latency: this.#latency?.latencies.results ?? null,
    };
  }

  #operators(last: Sample): OperatorNumbers {
    const base = this.#since(last, RATE_WINDOW_MS);
    const perSecond = rateOver(last.at - base.at);
    const growth = (bytes: number): number => Math.round((bytes * 1000) / Math.max(1, last.at - base.at));
    const none = this.layout.operators.map(() => null);
    const numbers: OperatorNumbers = {
      recordsIn: [],
      recordsInPerSecond: [],
      recordsOutPerSecond: [],
      watermark: [],
      latency: this.#latency?.latencies.markers ?? none,
      emitLatency: this.#latency?.latencies.emitted ?? none,
      expired: [],
      stateBytes: [],
      stateGrowth: [],
    };
    for (const place of this.layout.operators) {
      // A source reads nothing from another operator: what it reads is what it gives.
      const inCell = place.kind === 'source' ? OperatorCell.RECORDS_OUT : OperatorCell.RECORDS_IN;
      const recordsIn = this.#sum(last.cells, place, inCell);
      const recordsOut = this.#sum(last.cells, place, OperatorCell.RECORDS_OUT);
      numbers.recordsIn.push(recordsIn);
      numbers.recordsInPerSecond.push(perSecond(recordsIn - this.#sum(base.cells, place, inCell)));
      numbers.recordsOutPerSecond.push(perSecond(recordsOut - this.#sum(base.cells, place, OperatorCell.RECORDS_OUT)));
      numbers.watermark.push(shown(this.#least(last.cells, place)));
      numbers.expired.push(this.#sum(last.cells, place, OperatorCell.EXPIRED));
      const stateBytes = this.#sum(last.cells, place, OperatorCell.STATE_BYTES);
      numbers.stateBytes.push(stateBytes);
      numbers.stateGrowth.push(growth(stateBytes - this.#sum(base.cells, place, OperatorCell.STATE_BYTES)));
    }
    return numbers;
  }

  #vertices(last: Sample): VertexNumbers {
    const base = this.#since(last, SHARE_WINDOW_MS);
    const numbers: VertexNumbers = { busy: [], backpressured: [], idle: [], watermark: [], idleStatus: [] };
    for (const [v, bases] of this.#base.entries()) {
      const shares = bases.map((from) => sharesOf(last.cells, base.cells, from));
      numbers.busy.push(shares.map((s) => s.busy));
      numbers.backpressured.push(shares.map((s) => s.backpressured));
      numbers.idle.push(shares.map((s) => s.idle));
      const tail =
        this.layout.operators.findLast((o) => o.vertex === v && o.kind !== 'sink') ??
        this.layout.operators.find((o) => o.vertex === v);
      numbers.watermark.push(bases.map((from) => (tail ? shown(watermarkOf(last.cells, from, tail.offset)) : null)));
      numbers.idleStatus.push(bases.map((from) => last.cells[from + TaskCell.IDLE_STATUS] === 1));
    }
    return numbers;
  }

  #counts(cells: Float64Array): Counts {
    const counts: Counts = { events: 0, windows: 0, errors: 0, late: 0 };
    for (const place of this.layout.operators) {
      if (place.kind === 'source') counts.events += this.#sum(cells, place, OperatorCell.RECORDS_OUT);
      counts.errors += this.#taken(cells, place.side.get('errors'));
      if (place.kind !== 'window') continue;
      const late = this.#taken(cells, place.side.get('late'));
      counts.late += late + this.#sum(cells, place, OperatorCell.LATE_DROPPED);
      // Of several sinks the first tells: each takes every result. Without one the late rows have to be subtracted.
      counts.windows +=
        place.main.length > 0
          ? this.#taken(cells, place.main)
          : Math.max(0, this.#sum(cells, place, OperatorCell.RECORDS_OUT) - late);
    }
    return counts;
  }

  /** Records that the first of these operators has taken. */
  #taken(cells: Float64Array, consumers: readonly number[] | undefined): number {
    const place = this.layout.operators[consumers?.[0] ?? -1];
    return place ? this.#sum(cells, place, OperatorCell.RECORDS_IN) : 0;
  }

  #sum(cells: Float64Array, place: OperatorPlace, cell: number): number {
    let sum = 0;
    for (const from of this.#base[place.vertex] ?? []) sum += cells[from + place.offset + cell] as number;
    return sum;
  }

  /** Smallest watermark over the subtasks that are not idle (over all, when all are). */
  #least(cells: Float64Array, place: OperatorPlace): number {
    const bases = this.#base[place.vertex] ?? [];
    const active = bases.filter((from) => cells[from + TaskCell.IDLE_STATUS] !== 1);
    return Math.min(...(active.length > 0 ? active : bases).map((from) => watermarkOf(cells, from, place.offset)));
  }

  #watermarkOfWindows(cells: Float64Array): void {
    const place =
      this.layout.operators.find((o) => o.kind === 'window') ??
      this.layout.operators.find((o) => o.kind === 'watermarks');
    if (!place) return;
    const watermark = shown(this.#least(cells, place));
    if (watermark !== null) this.#watermark = watermark;
  }

  /** Newest kept sample that is at least `ms` older than the last, else the oldest. */
  #since(last: Sample, ms: number): Sample {
    return this.#samples.findLast((s) => s.at <= last.at - ms) ?? this.#samples[0] ?? last;
  }

  #closeSecond(now: number): void {
    const last = this.#last;
    if (last === null) return;
    const second = Math.floor(now / 1000);
    const opened = this.#opened;
    if (opened !== null && second <= opened.second) return;
    const counts = this.#counts(last.cells);
    if (opened !== null && now - opened.at <= GAP_MS) {
      const perSecond = rateOver(now - opened.at);
      const lag = this.#watermark === null ? null : now - this.#watermark;
      const latency = this.#latency?.latencies.results;
      const closed: HistorySecond = {
        at: (second - 1) * 1000,
        eventsPerSecond: perSecond(counts.events - opened.counts.events),
        windowsPerSecond: perSecond(counts.windows - opened.counts.windows),
        watermarkLagMs: lag,
        errorsPerSecond: perSecond(counts.errors - opened.counts.errors),
        latePerSecond: perSecond(counts.late - opened.counts.late),
        latencyP50Ms: latency?.p50 ?? null,
        latencyP95Ms: latency?.p95 ?? null,
        latencyP99Ms: latency?.p99 ?? null,
      };
      this.history.push(closed);
    }
    this.#opened = { second, at: now, counts };
  }
}

/** Cells are 0 until the subtask has started, and 0 would be a watermark. */
function watermarkOf(cells: Float64Array, task: number, operator: number): number {
  if (cells[task + TaskCell.PHASE] === 0) return Number.NEGATIVE_INFINITY;
  return cells[task + operator + OperatorCell.OUTPUT_WATERMARK] as number;
}

/** A watermark as people see it: none before the first, and none that names no instant. */
function shown(watermark: number): number | null {
  return Math.abs(watermark) <= LAST_INSTANT ? watermark : null;
}

/** Change over `ms` milliseconds as a rate with one decimal; 0 where no time has passed. */
function rateOver(ms: number): (change: number) => number {
  return (change) => (ms > 0 ? Math.max(0, Math.round((change * 10_000) / ms) / 10) : 0);
}

function sharesOf(
  now: Float64Array,
  before: Float64Array,
  from: number,
): { busy: number; backpressured: number; idle: number } {
  const change = (cell: number): number => Math.max(0, (now[from + cell] as number) - (before[from + cell] as number));
  const busy = change(TaskCell.BUSY);
  const backpressured = change(TaskCell.BACKPRESSURED);
  const whole = busy + backpressured + change(TaskCell.IDLE);
  if (whole === 0) return { busy: 0, backpressured: 0, idle: 1 };
  const share = (part: number): number => Math.round((part * 1000) / whole) / 1000;
  const [b, p] = [share(busy), share(backpressured)];
  return { busy: b, backpressured: p, idle: Math.max(0, Math.round((1 - b - p) * 1000) / 1000) };
}
