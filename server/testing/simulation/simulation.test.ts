import { describe, expect, it } from 'vitest';
import { draw } from './draw.ts';
import { simulate } from './simulation.ts';

const SEEDS = Array.from({ length: 150 }, (_, seed) => seed);

describe('the simulation', () => {
  it('SM1 gives one history for one seed', async () => {
    const history = async (seed: number): Promise<unknown> => {
      const lines: string[] = [];
      const verdict = await simulate(seed, { say: (line) => lines.push(line) });
      return { verdict, lines: lines.map((line) => line.replace(/savepoint-simulated-\w+/, '')) };
    };
    for (const seed of [9, 13, 100]) expect(await history(seed)).toEqual(await history(seed));
    expect(await history(9)).not.toEqual(await history(10));
  });

  it('SM2 where nothing goes wrong every job gives what the model gives, at any parallelism', async () => {
    const calm = SEEDS.filter((seed) => draw(seed).faults.length === 0);
    expect(calm.length).toBeGreaterThan(15);
    for (const seed of calm) expect(await simulate(seed)).toMatchObject({ outcome: 'equal', restarts: 0 });
  });
});
