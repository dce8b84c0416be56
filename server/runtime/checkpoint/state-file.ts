/**
 * How the state of a subtask lies in a file.
 *
 *   [bytes of state]* [index of operator 1] [index of operator 2] …
 *
 * State comes in sections: one or several per key group, each a block that can be read by itself, and one for what belongs to the operator itself
 * (its watermark, its lists). The index of an operator tells for each section where its bytes are: pieces of this file, and of older files that already had them. Whoever restores reads
 * the index of the operators it runs, and of the sections only those of its own key groups.
 */

import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { OwnSnapshot } from '#engine/state/snapshot.ts';
import { ByteReader, ByteWriter } from '#engine/state/value-codec.ts';
import { CorruptState } from './storage-error.ts';

/** A run of bytes. */
export interface Extent {
  /** 0: the file of the index; from 1 on: those of `SubtaskStateHandle.shared`. */
  readonly file: number;
  readonly offset: number;
  readonly length: number;
}

export interface Section {
  /** Key group, or `OWN`. */
  readonly group: number;
  readonly length: number;
  /** What its bytes are compared with when they are read: `digestOf`, or `checksumsOf`. */
  readonly digest: Uint8Array;
  readonly extents: readonly Extent[];
}

/** The section of what belongs to no key. */
export const OWN = -1;
const DIGEST_BYTES = 16;
const CRC_BYTES = 4;
const LITTLE_ENDIAN = true;
const TWO_32 = 2 ** 32;

/** Tells bytes apart: the first half of their SHA-256. */
export function digestOf(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer').subarray(0, DIGEST_BYTES);
}

/**
 * The same for bytes that nobody will compare with others: the checksum of the file in front of them, and with them. It comes with that of the
 * whole file, where a digest would cost twice as much again.
 */
export function checksumsOf(before: number, after: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * CRC_BYTES));
  view.setUint32(0, before, LITTLE_ENDIAN);
  view.setUint32(CRC_BYTES, after, LITTLE_ENDIAN);
  return new Uint8Array(view.buffer);
}

/** Whether these are the bytes that the section was written with. */
export function isIntact(bytes: Uint8Array, { digest, length }: Pick<Section, 'digest' | 'length'>): boolean {
  if (bytes.length !== length) return false;
  if (digest.length === DIGEST_BYTES) return sameBytes(digestOf(bytes), digest);
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
  return crc32(bytes, view.getUint32(0, LITTLE_ENDIAN)) === view.getUint32(CRC_BYTES, LITTLE_ENDIAN);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The section of what belongs to the operator itself. */
export function encodeOwn({ watermark, operator }: OwnSnapshot): Uint8Array {
  const own = new ByteWriter();
  own.value({ watermark, operator });
  return own.take();
}

/** What `encodeOwn` made bytes of. */
export function decodeOwn(bytes: Uint8Array): OwnSnapshot {
  return new ByteReader(bytes).value() as OwnSnapshot;
}

export function encodeIndex(sections: readonly Section[]): Uint8Array {
  const to = new ByteWriter(1024);
  to.varint(sections.length);
  for (const { group, length, digest, extents } of sections) {
    to.varint(group - OWN);
    whole(to, length);
    to.bytes(digest);
    to.varint(extents.length);
    for (const { file, offset, length: run } of extents) {
      to.varint(file);
      whole(to, offset);
      whole(to, run);
    }
  }
  const index = new Uint8Array(to.length + CRC_BYTES);
  index.set(to.written());
  new DataView(index.buffer).setUint32(to.length, crc32(to.written()), LITTLE_ENDIAN);
  return index;
}

/** `where`: names the file and the operator, for errors. */
export function decodeIndex(bytes: Uint8Array, where: string): Section[] {
  const body = bytes.subarray(0, Math.max(0, bytes.length - CRC_BYTES));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < CRC_BYTES || crc32(body) !== view.getUint32(body.length, LITTLE_ENDIAN)) {
    throw new CorruptState(`${where}: the index is damaged (its checksum is wrong).`);
  }
  const from = new ByteReader(body);
  return Array.from({ length: from.varint() }, () => {
    const group = from.varint() + OWN;
    const length = readWhole(from);
    const digest = from.bytes();
    const extents = Array.from({ length: from.varint() }, () => {
      return { file: from.varint(), offset: readWhole(from), length: readWhole(from) };
    });
    return { group, length, digest, extents };
  });
}

/** A whole number from 0 to 2^53. Nearly all are below 2^31 and take what a varint takes. */
function whole(to: ByteWriter, value: number): void {
  const large = value >= TWO_32 / 2;
  to.varint((value % (TWO_32 / 2)) * 2 + (large ? 1 : 0));
  if (large) to.varint(Math.floor(value / (TWO_32 / 2)));
}

function readWhole(from: ByteReader): number {
  const low = from.varint();
  return (low >>> 1) + (low % 2 === 1 ? from.varint() * (TWO_32 / 2) : 0);
}
