import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { isBlank } from '../iot/reading.ts';
import { ByteDictionary, HASH_FACTOR, HASH_START } from './byte-dictionary.ts';

const hashOf = (bytes: Uint8Array) => bytes.reduce((hash, byte) => Math.imul(hash ^ byte, HASH_FACTOR), HASH_START);

/** As decoders do; `hash` to make strings collide. */
function codeOf(ids: ByteDictionary, text: string | Buffer, hash?: number): number {
  const bytes = Buffer.from(text);
  const h = hash ?? hashOf(bytes);
  const found = ids.find(bytes, 0, bytes.length, h);
  return found >= 0 ? found : ids.add(bytes, 0, bytes.length, h, isBlank);
}

it('gives the codes of the dictionary, for the same string always the same', () => {
  const dictionary = new Dictionary();
  const ids = new ByteDictionary(dictionary);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', minLength: 1 }).filter((s) => !isBlank(s))), (texts) => {
      for (const text of texts) expect(dictionary.get(codeOf(ids, text))).toBe(text);
    }),
  );
});

it('keeps 100,000 ids apart', () => {
  const dictionary = new Dictionary();
  const ids = new ByteDictionary(dictionary);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 100_000; i++)
      if (dictionary.get(codeOf(ids, `device-${i}`)) !== `device-${i}`) expect.fail(`device-${i}`);
  }
  expect(dictionary.size).toBe(100_000);
});

it('takes neither invalid UTF-8 nor blank strings', () => {
  const ids = new ByteDictionary(new Dictionary());
  for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]]) {
    expect(codeOf(ids, Buffer.from(bytes))).toBe(-1);
  }
  expect(codeOf(ids, '  \t')).toBe(-1);
  expect(codeOf(ids, '')).toBe(-1);
  expect(codeOf(ids, '\u00a0')).toBeGreaterThanOrEqual(0);
});

it('answers right, and remembers a bounded number, when strings are made to collide or are long', () => {
  const dictionary = new Dictionary();
  const ids = new ByteDictionary(dictionary);
  for (let i = 0; i < 5000; i++) expect(dictionary.get(codeOf(ids, `colliding-${i}`, 42))).toBe(`colliding-${i}`);
  expect(ids.size).toBeLessThan(100);
  const long = 'x'.repeat(100_000);
  expect(dictionary.get(codeOf(ids, long))).toBe(long);
  expect(ids.size).toBeLessThan(100);
});

it('forgets codes when the dictionary was swept', () => {
  const dictionary = new Dictionary(2);
  const ids = new ByteDictionary(dictionary);
  codeOf(ids, 'a');
  codeOf(ids, 'b');
  expect(dictionary.sweepIfLarge()).toBe(true);
  ids.clear();
  for (const text of ['c', 'd', 'a']) expect(dictionary.get(codeOf(ids, text))).toBe(text);
});
