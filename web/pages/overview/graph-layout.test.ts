import { describe, expect, it } from 'vitest';
import { sampleJob } from '../../live/sample-frames.ts';
import { type Box, layoutGraph } from './graph-layout.ts';

function inside(inner: Box, outer: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

describe('job graph layout', () => {
  const job = sampleJob();
  const layout = layoutGraph(job);

  it('keeps every operator inside its task', () => {
    for (const [i, operator] of job.operators.entries()) {
      const box = layout.operators[i];
      const task = layout.tasks[operator.vertex];
      expect(box && task && inside(box, task), operator.name).toBe(true);
    }
  });

  it('lets no two boxes overlap', () => {
    for (const boxes of [layout.operators, layout.tasks]) {
      for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) expect(overlap(a, b)).toBe(false);
    }
  });

  it('runs from left to right, the main output straight and side outputs below', () => {
    for (const { from, to } of job.edges) {
      expect(layout.operators[from]?.x).toBeLessThan(layout.operators[to]?.x ?? 0);
    }
    const [, validate, watermarks, errors] = layout.operators;
    expect(watermarks?.y).toBe(validate?.y);
    expect(errors?.y).toBeGreaterThan(validate?.y ?? 0);
  });

  it('shows the main job whole on a screen of 1280 pixels', () => expect(layout.width).toBeLessThanOrEqual(1010));

  it('draws one path per edge', () => {
    expect(layout.edges).toHaveLength(job.edges.length);
    for (const { path } of layout.edges) expect(path).toMatch(/^M[\d. ]+[HVC]/);
  });

  it('tells the two edges of a self-join apart, and draws them beside each other', () => {
    const edge = { from: 0, to: 1, partitioner: 'hash', chained: false, sideOutput: null };
    const [first, second] = [
      { ...edge, input: 0 },
      { ...edge, input: 1 },
    ] as const;
    const join = {
      vertices: ['rows', 'join'].map((name) => ({ id: name, name, parallelism: 1 })),
      operators: ['rows', 'join'].map((name, vertex) => ({ id: name, name, kind: 'map', vertex })),
      edges: [first, second],
    };
    const [one, two] = layoutGraph(join).edges;
    expect([one?.id, two?.id]).toEqual([0, 1]);
    expect(two?.path).not.toBe(one?.path);
    expect(two?.labelY).not.toBe(one?.labelY);
    expect(layoutGraph({ ...join, edges: [first, first] }).edges.map(({ id }) => id)).toEqual([0, 1]);
  });

  it('fits a job of 1366 pixels width beside the rail', () => expect(layout.width).toBeLessThan(1110));

  it('stands anything that is not a job', () => {
    expect(layoutGraph({ vertices: [], operators: [], edges: [] })).toMatchObject({ width: 0, height: 0 });
    const edge = { input: 0, partitioner: 'hash', chained: false, sideOutput: null };
    const cycle = {
      vertices: [
        { id: 'a', name: 'a', parallelism: 1 },
        { id: 'b', name: 'b', parallelism: 1 },
      ],
      operators: [
        { id: 'a', name: 'a', kind: 'map', vertex: 0 },
        { id: 'b', name: 'b', kind: 'map', vertex: 1 },
      ],
      edges: [
        { ...edge, from: 0, to: 1 },
        { ...edge, from: 1, to: 0 },
        { ...edge, from: 7, to: 9 },
      ],
    };
    expect(layoutGraph(cycle).edges).toHaveLength(2);
  });
});
