/** Rows and numbers as bytes, for state that is taken along: little endian, strings as Latin-1 or UTF-16 (lone surrogates stay what they are). */

import type { Schema } from './schema.ts';

const START_BYTES = 256;
/** The largest unit of a string that one byte holds. */
const LATIN_1 = 255;

export class ByteWriter {
  #bytes = new Uint8Array(START_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;

  u8(value: number): void {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  i32(value: number): void {
    const at = this.#room(4);
    this.#view.setInt32(at, value, true);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(at, value, true);
  }

  /** One byte per unit where that is enough, else two; the lowest bit of the length says which. */
  text(value: string): void {
    const { length } = value;
    let units = 0;
    for (let i = 0; i < length; i++) units |= value.charCodeAt(i);
    const wide = units > LATIN_1;
    this.#varint(length * 2 + (wide ? 1 : 0));
    const at = this.#room(wide ? length * 2 : length);
    if (wide) for (let i = 0; i < length; i++) this.#view.setUint16(at + 2 * i, value.charCodeAt(i), true);
    else for (let i = 0; i < length; i++) this.#bytes[at + i] = value.charCodeAt(i);
  }

  /** A whole number from 0 to 2^32 - 1, in 1 to 5 bytes. */
  #varint(value: number): void {
    let rest = value;
    for (; rest > 127; rest >>>= 7) this.u8((rest & 127) | 128);
    this.u8(rest);
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
  }

  /** Without their length. */
  raw(value: Uint8Array): void {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
  }

  /** A copy of what was written. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  /** What was written, valid until the next write. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Begins anew. */
  clear(): void {
    this.#size = 0;
  }

  /** Position of the next so many bytes; to be asked before the arrays, which it may replace. */
  #room(bytes: number): number {
    const at = this.#size;
    this.#size += bytes;
    if (this.#size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#size, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#skip(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#skip(8), true);
  }

  text(): string {
    const header = this.#varint();
    const wide = (header & 1) === 1;
    let text = '';
    for (let i = header >>> 1; i > 0; i--)
      text += String.fromCharCode(wide ? this.#view.getUint16(this.#skip(2), true) : this.u8());
    return text;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.#skip(length);
    return this.#bytes.slice(at, at + length);
  }

  #skip(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}

/** The fields of the schema, in its order; a nullable one behind a byte that says whether there is a value. */
export function writeRow(schema: Schema, row: Readonly<Record<string, unknown>>, to: ByteWriter): void {
  for (const { name, kind, nullable } of schema.columns) {
    const value = row[name];
    if (nullable) {
      to.u8(value === null ? 0 : 1);
      if (value === null) continue;
    }
    if (kind === 'string') to.text(value as string);
    else if (kind === 'bytes') to.bytes(value as Uint8Array);
    else if (kind === 'bool') to.u8(value === true ? 1 : 0);
    else if (kind === 'i32') to.i32(value as number);
    else to.f64(value as number);
  }
}

export function readRow(schema: Schema, from: ByteReader): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const { name, kind, nullable } of schema.columns) {
    if (nullable && from.u8() === 0) row[name] = null;
    else if (kind === 'string') row[name] = from.text();
    else if (kind === 'bytes') row[name] = from.bytes();
    else if (kind === 'bool') row[name] = from.u8() === 1;
    else if (kind === 'i32') row[name] = from.i32();
    else row[name] = from.f64();
  }
  return row;
}
