import { describe, expect, it } from 'vitest';
import { fill } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { i32, schema, string } from '../batch/schema.ts';
import { StateKeys } from './state-keys.ts';

const Named = schema({ of: string() });
const Numbered = schema({ of: i32() });

/** Two inputs whose keys meet, and the keys that somebody holds. */
function meeting(kind: 'string' | 'i32') {
  const keys = new StateKeys(kind, 4);
  const held = new Set<number>();
  keys.hold((mark) => {
    for (const id of held) mark(id);
  });
  const theirs = [new Dictionary(), new Dictionary()] as const;
  const inputs = [keys.input(0), keys.input(0)] as const;
  const idsOf = (input: 0 | 1, ...of: number[]): number[] => {
    const batch =
      kind === 'string'
        ? fill(
            Named,
            theirs[input],
            of.map((key) => ({ of: `k${key}` })),
            [],
          )
        : fill(
            Numbered,
            theirs[input],
            of.map((key) => ({ of: key })),
            [],
          );
    return [...inputs[input].of(batch).subarray(0, of.length)];
  };
  return { keys, held, idsOf };
}

describe.each(['string', 'i32'] as const)('keys of two inputs, of kind %s', (kind) => {
  it('TI8 have one id each, whichever input they come in', () => {
    const { keys, idsOf } = meeting(kind);
    const first = idsOf(0, 1, 2, 3);
    expect(new Set(first).size).toBe(3);
    expect(idsOf(1, 3, 1, 2)).toEqual([first[2], first[0], first[1]]);
    expect(first.map((id) => keys.keyOf(id))).toEqual(kind === 'string' ? ['k1', 'k2', 'k3'] : [1, 2, 3]);
  });

  it('B5 ids that are given to other keys after a sweep are forgotten by both inputs; those that are held stay', () => {
    const { keys, held, idsOf } = meeting(kind);
    const [one, two] = idsOf(0, 1, 2) as [number, number];
    expect(idsOf(1, 2, 1)).toEqual([two, one]);
    idsOf(0, 3, 4);
    held.add(one);
    expect(keys.table.sweepIfLarge()).toBe(true);
    // Other keys come first and take what was free.
    const others = idsOf(0, 5, 6, 7);
    expect(others).toContain(two);
    for (const input of [0, 1] as const) {
      const [again, other] = idsOf(input, 1, 2) as [number, number];
      expect(again).toBe(one);
      expect(others).not.toContain(other);
      expect(keys.textOf(other)).toBe(kind === 'string' ? 'k2' : '2');
    }
  });
});
