/**
 * Plain data as bytes and back. The format describes itself, so that state can be read before anybody has said what it is, and is the same
 * on every machine: what a snapshot holds, and what a backend on disk stores.
 *
 * Numbers keep their bits (-0, NaN, Infinity), strings any UTF-16, objects and maps their order. Functions, symbols and instances of classes
 * other than Date, Map, Set and Uint8Array are refused.
 */

import { WeirError } from '#base/errors.ts';

const Tag = {
  NULL: 0,
  UNDEFINED: 1,
  FALSE: 2,
  TRUE: 3,
  /** 32-bit integer. */
  INT: 4,
  F64: 5,
  STRING: 6,
  BYTES: 7,
  ARRAY: 8,
  OBJECT: 9,
  MAP: 10,
  SET: 11,
  DATE: 12,
  BIGINT: 13,
} as const;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** A buffer that grows. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What was written, valid until the next write. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Begins anew. */
  clear(): void {
    this.length = 0;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  #reserve(more: number): void {
    const need = this.length + more;
    if (need <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** A whole number from 0 to 2^32 - 1, in 1 to 5 bytes. */
  varint(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.length++] = rest;
  }

  /** 0 to 255. */
  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  /** A whole number of 32 bits with sign, as its decimal digits. */
  digits(value: number): void {
    this.#reserve(11);
    let rest = value;
    if (rest < 0) {
      this.#bytes[this.length++] = 0x2d;
      rest = -rest;
    }
    let end = this.length + 1;
    for (let bound = 10; bound <= rest; bound *= 10) end++;
    for (let at = end; at > this.length; ) {
      const tenth = Math.floor(rest / 10);
      this.#bytes[--at] = 0x30 + rest - tenth * 10;
      rest = tenth;
    }
    this.length = end;
  }

  /** Copies what was written from there on, as much as there is room for. */
  copy(from: number, into: Uint8Array): void {
    const bytes = this.#bytes;
    for (let i = 0; i < into.length; i++) into[i] = bytes[from + i] as number;
  }

  /** A part of what was written, valid until the next write. */
  part(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** What is written from here to `end` stands behind its length. */
  begin(): number {
    this.#reserve(1);
    return ++this.length;
  }

  /** `from`: what `begin` gave. As `bytes` has it, or as `string` has UTF-8. */
  end(from: number, as: 'bytes' | 'text' = 'bytes'): void {
    const { length } = this;
    const written = (length - from) * (as === 'text' ? 2 : 1);
    if (written < 128) {
      this.#bytes[from - 1] = written;
      return;
    }
    // The length takes more than the byte that was left for it.
    let moved = 0;
    for (let rest = written; rest > 127; rest >>>= 7) moved++;
    this.#reserve(moved);
    this.#bytes.copyWithin(from + moved, from, length);
    this.length = from - 1;
    this.varint(written);
    this.length = length + moved;
  }

  /** Without their length. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    const { length } = value;
    const bytes = this.#bytes;
    if (length > 64) bytes.set(value, this.length);
    else for (let i = 0; i < length; i++) bytes[this.length + i] = value[i] as number;
    this.length += length;
  }

  /** UTF-8; UTF-16 units where lone surrogates leave no other way. The lowest bit of the length says which. */
  string(value: string): void {
    if (this.#ascii(value)) return;
    if (value.isWellFormed()) {
      this.#reserve(value.length * 3 + 5);
      // The length comes first, and takes mostly as many bytes as it would for ASCII.
      const start = this.length;
      this.varint(value.length * 2);
      const text = this.length;
      const { written } = utf8.encodeInto(value, this.#bytes.subarray(text));
      this.length = start;
      this.varint(written * 2);
      if (this.length > text) utf8.encodeInto(value, this.#bytes.subarray(this.length));
      this.length += written;
      return;
    }
    this.varint(value.length * 2 + 1);
    this.#reserve(value.length * 2);
    for (let i = 0; i < value.length; i++) {
      this.#view.setUint16(this.length, value.charCodeAt(i), true);
      this.length += 2;
    }
  }

  /** Keys and names are mostly short and ASCII: an encoder costs many times more than these few bytes. False: this one is not. */
  #ascii(value: string): boolean {
    const { length } = value;
    if (length > 63) return false;
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    const start = this.length + 1;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 127) return false;
      bytes[start + i] = unit;
    }
    bytes[start - 1] = length << 1;
    this.length = start + length;
    return true;
  }

  value(value: unknown): void {
    switch (typeof value) {
      case 'number':
        this.#number(value);
        return;
      case 'string':
        this.varint(Tag.STRING);
        this.string(value);
        return;
      case 'boolean':
        this.varint(value ? Tag.TRUE : Tag.FALSE);
        return;
      case 'undefined':
        this.varint(Tag.UNDEFINED);
        return;
      case 'bigint':
        this.varint(Tag.BIGINT);
        this.string(String(value));
        return;
      case 'object':
        if (value === null) this.varint(Tag.NULL);
        else this.#object(value);
        return;
      default:
        throw notPlain(typeof value);
    }
  }

  #number(value: number): void {
    if ((value | 0) === value && !Object.is(value, -0)) {
      this.varint(Tag.INT);
      this.varint(((value << 1) ^ (value >> 31)) >>> 0);
    } else {
      this.varint(Tag.F64);
      this.f64(value);
    }
  }

  #object(value: object): void {
    if (Array.isArray(value)) {
      this.varint(Tag.ARRAY);
      this.varint(value.length);
      for (const item of value) this.value(item);
    } else if (value instanceof Map) {
      this.varint(Tag.MAP);
      this.varint(value.size);
      for (const [key, item] of value) {
        this.value(key);
        this.value(item);
      }
    } else if (value instanceof Uint8Array) {
      this.varint(Tag.BYTES);
      this.bytes(value);
    } else if (value instanceof Set) {
      this.varint(Tag.SET);
      this.varint(value.size);
      for (const item of value) this.value(item);
    } else if (value instanceof Date) {
      this.varint(Tag.DATE);
      this.f64(value.getTime());
    } else {
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null) throw notPlain(value.constructor.name);
      const names = Object.keys(value);
      this.varint(Tag.OBJECT);
      this.varint(names.length);
      for (const name of names) {
        this.string(name);
        this.value((value as Record<string, unknown>)[name]);
      }
    }
  }
}

function notPlain(what: string): WeirError {
  return new WeirError(
    'STATE_VALUE',
    `State holds plain data (null, booleans, numbers, bigints, strings, Uint8Array, Date, arrays, plain objects, Map, Set), not a ${what}.`,
  );
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  /** Made when it is needed: that costs more than reading a small record. */
  #viewed: DataView | null = null;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get #view(): DataView {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    this.#viewed ??= new DataView(buffer, byteOffset, byteLength);
    return this.#viewed;
  }

  get done(): boolean {
    return this.at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw new RangeError('State ends in the middle of a number.');
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  f64(): number {
    const value = this.#view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  /** A view: copy what is to stay. */
  bytes(): Uint8Array {
    const length = this.varint();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  string(): string {
    const header = this.varint();
    const length = header >>> 1;
    if (length === 0) return '';
    if ((header & 1) === 0) {
      this.at += length;
      return fromUtf8.decode(this.#bytes.subarray(this.at - length, this.at));
    }
    let text = '';
    for (let i = 0; i < length; i++, this.at += 2) text += String.fromCharCode(this.#view.getUint16(this.at, true));
    return text;
  }

  value(): unknown {
    const tag = this.varint();
    switch (tag) {
      case Tag.NULL:
        return null;
      case Tag.UNDEFINED:
        return undefined;
      case Tag.FALSE:
        return false;
      case Tag.TRUE:
        return true;
      case Tag.INT: {
        const folded = this.varint();
        return (folded >>> 1) ^ -(folded & 1);
      }
      case Tag.F64:
        return this.f64();
      case Tag.STRING:
        return this.string();
      case Tag.BYTES:
        return this.bytes().slice();
      case Tag.ARRAY:
        return this.#items();
      case Tag.OBJECT:
        return this.#record();
      case Tag.MAP: {
        const size = this.varint();
        const map = new Map<unknown, unknown>();
        for (let i = 0; i < size; i++) map.set(this.value(), this.value());
        return map;
      }
      case Tag.SET:
        return new Set(this.#items());
      case Tag.DATE:
        return new Date(this.f64());
      case Tag.BIGINT:
        return BigInt(this.string());
      default:
        throw new WeirError('STATE_FORMAT', `State cannot be read: unknown tag ${tag} at byte ${this.at - 1}.`);
    }
  }

  #items(): unknown[] {
    const length = this.varint();
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.value());
    return items;
  }

  #record(): Record<string, unknown> {
    const size = this.varint();
    const record: Record<string, unknown> = {};
    for (let i = 0; i < size; i++) {
      const name = this.string();
      const value = this.value();
      // Assigning would change the prototype.
      if (name === '__proto__')
        Object.defineProperty(record, name, { value, enumerable: true, writable: true, configurable: true });
      else record[name] = value;
    }
    return record;
  }
}
