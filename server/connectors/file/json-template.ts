/**
 * Lines of one producer look alike: same fields, same order, same white space; only the values differ. A template is what stays the same,
 * taken verbatim from a line that was read the long way:
 *
 *   {"device_id":"│device-7│","event_timestamp":│1700000000000│,"temperature":│21.5│,"note":│"x"│}\n
 *    literal       id        literal             integer       literal         number literal  skip  tail
 *
 * A known field that is absent or null needs no value: the template knows that it is missing. Matching literals costs one comparison per
 * four bytes; which fields stand where is data, so any order and any unknown fields of simple types are read at full speed.
 */

import { FIELD_KINDS, FIELD_NAMES, MISSING } from './reading-rows.ts';

/** What stands between two literals. */
export const Step = { ID: 0, INTEGER: 1, NUMBER: 2, SKIP_STRING: 3, SKIP_NUMBER: 4, SKIP_WORD: 5 } as const;
export type Step = (typeof Step)[keyof typeof Step];

export interface JsonTemplate {
  readonly steps: Int32Array;
  /** Field of each step; -1 where it is skipped. */
  readonly fields: Int32Array;
  /** Words of literal i are `words[wordEnd[i - 1] .. wordEnd[i])`, little endian; the last of a literal overlaps the one before. */
  readonly words: Int32Array;
  readonly wordEnd: Int32Array;
  /** Bytes of each literal. */
  readonly lengths: Int32Array;
  /** From behind the last value to the line break. */
  readonly tail: Uint8Array;
  /** Bytes of `tail` that are the line's end: 1 or 2. */
  readonly lineBreak: number;
  /** Fields that lines of this form lack. */
  readonly missing: readonly number[];
  /** `defect` of such lines: 0, or that of the first missing field. */
  readonly defect: number;
}

/** Lines with more values or a longer text between them are read the long way. */
const MAX_STEPS = 32;
const MAX_LITERALS = 1024;

const QUOTE = 34;
const BACKSLASH = 92;
const STEP_OF_KIND = { id: Step.ID, integer: Step.INTEGER, number: Step.NUMBER } as const;

const isSpace = (c: number | undefined): boolean => c === 32 || c === 9 || c === 13 || c === 10;

/**
 * The template of the line `bytes[start, end)`, where `bytes[end - 1]` is its line break. The line must be a valid JSON object. Null when
 * lines like it cannot be read by a template: nested values, escapes in a name, a name twice, a known field of another type.
 */
export function learnTemplate(bytes: Buffer, start: number, end: number): JsonTemplate | null {
  const steps: Step[] = [];
  const fields: number[] = [];
  const literals: Buffer[] = [];
  const names = new Set<string>();
  const missing = new Set<number>(FIELD_NAMES.keys());
  let literalStart = start;
  let p = start;
  const skipSpace = () => {
    while (isSpace(bytes[p])) p++;
  };
  const value = (step: Step, field: number, from: number, to: number) => {
    steps.push(step);
    fields.push(field);
    literals.push(bytes.subarray(literalStart, from));
    literalStart = to;
    if (field >= 0) missing.delete(field);
  };

  skipSpace();
  p++; // {
  for (;;) {
    skipSpace();
    if (bytes[p] !== QUOTE) break; // }
    const nameEnd = bytes.indexOf(QUOTE, p + 1);
    const name = bytes.toString('latin1', p + 1, nameEnd);
    if (name.includes('\\') || names.has(name)) return null;
    names.add(name);
    p = nameEnd + 1;
    skipSpace();
    p++; // :
    skipSpace();

    const field = FIELD_NAMES.indexOf(name);
    const wanted = field < 0 ? null : STEP_OF_KIND[FIELD_KINDS[field] ?? 'number'];
    const from = p;
    const c = bytes[p];
    if (c === QUOTE) {
      p++;
      while (bytes[p] !== QUOTE) p += bytes[p] === BACKSLASH ? 2 : 1;
      if (wanted !== null && wanted !== Step.ID) return null;
      value(wanted ?? Step.SKIP_STRING, field, from + 1, p);
      p++;
    } else if (c === 110 || c === 116 || c === 102) {
      const isNull = c === 110;
      if (wanted !== null && !isNull) return null;
      p += c === 102 ? 5 : 4;
      if (wanted === null) value(Step.SKIP_WORD, field, from, p);
    } else if (c === 123 || c === 91) {
      return null;
    } else {
      while (!isSpace(bytes[p]) && bytes[p] !== 44 && bytes[p] !== 125) p++;
      if (wanted === Step.ID) return null;
      value(wanted ?? Step.SKIP_NUMBER, field, from, p);
    }
    skipSpace();
    if (bytes[p] === 44) p++;
  }

  if (steps.length === 0 || steps.length > MAX_STEPS || end - literalStart > MAX_LITERALS) return null;
  return compile(steps, fields, literals, bytes.subarray(literalStart, end), [...missing]);
}

function compile(
  steps: Step[],
  fields: number[],
  literals: Buffer[],
  tail: Buffer,
  missing: number[],
): JsonTemplate | null {
  const words: number[] = [];
  const wordEnd: number[] = [];
  let total = 0;
  for (const literal of literals) {
    total += literal.length;
    // The shortest literal is `{"":1`, so each has a word.
    if (literal.length < 4 || total > MAX_LITERALS) return null;
    for (let at = 0; at + 4 < literal.length; at += 4) words.push(literal.readInt32LE(at));
    words.push(literal.readInt32LE(literal.length - 4));
    wordEnd.push(words.length);
  }
  const firstMissing = Math.min(...missing);
  return {
    steps: Int32Array.from(steps),
    fields: Int32Array.from(fields),
    words: Int32Array.from(words),
    wordEnd: Int32Array.from(wordEnd),
    lengths: Int32Array.from(literals, (literal) => literal.length),
    tail: Uint8Array.from(tail),
    lineBreak: tail[tail.length - 2] === 13 ? 2 : 1,
    missing,
    defect: missing.length === 0 ? 0 : (MISSING[firstMissing] ?? 0),
  };
}
