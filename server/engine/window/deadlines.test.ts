import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Deadlines } from './deadlines.ts';

it('SE6 what is due comes out in order, whatever was put off meanwhile', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer(), fc.nat(50))), (entries) => {
      const deadlines = new Deadlines();
      for (const [slot, [instant]] of entries.entries()) deadlines.add(instant, slot);
      const left = new Map(entries.map(([, delay], slot) => [slot, delay]));
      const out: number[] = [];
      while (deadlines.size > 0) {
        const { first, slot } = deadlines;
        const delay = left.get(slot) ?? 0;
        left.set(slot, 0);
        if (delay > 0) {
          deadlines.postpone(first + delay);
        } else {
          out.push(first);
          deadlines.drop();
        }
      }
      expect(out).toEqual(entries.map(([instant, delay]) => instant + delay).sort((a, b) => a - b));
      expect(deadlines.first).toBe(Number.POSITIVE_INFINITY);
    }),
    { numRuns: 300 },
  );
});
