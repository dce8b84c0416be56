import { describe, expect, it } from 'vitest';
import { Dictionary } from './dictionary.ts';

describe('a dictionary', () => {
  it('B4 gives a string the same code each time, and codes without gaps', () => {
    const d = new Dictionary();
    expect([d.codeOf('a'), d.codeOf('b'), d.codeOf('a'), d.codeOf('')]).toEqual([0, 1, 0, 2]);
    expect([d.get(0), d.get(1), d.get(2), d.get(3), d.get(-1)]).toEqual(['a', 'b', '', null, null]);
    expect([d.find('b'), d.find('x'), d.size, d.capacity]).toEqual([1, -1, 3, 3]);
  });

  it('B5 is not swept before it has grown to its limit', () => {
    const d = new Dictionary(3);
    d.codeOf('a');
    d.codeOf('b');
    expect(d.sweepIfLarge()).toBe(false);
    d.codeOf('c');
    expect(d.sweepIfLarge()).toBe(true);
    expect(d.size).toBe(0);
  });

  it('B5 a sweep drops exactly what no holder marks, and tells the listeners which', () => {
    const d = new Dictionary(4);
    const [a, b, c, e] = ['a', 'b', 'c', 'e'].map((s) => d.codeOf(s)) as [number, number, number, number];
    d.hold((mark) => mark(b));
    d.hold((mark) => {
      mark(e);
      mark(b);
    });
    const freed: [number, string][] = [];
    let swept = 0;
    d.onFree((code, text) => freed.push([code, text]));
    d.onSwept(() => swept++);
    expect(d.sweepIfLarge()).toBe(true);
    expect(freed).toEqual([
      [a, 'a'],
      [c, 'c'],
    ]);
    expect(swept).toBe(1);
    expect([d.get(a), d.get(b), d.get(c), d.get(e)]).toEqual([null, 'b', null, 'e']);
    expect([d.find('a'), d.find('b')]).toEqual([-1, b]);
  });

  it('B5 a freed code is given to another string; held ones stay', () => {
    const d = new Dictionary(2);
    d.codeOf('a');
    d.codeOf('b');
    d.hold((mark) => mark(1));
    d.sweepIfLarge();
    expect(d.codeOf('c')).toBe(0);
    expect(d.codeOf('d')).toBe(2);
    expect([d.get(0), d.get(1), d.get(2)]).toEqual(['c', 'b', 'd']);
  });

  it('B5 is swept again at twice what survived, and never below its first limit', () => {
    const d = new Dictionary(4);
    const held = [0, 1, 2];
    d.hold((mark) => held.forEach(mark));
    for (const s of 'abcd') d.codeOf(s);
    expect(d.sweepIfLarge()).toBe(true); // three survive: the next is at six
    for (const s of 'ef') d.codeOf(s);
    expect(d.size).toBe(5);
    expect(d.sweepIfLarge()).toBe(false);
    d.codeOf('g');
    held.length = 0;
    expect(d.sweepIfLarge()).toBe(true); // none survives: the next is at four
    for (const s of 'hij') d.codeOf(s);
    expect(d.sweepIfLarge()).toBe(false);
    d.codeOf('k');
    expect(d.sweepIfLarge()).toBe(true);
  });

  it('B5 stays small under endless new strings, whatever is held', () => {
    const d = new Dictionary(100);
    d.hold((mark) => mark(d.find('kept')));
    d.codeOf('kept');
    for (let i = 0; i < 10_000; i++) {
      d.codeOf(`s${i}`);
      d.sweepIfLarge();
    }
    expect(d.capacity).toBeLessThanOrEqual(100);
    expect(d.get(d.find('kept'))).toBe('kept');
  });
});
