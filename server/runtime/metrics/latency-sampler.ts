/**
 * Turns the latency histograms of a job into quantiles over the last `LATENCY_WINDOW_MS`. Looks at most once a second; owns no timer.
 *
 *   subtasks' cells ── add up ──> per operator one histogram of markers and one of what sinks are handed ── minus the copy of 10 s ago ──> quantiles
 *
 * Bounds: `LATENCY_WINDOW_MS / LOOK_MS + 2` copies of one histogram per operator, and of one more per sink.
 */

import type { JobGraph } from '#engine/graph/job-graph.ts';
import { Histogram } from '#engine/metrics/histogram.ts';
import { LATENCY_WINDOW_MS, type LatencyNumbers } from '#shared/live.ts';
import { type LabelledLatency, labelledLatencies } from './latencies.ts';
import type { JobLayout } from './layout.ts';

/** Copies are at least this far apart, a little less than a second so that none of the history's seconds goes without. */
const LOOK_MS = 900;

export interface JobLatencies {
  /** Of markers, by number of operator in `JobLayout.operators`. */
  readonly markers: (LatencyNumbers | null)[];
  /** Of what sinks are handed, likewise. */
  readonly emitted: (LatencyNumbers | null)[];
  /** Of window results at the sink that shows them; of what sources give in a job without windows. */
  readonly results: LatencyNumbers | null;
}

interface Look {
  readonly at: number;
  /** One for each group. */
  readonly sums: readonly (Histogram | null)[];
}

export class LatencySampler {
  /** Histograms that are shown as one: markers by operator, then what sinks are handed by operator. */
  readonly #groups: readonly (readonly LabelledLatency[])[];
  readonly #looks: Look[] = [];
  /** Number of the sink whose rows are the results. */
  readonly #shown: number | null;
  #latencies: JobLatencies;

  /** `memory`: histograms by vertex, then subtask. */
  constructor(graph: JobGraph, layout: JobLayout, memory: readonly (readonly Float64Array[])[]) {
    const all = labelledLatencies(graph, memory);
    const of = (number: number, kind: LabelledLatency['kind']): LabelledLatency[] => {
      const place = layout.operators[number];
      return all.filter((l) => l.vertex === place?.vertex && l.operator === place.position && l.kind === kind);
    };
    this.#shown = resultSink(layout);
    this.#groups = (['markers', 'results'] as const).flatMap((kind) =>
      layout.operators.map((_, number) => of(number, kind)),
    );
    const none = layout.operators.map(() => null);
    this.#latencies = { markers: none, emitted: none, results: null };
  }

  /** As of the last look. */
  get latencies(): JobLatencies {
    return this.#latencies;
  }

  /** `now` never goes back. */
  sample(now: number): void {
    const last = this.#looks.at(-1);
    if (last !== undefined && now - last.at < LOOK_MS) return;
    const look: Look = { at: now, sums: this.#groups.map(sumOf) };
    this.#looks.push(look);
    // The oldest kept is the newest that is old enough.
    while ((this.#looks[1]?.at ?? now) <= now - LATENCY_WINDOW_MS) this.#looks.shift();
    const oldest = this.#looks[0] as Look;
    const numbers = look.sums.map((sum, i) => {
      const before = oldest === look ? null : oldest.sums[i];
      return sum === null ? null : numbersOf(before == null ? sum : sum.since(before));
    });
    const operators = numbers.length / 2;
    const emitted = numbers.slice(operators);
    this.#latencies = { markers: numbers.slice(0, operators), emitted, results: emitted[this.#shown ?? -1] ?? null };
  }
}

/** Number of the first sink behind the windows, along main outputs; behind the sources where there are no windows. */
function resultSink({ operators }: JobLayout): number | null {
  const windows = operators.findLastIndex((o) => o.kind === 'window');
  const from = windows >= 0 ? windows : operators.findIndex((o) => o.kind === 'source');
  const reached = new Set(from < 0 ? [] : [from]);
  for (const number of reached) {
    if (operators[number]?.kind === 'sink') return number;
    for (const to of operators[number]?.main ?? []) reached.add(to);
  }
  return null;
}

function sumOf(group: readonly LabelledLatency[]): Histogram | null {
  if (group.length === 0) return null;
  const sum = new Histogram();
  for (const { histogram } of group) sum.add(histogram);
  return sum;
}

function numbersOf(histogram: Histogram): LatencyNumbers | null {
  const ms = (q: number): number => Math.round(histogram.quantile(q) / 10) / 100;
  return histogram.count === 0 ? null : { p50: ms(0.5), p95: ms(0.95), p99: ms(0.99), max: ms(1) };
}
