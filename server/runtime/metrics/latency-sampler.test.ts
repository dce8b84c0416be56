import { describe, expect, it } from 'vitest';
import { schema, string } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import { count } from '#engine/window/aggregates.ts';
import { TumblingEventTimeWindows } from '#engine/window/assigners.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { newCells, newLatencies } from '../task/wiring.ts';
import { labelledLatencies } from './latencies.ts';
import { JobSampler } from './sampler.ts';

const S = schema({ k: string() });
const memory = (bytes: number): ArrayBuffer => new ArrayBuffer(bytes);

/** readings ═ windows ─> results, twice side by side; the histograms are filled by hand. */
function job() {
  const env = new StreamExecutionEnvironment({
    name: 'test',
    parallelism: 2,
    latencyTracking: { intervalMs: 100, granularity: 'operator' },
  });
  const readings = env.fromSource(fromRows(S, []), 'readings');
  readings.sinkTo(new CollectSink(), 'raw');
  readings
    .keyBy('k')
    .window(TumblingEventTimeWindows.of(100))
    .aggregate({ n: count() }, 'windows')
    .sinkTo(new CollectSink(), 'results');
  const graph = env.jobGraph();
  const cells = graph.vertices.map((v, i) => Array.from({ length: v.parallelism }, () => newCells(graph, i, memory)));
  const latencies = graph.vertices.map((v, i) =>
    Array.from({ length: v.parallelism }, () => newLatencies(graph, i, memory)),
  );
  const all = labelledLatencies(graph, latencies);
  const record = (name: string, kind: 'markers' | 'results', subtask: number, ms: number, times = 1): void => {
    const found = all.find((l) => l.name === name && l.kind === kind && l.subtask === subtask);
    if (found === undefined) throw new Error(`${name} has no ${kind}.`);
    found.histogram.record(ms * 1000, times);
  };
  const sampler = new JobSampler(graph, cells, latencies);
  const names = graph.vertices.flatMap((v) => v.operators.map((o) => o.name));
  const markers = (name: string) => sampler.numbers()?.operators.latency[names.indexOf(name)];
  const results = () => sampler.numbers()?.totals.latency;
  const emitted = (name: string) => sampler.numbers()?.operators.emitLatency[names.indexOf(name)];
  return { record, sampler, markers, results, emitted };
}

const near = (wanted: number) => (got: number | undefined) => Math.abs((got ?? Number.NaN) - wanted) <= wanted * 0.01;

describe('latencies of a job', () => {
  it('HG4 are those of all subtasks together', () => {
    const { record, sampler, markers, results } = job();
    for (let i = 1; i <= 50; i++) record('windows', 'markers', 0, i);
    for (let i = 51; i <= 100; i++) record('windows', 'markers', 1, i);
    record('results', 'results', 0, 3, 99);
    record('results', 'results', 1, 900, 1);
    sampler.sample(1000);
    const found = markers('windows');
    expect(found?.p50).toSatisfy(near(50));
    expect(found?.p95).toSatisfy(near(95));
    expect(found?.p99).toSatisfy(near(99));
    expect(found?.max).toSatisfy(near(100));
    expect(results()?.p99).toSatisfy(near(3));
    expect(results()?.max).toSatisfy(near(900));
  });

  it('are of the sink behind the windows, whatever other sinks measure; each sink has its own', () => {
    const { record, sampler, results, emitted } = job();
    record('raw', 'results', 0, 5000, 1000);
    record('results', 'results', 0, 7);
    sampler.sample(1000);
    expect(results()?.max).toSatisfy(near(7));
    expect([emitted('raw')?.max, emitted('results')?.max, emitted('windows')]).toEqual([
      expect.toSatisfy(near(5000)),
      expect.toSatisfy(near(7)),
      null,
    ]);
  });

  it('are unknown where nothing came, and never known of sources', () => {
    const { sampler, markers, results } = job();
    expect(sampler.numbers()).toBeNull();
    sampler.sample(1000);
    expect([markers('readings'), markers('windows'), results()]).toEqual([null, null, null]);
  });

  it('HG5 look back ten seconds, then forget', () => {
    const { record, sampler, markers, results } = job();
    let at = 0;
    const goOn = (ms: number): void => {
      for (const until = at + ms; at < until; at += 100) sampler.sample(at);
    };
    goOn(5000);
    record('windows', 'markers', 0, 400);
    record('results', 'results', 0, 400);
    goOn(2000);
    expect(markers('windows')?.max).toSatisfy(near(400));
    goOn(5000);
    record('windows', 'markers', 0, 2);
    goOn(2000);
    expect(markers('windows')?.max).toSatisfy(near(400));
    goOn(4000);
    expect(markers('windows')?.max).toSatisfy(near(2));
    expect(results()).toBeNull();
    goOn(20_000);
    expect(markers('windows')).toBeNull();
  });

  it('stand in every second of the history, as gaps while there is no result', () => {
    const { record, sampler } = job();
    for (let at = 0; at <= 20_000; at += 250) {
      if (at === 3000) record('results', 'results', 1, 40, 10);
      sampler.sample(1_000_000 + at);
    }
    const { latencyP50Ms, latencyP99Ms, eventsPerSecond } = sampler.history.all();
    expect(eventsPerSecond).not.toContain(null);
    const known = latencyP50Ms.flatMap((p50, i) => (p50 === null ? [] : [i]));
    expect(known.length).toBeGreaterThanOrEqual(9);
    expect(known.length).toBeLessThanOrEqual(12);
    expect(known.at(-1)).toBe((known[0] ?? 0) + known.length - 1);
    expect(latencyP99Ms[known[0] ?? 0]).toSatisfy(near(40));
  });

  it('cost a bounded amount of memory, however often one looks', () => {
    const { record, sampler } = job();
    const before = process.memoryUsage().arrayBuffers;
    // Kept for ever, the copies of so many looks would be hundreds of megabytes; what is not collected yet is far less.
    for (let at = 0; at < 3_000_000; at += 450) {
      record('results', 'results', 0, at % 100);
      sampler.sample(at);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150 << 20);
  });
});
