/**
 * Where bytes come from: a plain file, read by position straight from the page cache, or a stream (standard input, a pipe, gzip) with
 * back-pressure. Both fill memory of the caller and never block for long: a read from the page cache is a copy.
 */

import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { type Readable, Transform } from 'node:stream';
import { isatty, ReadStream } from 'node:tty';
import { createGunzip } from 'node:zlib';
import { messageOf, WeirError } from '#base/errors.ts';

/** `ByteInput.read`: nothing now; `wake` will be called. */
export const NOTHING_YET = -1;
/** `ByteInput.read`: no byte will ever come again. */
export const AT_END = 0;

export interface ByteInput {
  /** Copies up to `length` bytes to `target[at ..]`; how many, `NOTHING_YET` or `AT_END`. Throws a `WeirError` when reading fails. */
  read(target: Uint8Array, at: number, length: number): number;
  /** Bytes taken from the file so far: of a compressed one, compressed bytes. */
  readonly bytesRead: number;
  close(): void;
}

export class PlainInput implements ByteInput {
  readonly #name: string;
  readonly #fd: number;
  #position: number;
  bytesRead = 0;

  constructor(path: string, name: string, begin: number) {
    this.#name = name;
    this.#position = begin;
    try {
      this.#fd = openSync(path, 'r');
    } catch (error) {
      throw readError(name, error);
    }
  }

  read(target: Uint8Array, at: number, length: number): number {
    let count: number;
    try {
      count = readSync(this.#fd, target, at, length, this.#position);
    } catch (error) {
      throw readError(this.#name, error);
    }
    this.#position += count;
    this.bytesRead += count;
    return count;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Chunks held before the stream is told to stop; it may still push what it has under way. */
const MAX_HELD = 1 << 20;

export class StreamInput implements ByteInput {
  readonly #name: string;
  readonly #stream: Readable;
  readonly #consumed: () => number;
  #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that are taken. */
  #taken = 0;
  #held = 0;
  #ended = false;
  #error: unknown = null;

  /** `consumed`: bytes taken from the file so far. `wake` is called when `read` has something to say again. */
  constructor(stream: Readable, name: string, consumed: (() => number) | null, wake: () => void) {
    this.#name = name;
    this.#stream = stream;
    let arrived = 0;
    this.#consumed = consumed ?? (() => arrived);
    stream.on('data', (chunk: Uint8Array) => {
      if (chunk.length === 0) return;
      arrived += chunk.length;
      this.#chunks.push(chunk);
      this.#held += chunk.length;
      if (this.#held >= MAX_HELD) stream.pause();
      wake();
    });
    stream.on('end', () => {
      this.#ended = true;
      wake();
    });
    stream.on('error', (error) => {
      this.#error ??= error;
      wake();
    });
  }

  get bytesRead(): number {
    return this.#consumed();
  }

  /** What arrived before an error is read before it is thrown. */
  read(target: Uint8Array, at: number, length: number): number {
    let count = 0;
    while (count < length) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = Math.min(length - count, chunk.length - this.#taken);
      target.set(chunk.subarray(this.#taken, this.#taken + part), at + count);
      count += part;
      this.#taken += part;
      if (this.#taken === chunk.length) {
        this.#chunks.shift();
        this.#taken = 0;
      }
    }
    this.#held -= count;
    if (this.#held < MAX_HELD / 2 && this.#stream.isPaused()) this.#stream.resume();
    if (count > 0) return count;
    if (this.#error !== null) throw readError(this.#name, this.#error);
    return this.#ended ? AT_END : NOTHING_YET;
  }

  close(): void {
    this.#chunks = [];
    this.#stream.destroy();
  }
}

const PIECE = 1 << 18;

/** Opens a file that cannot be read by position. */
export function openStreamInput(path: string, name: string, gzip: boolean, wake: () => void): StreamInput {
  const stream = path === '-' ? standardInput() : createReadStream(path, { highWaterMark: PIECE });
  if (!gzip) return new StreamInput(stream, name, null, wake);
  let taken = 0;
  const counter = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      taken += chunk.length;
      done(null, chunk);
    },
  });
  const gunzip = createGunzip({ chunkSize: PIECE });
  const input = new StreamInput(gunzip, name, () => taken, wake);
  // `pipe` passes on neither errors nor the end of a destroyed stream.
  stream.on('error', (error: Error) => gunzip.destroy(error));
  gunzip.on('close', () => stream.destroy());
  stream.pipe(counter).pipe(gunzip);
  return input;
}

/**
 * Standard input by what it is. A pipe goes through the event loop: reading it in the thread pool would leave a read hanging that nobody
 * can cancel. `process.stdin` is no help: in a worker it is empty.
 */
function standardInput(): Readable {
  if (isatty(0)) return new ReadStream(0);
  const stats = fstatSync(0);
  if (stats.isFIFO() || stats.isSocket()) return new Socket({ fd: 0, readable: true, writable: false });
  return createReadStream('', { fd: 0, autoClose: false, highWaterMark: PIECE });
}

function readError(name: string, cause: unknown): WeirError {
  return new WeirError('INPUT_READ', `${name}: reading failed, ${messageOf(cause)}`, { cause });
}
