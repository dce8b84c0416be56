import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { Pieces } from './pieces.ts';
import { checksumsOf, digestOf, isIntact } from './state-file.ts';

const random = new Random(3);
const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256));

/** Sections of these lengths in one file, short and long ones in turns. */
function sectionsOf(lengths: readonly number[]) {
  const file = new Pieces();
  return lengths.map((length) => {
    const bytes = bytesOf(length);
    const before = file.crc32;
    file.add(bytes);
    return { bytes, length, digests: [checksumsOf(before, file.crc32), digestOf(bytes)] };
  });
}

describe('sections of a state file', () => {
  it('CS4 are told from any with another byte, from shorter ones and from each other', () => {
    const sections = sectionsOf([100, 40_000, 100, 0, 16 << 10, 1, 300_000, 7]);
    for (const { bytes, length, digests } of sections) {
      for (const digest of digests) {
        expect(isIntact(bytes, { digest, length })).toBe(true);
        for (let i = 0; i < Math.min(length, 200); i++) {
          const changed = bytes.slice();
          const at = random.below(length);
          changed[at] = (changed[at] as number) ^ (1 << random.below(8));
          expect(isIntact(changed, { digest, length })).toBe(false);
        }
        if (length > 0) expect(isIntact(bytes.subarray(1), { digest, length })).toBe(false);
        for (const other of sections)
          if (other.bytes !== bytes) expect(isIntact(other.bytes, { digest, length })).toBe(false);
      }
    }
  });

  it('CS4 have checksums that end in that of the whole file', () => {
    const file = new Pieces();
    const lengths = [10, 20_000, 30, 5];
    const all = lengths.map((length) => {
      const bytes = bytesOf(length);
      file.add(bytes);
      return bytes;
    });
    const once = new Pieces();
    once.add(Buffer.concat(all));
    expect(file.crc32).toBe(once.crc32);
    expect(Buffer.concat(file.takeAll())).toEqual(Buffer.concat(once.takeAll()));
  });
});
