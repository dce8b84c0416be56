import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Pane, Panes } from './panes.ts';

/** Remembers which slots are in use, and complains when a slot is handed out that was not reset. */
class Owner {
  capacity = 0;
  readonly clean = new Set<number>();
  grow(capacity: number): void {
    expect(capacity).toBeGreaterThan(this.capacity);
    this.capacity = capacity;
  }
  reset(first: number, last: number): void {
    for (let slot = first; slot < last; slot++) this.clean.add(slot);
  }
  use(slot: number): void {
    if (!(slot > 0 && slot < this.capacity)) throw new Error(`slot ${slot} is out of bounds`);
    if (!this.clean.delete(slot)) throw new Error(`slot ${slot} was not reset`);
  }
}

function panes(keys = 4): { panes: Panes; owner: Owner } {
  const owner = new Owner();
  const made = new Panes(owner);
  made.reserveKeys(keys);
  return { panes: made, owner };
}

const slotsOf = (p: Panes, pane: Pane): number[] =>
  [...p.ranges(pane)].flatMap(([first, last]) => Array.from({ length: last - first }, (_, i) => first + i));

describe('panes', () => {
  it('PN1 a key has one slot per window, slot 0 is nobody’s', () => {
    const { panes: p } = panes();
    const [a, b] = [p.open(0), p.open(1)];
    const slots = [p.slot(a, 0), p.slot(a, 3), p.slot(b, 0), p.slot(a, 0)];
    expect(slots[3]).toBe(slots[0]);
    expect(new Set(slots.slice(0, 3)).size).toBe(3);
    expect(slots).not.toContain(0);
    expect([p.lookup(a, 3), p.lookup(b, 3)]).toEqual([slots[1], 0]);
    expect(p.keyOf[slots[1] as number]).toBe(3);
  });

  it('PN2 a jump into the future, or into the past, finds its row taken: the ring widens, then a map takes it', () => {
    const { panes: p } = panes();
    const numbers = [0, 8, 16, 32, 64, 1 << 20, 2 ** 40, -1, -(2 ** 40), 2 ** 52];
    const opened = numbers.map((n) => p.open(n));
    for (const [i, pane] of opened.entries())
      for (const key of [0, 3]) expect(p.slot(pane, key)).toBeGreaterThan(i - i);
    for (const [i, n] of numbers.entries()) expect(p.find(n)).toBe(opened[i]);
    expect(p.find(24)).toBe(null);
    expect(p.size).toBe(numbers.length);
    expect(p.ring.length).toBeLessThanOrEqual(64);
    expect(opened.some((pane) => pane.row < 0)).toBe(true);
    for (const pane of opened) p.close(pane);
    expect([p.size, [...p.all()]]).toEqual([0, []]);
  });

  it('PN3 widening, and more keys, keep every slot where it was', () => {
    const { panes: p } = panes();
    const a = p.open(3);
    const b = p.open(5);
    const before = [p.slot(a, 1), p.slot(b, 2)];
    p.open(11);
    p.reserveKeys(5000);
    p.open(19);
    expect([p.lookup(a, 1), p.lookup(b, 2)]).toEqual(before);
    expect(p.slot(a, 4999)).toBeGreaterThan(0);
    expect([p.find(3), p.find(5)]).toEqual([a, b]);
  });

  it('PN4 a window that has fired is off the fast path but still there', () => {
    const { panes: p } = panes();
    const a = p.open(3);
    const slot = p.slot(a, 1);
    p.markFired(a);
    expect([...p.ring]).not.toContain(3);
    expect([p.find(3), p.slot(a, 1)]).toEqual([a, slot]);
    p.reserveKeys(5000);
    p.open(11);
    expect([...p.ring]).not.toContain(3);
  });

  it('PN5 the slots of 100,000 keys lie in blocks, are read in order of first use, and are used again', () => {
    const { panes: p, owner } = panes(100_000);
    const fill = (number: number): number[] => {
      const pane = p.open(number);
      for (let key = 99_999; key >= 0; key--) owner.use(p.slot(pane, key));
      const slots = slotsOf(p, pane);
      expect(slots.map((s) => p.keyOf[s])).toEqual(Array.from({ length: 100_000 }, (_, i) => 99_999 - i));
      p.close(pane);
      return slots;
    };
    fill(0);
    const { capacity } = owner;
    for (let n = 1; n < 5; n++) fill(n);
    expect(owner.capacity).toBe(capacity);
  });

  it('PN6 with very many keys the index stays within its bound, and windows without a row live in a map', () => {
    const { panes: p } = panes(1000);
    const wide = Array.from({ length: 40 }, (_, n) => p.open(n * 3));
    for (const pane of wide) p.slot(pane, 7);
    // With the place of the null key: a power of two.
    p.reserveKeys((1 << 20) - 1);
    expect(p.index.length).toBeLessThanOrEqual(1 << 23);
    for (const [n, pane] of wide.entries()) {
      expect(p.find(n * 3)).toBe(pane);
      expect(p.keyOf[p.lookup(pane, 7)]).toBe(7);
    }
  });

  it('PN7 opened, used, fired and closed in any order, slots are never shared and never dirty', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'add', 'add', 'fire', 'close', 'keys'),
      number: fc.oneof(fc.integer({ min: -3, max: 30 }), fc.integer({ min: -1e9, max: 1e12 })),
      key: fc.nat(700),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { panes: p, owner } = panes(512);
        const model = new Map<number, Map<number, number>>();
        const taken = new Set<number>();
        for (const { what, number, key } of steps) {
          const pane = p.find(number);
          expect(pane === null).toBe(!model.has(number));
          if (what === 'keys') p.reserveKeys(1024);
          else if (what === 'add') {
            if (key >= p.keys) continue;
            const keys = model.get(number) ?? new Map<number, number>();
            model.set(number, keys);
            const slot = p.slot(pane ?? p.open(number), key);
            const known = keys.get(key);
            if (known === undefined) {
              expect(taken.has(slot)).toBe(false);
              taken.add(slot);
              owner.use(slot);
              keys.set(key, slot);
            } else expect(slot).toBe(known);
          } else if (pane !== null) {
            if (what === 'fire') p.markFired(pane);
            else {
              expect(slotsOf(p, pane)).toEqual([...(model.get(number) as Map<number, number>).values()]);
              p.close(pane);
              for (const slot of model.get(number)?.values() ?? []) taken.delete(slot);
              model.delete(number);
            }
          }
          for (const [n, keys] of model) {
            for (const [k, slot] of keys) expect(p.lookup(p.find(n) as Pane, k)).toBe(slot);
          }
        }
        expect([...p.all()].map((pane) => pane.number).sort()).toEqual([...model.keys()].sort());
      }),
      { numRuns: 200 },
    );
  });

  it('PN8 a pane that has fired gives its row to a new one, and keeps its slots, many or few', () => {
    for (const keys of [4, 600]) {
      const { panes: p } = panes(1000);
      const old = p.open(3);
      const slots = Array.from({ length: keys }, (_, key) => p.slot(old, key));
      p.markFired(old);
      const next = p.open(3 + p.ring.length);
      expect([next.row, old.row, p.ring.length, p.find(3)]).toEqual([3, -1, 8, old]);
      expect(slots.map((_, key) => p.lookup(old, key))).toEqual(slots);
      expect([p.lookup(next, 0), p.lookup(old, 900), p.lookup(old, 5000)]).toEqual([0, 0, 0]);
      const late = p.slot(old, 5000);
      expect(p.lookup(old, 5000)).toBe(late);
      p.close(old);
      expect([p.find(3), p.size]).toEqual([null, 1]);
    }
  });

  it('PN9 a pane without number is found by nobody, and gives its slots back', () => {
    const { panes: p } = panes();
    for (const keys of ['many', 'few'] as const) {
      const pane = p.detached(keys);
      const slot = p.slot(pane, 2);
      expect([p.lookup(pane, 2), [...p.all()], p.size]).toEqual([slot, [], 0]);
      p.close(pane);
      expect(p.slot(p.open(0), 0)).toBe(slot);
      p.close(p.find(0) as Pane);
    }
  });

  it('PN10 other codes for the same keys: every slot is found under its new code, and filling panes are on the fast path again', () => {
    const { panes: p } = panes();
    const [fired, filling] = [p.open(0), p.open(1)];
    const slots = [fired, filling].map((pane) => [0, 1, 2].map((code) => p.slot(pane, code)));
    p.markFired(fired);
    p.recode((code) => 2000 - code);
    expect([fired, filling].map((pane) => [2000, 1999, 1998].map((code) => p.lookup(pane, code)))).toEqual(slots);
    expect([p.lookup(fired, 0), filling.row, p.ring[1], p.keyOf[slots[0]?.[1] as number]]).toEqual([0, 1, 1, 1999]);
  });
});
