import { describe, expect, it } from 'vitest';
import { cellsPerTask, OperatorCell, operatorCells, TaskCell } from '#engine/metrics/cells.ts';
import { BARE, bareGraph, bareOperator, bareVertex } from '#testing/bare-graph.ts';
import { JobHistory } from './history.ts';
import { JobSampler } from './sampler.ts';

/** readings -> validate -(errors)-> errors-live ═hash═> windows -> results-live, -(late)-> late-live */
const graph = bareGraph(
  [
    bareVertex(
      2,
      [
        { from: 0, to: 1, tag: null },
        { from: 1, to: 2, tag: 'errors' },
      ],
      bareOperator('readings', 'source'),
      bareOperator('validate', 'process'),
      bareOperator('errors-live', 'sink'),
    ),
    bareVertex(
      2,
      [
        { from: 0, to: 1, tag: null },
        { from: 0, to: 2, tag: 'late' },
      ],
      bareOperator('windows', 'window'),
      bareOperator('results-live', 'sink'),
      bareOperator('late-live', 'sink'),
    ),
  ],
  [{ from: 0, fromOperator: 1, tag: null, to: 1, input: 0, partitioner: { kind: 'hash', column: 0 }, schema: BARE }],
);

function job() {
  const cells = graph.vertices.map((v) =>
    Array.from({ length: v.parallelism }, () => new Float64Array(cellsPerTask(v.operators.length))),
  );
  for (const subtasks of cells) for (const task of subtasks) task[TaskCell.PHASE] = 1;
  const of = (v: number, s: number, o: number): Float64Array => operatorCells(cells[v]?.[s] as Float64Array, o);
  for (const v of [0, 1]) {
    for (const s of [0, 1])
      for (const o of [0, 1, 2])
        of(v, s, o).fill(Number.NEGATIVE_INFINITY, OperatorCell.INPUT_WATERMARK, OperatorCell.OUTPUT_WATERMARK + 1);
  }
  return {
    cells,
    of,
    task: (v: number, s: number) => cells[v]?.[s] as Float64Array,
    sampler: new JobSampler(graph, cells),
  };
}

describe('job sampler', () => {
  it('adds the subtasks up and counts each result, error and late event once', () => {
    const { of, sampler } = job();
    of(0, 0, 0)[OperatorCell.RECORDS_OUT] = 100;
    of(0, 1, 0)[OperatorCell.RECORDS_OUT] = 50;
    of(0, 0, 2)[OperatorCell.RECORDS_IN] = 3;
    of(0, 1, 2)[OperatorCell.RECORDS_IN] = 4;
    of(1, 0, 0)[OperatorCell.RECORDS_OUT] = 12;
    of(1, 0, 1)[OperatorCell.RECORDS_IN] = 10;
    of(1, 0, 2)[OperatorCell.RECORDS_IN] = 2;
    of(1, 1, 0)[OperatorCell.LATE_DROPPED] = 5;
    sampler.sample(1000);
    expect(sampler.numbers()?.totals).toMatchObject({ events: 150, errors: 7, windows: 10, late: 7 });
    expect(sampler.numbers()?.operators.recordsIn).toEqual([150, 0, 7, 0, 10, 2]);
  });

  it('adds up what was forgotten because its time to live was over', () => {
    const { of, sampler } = job();
    of(1, 0, 0)[OperatorCell.EXPIRED] = 3;
    of(1, 1, 0)[OperatorCell.EXPIRED] = 4;
    sampler.sample(1000);
    expect(sampler.numbers()?.operators.expired).toEqual([0, 0, 0, 7, 0, 0]);
  });

  it('MT3 adds up the state of an operator, and tells how fast it grows or shrinks', () => {
    const { of, sampler } = job();
    for (let ms = 0; ms <= 6000; ms += 100) {
      of(1, 0, 0)[OperatorCell.STATE_BYTES] = 1000 + ms;
      of(1, 1, 0)[OperatorCell.STATE_BYTES] = 50_000 - 3 * ms;
      sampler.sample(1_000_000 + ms);
    }
    const { stateBytes, stateGrowth } = sampler.numbers()?.operators ?? {};
    expect(stateBytes).toEqual([0, 0, 0, 51_000 - 2 * 6000, 0, 0]);
    expect(stateGrowth).toEqual([0, 0, 0, -2000, 0, 0]);
  });

  it('gives rates over the last five seconds and forgets what was before', () => {
    const { of, sampler } = job();
    let events = 0;
    for (let ms = 0; ms <= 30_000; ms += 100) {
      events += ms <= 15_000 ? 100_000 : 20;
      of(0, 0, 0)[OperatorCell.RECORDS_OUT] = events;
      sampler.sample(1_000_000 + ms);
    }
    expect(sampler.numbers()?.totals.eventsPerSecond).toBe(200);
    expect(sampler.numbers()?.operators.recordsInPerSecond[0]).toBe(200);
  });

  it('gives a rate of 0 after one look, not one since the epoch', () => {
    const { of, sampler } = job();
    of(0, 0, 0)[OperatorCell.RECORDS_OUT] = 1e9;
    sampler.sample(5);
    expect(sampler.numbers()?.totals.eventsPerSecond).toBe(0);
  });

  it('gives shares of time per subtask that add up to 1, all idle where no time was counted', () => {
    const { task, sampler } = job();
    for (let ms = 0; ms <= 5000; ms += 500) {
      task(0, 0)[TaskCell.BUSY] = ms * 0.25e6;
      task(0, 0)[TaskCell.BACKPRESSURED] = ms * 0.5e6;
      task(0, 0)[TaskCell.IDLE] = ms * 0.25e6;
      sampler.sample(ms);
    }
    const { busy, backpressured, idle } = sampler.numbers()?.vertices ?? { busy: [], backpressured: [], idle: [] };
    expect([busy[0]?.[0], backpressured[0]?.[0], idle[0]?.[0]]).toEqual([0.25, 0.5, 0.25]);
    expect([busy[0]?.[1], backpressured[0]?.[1], idle[0]?.[1]]).toEqual([0, 0, 1]);
  });

  it('gives the watermark of the windows as the minimum over subtasks that are not idle, null before the first', () => {
    const { of, task, sampler } = job();
    sampler.sample(10_000);
    expect(sampler.numbers()?.totals).toMatchObject({ watermark: null, watermarkLagMs: null });
    expect(sampler.numbers()?.operators.watermark).toEqual([null, null, null, null, null, null]);
    of(1, 0, 0)[OperatorCell.OUTPUT_WATERMARK] = 7000;
    of(1, 1, 0)[OperatorCell.OUTPUT_WATERMARK] = 4000;
    sampler.sample(10_100);
    expect(sampler.numbers()?.totals).toMatchObject({ watermark: 4000, watermarkLagMs: 6100 });
    task(1, 1)[TaskCell.IDLE_STATUS] = 1;
    sampler.sample(10_200);
    expect(sampler.numbers()?.totals.watermark).toBe(7000);
    expect(sampler.numbers()?.vertices.idleStatus).toEqual([
      [false, false],
      [false, true],
    ]);
  });

  it('knows no watermark of a subtask that has not started', () => {
    const { task, of, sampler } = job();
    for (const s of [0, 1]) {
      task(1, s)[TaskCell.PHASE] = 0;
      of(1, s, 0)[OperatorCell.OUTPUT_WATERMARK] = 0;
    }
    sampler.sample(10_000);
    expect(sampler.numbers()?.totals.watermark).toBeNull();
  });

  it('shows the last time a watermark named once the input has ended', () => {
    const { of, sampler } = job();
    for (const s of [0, 1]) of(1, s, 0)[OperatorCell.OUTPUT_WATERMARK] = 7000;
    sampler.sample(10_000);
    for (const s of [0, 1]) of(1, s, 0)[OperatorCell.OUTPUT_WATERMARK] = Number.POSITIVE_INFINITY;
    sampler.sample(10_100);
    expect(sampler.numbers()?.totals.watermark).toBe(7000);
    expect(JSON.stringify(sampler.numbers())).not.toContain('Infinity');
  });

  it('closes one second of history per second, and leaves a gap where nobody looked', () => {
    const { of, sampler } = job();
    let events = 0;
    const look = (ms: number): void => {
      of(0, 0, 0)[OperatorCell.RECORDS_OUT] = events;
      sampler.sample(ms);
    };
    for (let ms = 100_000; ms <= 103_000; ms += 100) {
      look(ms);
      events += 10;
    }
    for (let ms = 108_000; ms <= 110_000; ms += 500) {
      look(ms);
      events += 10;
    }
    const { from, eventsPerSecond } = sampler.history.all();
    expect(from).toBe(100_000);
    expect(eventsPerSecond).toEqual([100, 100, 100, null, null, null, null, null, 20, 20]);
    expect(sampler.history.after(102_000)?.at).toBe(108_000);
    expect(sampler.history.after(109_000)).toBeNull();
  });

  it('keeps a bounded number of samples however often it is asked to look', () => {
    const { sampler } = job();
    for (let ms = 0; ms < 60_000; ms += 10) sampler.sample(ms);
    const before = process.memoryUsage().arrayBuffers;
    for (let ms = 60_000; ms < 120_000; ms += 10) sampler.sample(ms);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});

describe('job history', () => {
  it('keeps the newest seconds only', () => {
    const history = new JobHistory(3);
    for (let second = 1; second <= 5; second++) {
      history.push({
        at: second * 1000,
        eventsPerSecond: second,
        windowsPerSecond: 0,
        watermarkLagMs: null,
        errorsPerSecond: 0,
        latePerSecond: 0,
        latencyP50Ms: null,
        latencyP95Ms: null,
        latencyP99Ms: null,
      });
    }
    expect(history.all()).toMatchObject({ from: 3000, eventsPerSecond: [3, 4, 5] });
  });

  it('is empty before the first second', () => {
    expect(new JobHistory(3).all()).toMatchObject({ from: 0, eventsPerSecond: [] });
    expect(new JobHistory(3).after(0)).toBeNull();
  });
});
