import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';

const draw = (random: Random, n: number): number[] => Array.from({ length: n }, () => random.int32());

describe('seeded random numbers', () => {
  it('DT6 the same seed and stream give the same sequence, others another', () => {
    expect(draw(new Random(7), 5)).toEqual(draw(new Random(7), 5));
    expect(draw(new Random(7), 5)).not.toEqual(draw(new Random(8), 5));
    expect(draw(new Random(7, 1), 5)).not.toEqual(draw(new Random(7, 2), 5));
    expect(draw(new Random(7 + 2 ** 32), 5)).not.toEqual(draw(new Random(7), 5));
  });

  it('DT6 the sequence is this one, on every machine', () => {
    expect(draw(new Random(1), 3)).toEqual([-907232490, 1080862987, -748445798]);
  });

  it('DT6 goes on from its saved state', () => {
    const random = new Random(3);
    draw(random, 10);
    const saved = random.state();
    const next = draw(random, 10);
    expect(draw(new Random(0).restore(saved), 10)).toEqual(next);
    expect(draw(new Random(0).restore(JSON.parse(JSON.stringify(saved))), 10)).toEqual(next);
  });

  it('draws stay in their ranges and have the moments they should', () => {
    const random = new Random(11);
    let [sum, normal, square, exponential] = [0, 0, 0, 0];
    const n = 100_000;
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < n; i++) {
      const u = random.next();
      expect(u >= 0 && u < 1).toBe(true);
      sum += u;
      const z = random.normal();
      normal += z;
      square += z * z;
      const e = random.exponential();
      if (!(e >= 0)) throw new Error(`exponential ${e}`);
      exponential += e;
      const b = random.below(10);
      counts[b] = (counts[b] as number) + 1;
    }
    expect(sum / n).toBeCloseTo(0.5, 2);
    expect(Math.abs(normal / n)).toBeLessThan(0.02);
    expect(square / n).toBeCloseTo(1, 1);
    expect(exponential / n).toBeCloseTo(1, 1);
    for (const c of counts) expect(Math.abs(c - n / 10)).toBeLessThan(500);
  });
});
