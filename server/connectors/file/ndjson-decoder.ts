/**
 * NDJSON to columns. A line is tried against the template of the line before, then against the other templates known; what none matches
 * is read by `JSON.parse`, which alone decides what is malformed, and may leave a template for the lines to come.
 */

import { isUtf8 } from 'node:buffer';
import type { Dictionary } from '#engine/batch/dictionary.ts';
import { FIELDS, isBlank } from '../iot/reading.ts';
import { ByteDictionary, HASH_FACTOR, HASH_START } from './byte-dictionary.ts';
import { type JsonTemplate, learnTemplate, Step } from './json-template.ts';
import type { LineBuffer } from './line-buffer.ts';
import { parseNumber } from './number-parser.ts';
import { FIELD_KINDS, ID_FIELD, MISSING, type ReadingRows, TIME_FIELD, WRONG_TYPE } from './reading-rows.ts';
import type { RecordDecoder } from './record-decoder.ts';

/** Templates kept; lines of more forms than this are read the long way more often. */
const MAX_TEMPLATES = 8;
/** After a template that served fewer lines than this, learning pauses for twice as many odd lines as the time before. */
const WORTHWHILE = 16;
const MAX_PAUSE = 1024;

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const BACKSLASH = 92;
const OPEN = 123;
const CLOSE = 125;

interface Known {
  readonly template: JsonTemplate;
  served: number;
}

export class NdjsonDecoder implements RecordDecoder {
  readonly #dictionary: Dictionary;
  readonly #ids: ByteDictionary;
  #templates: Known[] = [];
  /** The one that matched last. */
  #current = 0;
  /** The next to be replaced. */
  #oldest = 0;
  /** Odd lines to pass before learning again, and how long the next pause will be. */
  #pause = 0;
  #nextPause = 1;
  readonly #ignored = new Float64Array(1);

  constructor(dictionary: Dictionary) {
    this.#dictionary = dictionary;
    this.#ids = new ByteDictionary(dictionary);
  }

  decode(buffer: LineBuffer, rows: ReadingRows): void {
    const stop = buffer.stop;
    const capacity = rows.capacity;
    while (buffer.position < stop && rows.size < capacity) {
      const known = this.#templates[this.#current];
      if (known !== undefined) {
        const before = rows.size;
        this.#run(known.template, buffer, rows, stop);
        known.served += rows.size - before;
        if (buffer.position >= stop || rows.size >= capacity) return;
      }
      if (!this.#tryOthers(buffer, rows, stop)) this.#odd(buffer, rows);
    }
  }

  onDictionarySwept(): void {
    this.#ids.clear();
  }

  /** Whether another template than the current one reads the next line; it is then the current one. */
  #tryOthers(buffer: LineBuffer, rows: ReadingRows, stop: number): boolean {
    for (let i = 0; i < this.#templates.length; i++) {
      const known = this.#templates[i];
      if (i === this.#current || known === undefined) continue;
      const before = rows.size;
      this.#run(known.template, buffer, rows, stop);
      if (rows.size === before) continue;
      known.served += rows.size - before;
      this.#current = i;
      return true;
    }
    return false;
  }

  /** Reads lines as long as the template matches; a line that does not is left where it is. */
  #run(template: JsonTemplate, buffer: LineBuffer, rows: ReadingRows, stop: number): void {
    const { steps, fields, words, wordEnd, lengths, tail, lineBreak, missing, defect } = template;
    const { bytes, view, base } = buffer;
    const { ids, numbers, defects, time, offsets, capacity, maxLine } = rows;
    const payloadStart = rows.payload.start;
    const payloadEnd = rows.payload.end;
    const times = numbers[TIME_FIELD] as Float64Array;
    const dictionary = this.#ids;
    const ignored = this.#ignored;
    const stepCount = steps.length;
    const tailLength = tail.length;
    let row = rows.size;
    let start = buffer.position;

    lines: while (row < capacity && start < stop) {
      let p = start;
      let word = 0;
      for (let i = 0; i < stepCount; i++) {
        const last = (wordEnd[i] as number) - 1;
        const behind = p + (lengths[i] as number);
        for (; word < last; word++, p += 4) if (view.getInt32(p, true) !== words[word]) break lines;
        if (view.getInt32(behind - 4, true) !== words[word++]) break lines;
        p = behind;

        switch (steps[i]) {
          case Step.NUMBER:
            p = parseNumber(bytes, p, numbers[fields[i] as number] as Float64Array, row);
            if (p < 0) break lines;
            // An infinity is of the wrong type.
            if (Math.abs((numbers[fields[i] as number] as Float64Array)[row] as number) === Infinity) break lines;
            break;
          case Step.ID: {
            const from = p;
            let hash = HASH_START;
            let c = bytes[p] as number;
            while (c !== QUOTE) {
              if (c < 32 || c === BACKSLASH) break lines;
              hash = Math.imul(hash ^ c, HASH_FACTOR);
              c = bytes[++p] as number;
            }
            let code = dictionary.find(bytes, from, p, hash);
            if (code < 0) {
              code = dictionary.add(bytes, from, p, hash, isBlank);
              if (code < 0) break lines;
            }
            ids[row] = code;
            break;
          }
          case Step.INTEGER: {
            const column = numbers[fields[i] as number] as Float64Array;
            p = parseNumber(bytes, p, column, row);
            if (p < 0) break lines;
            const value = column[row] as number;
            // Also false for an infinity, whose difference to itself is NaN.
            if (value - Math.floor(value) !== 0) break lines;
            column[row] = value + 0; // a timestamp has no negative zero
            break;
          }
          case Step.SKIP_STRING: {
            let c = bytes[p] as number;
            while (c !== QUOTE) {
              if (c < 32 || c === BACKSLASH || c > 127) break lines;
              c = bytes[++p] as number;
            }
            break;
          }
          case Step.SKIP_NUMBER:
            p = parseNumber(bytes, p, ignored, 0);
            if (p < 0) break lines;
            break;
          default:
            p = skipWord(bytes, p);
            if (p < 0) break lines;
        }
      }
      for (let i = 0; i < tailLength; i++, p++) if (bytes[p] !== tail[i]) break lines;
      const end = p - lineBreak;
      if (end - start > maxLine) break;

      if (defect === 0) {
        time[row] = times[row] as number;
      } else {
        for (const field of missing) {
          if (field === ID_FIELD) ids[row] = -1;
          else (numbers[field] as Float64Array)[row] = Number.NaN;
        }
        time[row] = Number.NaN;
      }
      defects[row] = defect;
      payloadStart[row] = start;
      payloadEnd[row] = end;
      offsets[row] = base + start;
      row++;
      start = p;
    }
    rows.size = row;
    buffer.position = start;
  }

  /** One line the long way. */
  #odd(buffer: LineBuffer, rows: ReadingRows): void {
    const bytes = buffer.bytes;
    const start = buffer.position;
    const row = rows.size++;
    const lineBreak = bytes.indexOf(NEWLINE, start);
    const end = lineBreak > start && bytes[lineBreak - 1] === RETURN ? lineBreak - 1 : lineBreak;
    const offset = buffer.offset;
    buffer.position = lineBreak + 1;

    const object = end - start > rows.maxLine ? null : parseObject(bytes, start, end);
    if (object === null) {
      rows.reject(row, 'malformed_json', start, end - start, offset);
      return;
    }
    rows.place(row, start, end, offset);
    this.#readObject(object, rows, row);
    this.#learn(bytes, start, lineBreak + 1);
  }

  #readObject(object: Record<string, unknown>, rows: ReadingRows, row: number): void {
    let defect = 0;
    for (let field = 0; field < FIELDS.length; field++) {
      const value = object[FIELDS[field] as string];
      let bad = 0;
      if (value === undefined || value === null) bad = MISSING[field] as number;
      else if (!isOfKind(value, field)) bad = WRONG_TYPE[field] as number;

      if (field === ID_FIELD) rows.ids[row] = bad === 0 ? this.#dictionary.codeOf(value as string) : -1;
      else (rows.numbers[field] as Float64Array)[row] = bad !== 0 ? Number.NaN : plain(value as number, field);
      if (defect === 0) defect = bad;
    }
    rows.defects[row] = defect;
    rows.time[row] = defect === 0 ? ((rows.numbers[TIME_FIELD] as Float64Array)[row] as number) : Number.NaN;
  }

  #learn(bytes: Buffer, start: number, end: number): void {
    if (this.#pause > 0) {
      this.#pause--;
      return;
    }
    const template = learnTemplate(bytes, start, end);
    if (template === null || this.#isKnown(template)) {
      this.#pauseLearning();
      return;
    }
    const place = this.#templates.length < MAX_TEMPLATES ? this.#templates.length : this.#oldest;
    const replaced = this.#templates[place];
    if (replaced !== undefined) {
      if (replaced.served < WORTHWHILE) this.#pauseLearning();
      else this.#nextPause = 1;
    }
    this.#templates[place] = { template, served: 0 };
    this.#current = place;
    this.#oldest = (place + 1) % MAX_TEMPLATES;
  }

  #pauseLearning(): void {
    this.#pause = this.#nextPause;
    this.#nextPause = Math.min(MAX_PAUSE, this.#nextPause * 2);
  }

  /** A line may have the form of a template and yet be odd: an escape in its id, a number out of the ordinary. */
  #isKnown(template: JsonTemplate): boolean {
    return this.#templates.some(
      ({ template: t }) =>
        Buffer.compare(t.tail, template.tail) === 0 &&
        sameInts(t.words, template.words) &&
        sameInts(t.steps, template.steps) &&
        sameInts(t.lengths, template.lengths),
    );
  }
}

/** A timestamp has no negative zero. */
const plain = (value: number, field: number): number => (field === TIME_FIELD ? value + 0 : value);

const sameInts = (a: Int32Array, b: Int32Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

/** The JSON object in `bytes[start, end)`, or null when that is anything else. */
function parseObject(bytes: Buffer, start: number, end: number): Record<string, unknown> | null {
  // An object begins and ends with braces. This spares most garbage the cost of an exception.
  let first = start;
  while (first < end && isSpace(bytes[first])) first++;
  let last = end - 1;
  while (last > first && isSpace(bytes[last])) last--;
  if (bytes[first] !== OPEN || bytes[last] !== CLOSE || last <= first) return null;
  const line = bytes.subarray(start, end);
  if (!isUtf8(line)) return null;
  // Of an error only that it happened is of interest; a stack trace would cost more than the parsing.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return JSON.parse(line.toString('utf8')) as Record<string, unknown>;
  } catch {
    return null;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const isSpace = (c: number | undefined): boolean => c === 32 || c === 9 || c === 13 || c === 10;

function isOfKind(value: unknown, field: number): boolean {
  switch (FIELD_KINDS[field]) {
    case 'id':
      return typeof value === 'string' && !isBlank(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return Number.isFinite(value);
  }
}

const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word));

/** Position behind `true`, `false` or `null`, or -1. */
function skipWord(bytes: Uint8Array, at: number): number {
  for (const word of WORDS) {
    let i = 0;
    while (i < word.length && bytes[at + i] === word[i]) i++;
    if (i === word.length) return at + i;
  }
  return -1;
}
