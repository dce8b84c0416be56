/**
 * Rows to part files: each subtask writes parts of its own, begun with the first row and handed over by `prepareCommit`. Bound: a buffer of
 * 256 KiB and the longest row.
 */

import { closeSync, fsyncSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { messageOf, WeirError } from '#base/errors.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Sink, SinkWriter, WriterContext } from '#engine/io/sink.ts';
import type { OutputFormat, RowEncoder } from './format.ts';
import { OutputBuffer } from './output-buffer.ts';
import { nextPart, PartCommitter, partPaths, type StagedPart } from './part-files.ts';

export interface FileSinkOptions {
  /** Made if it is not there. */
  readonly directory: string;
  /** Of file names; default `part`. */
  readonly prefix?: string;
  readonly format: OutputFormat;
}

/** Bytes held back before they are written. */
const WRITE_SIZE = 256 * 1024;
/** Room for rows beyond, so that the buffer seldom grows. */
const HEADROOM = 16 * 1024;

export class FileSink implements Sink<StagedPart> {
  readonly #options: FileSinkOptions;

  constructor(options: FileSinkOptions) {
    this.#options = options;
  }

  createWriter(context: WriterContext): PartWriter {
    return new PartWriter(this.#options, context);
  }

  createCommitter(): PartCommitter {
    return new PartCommitter();
  }
}

export class PartWriter implements SinkWriter<StagedPart> {
  readonly #directory: string;
  readonly #prefix: string;
  readonly #subtask: number;
  readonly #extension: string;
  readonly #encoder: RowEncoder;
  readonly #out = new OutputBuffer(WRITE_SIZE + HEADROOM);
  #next: number;
  #part: StagedPart | null = null;
  #fd = -1;

  constructor({ directory, prefix = 'part', format }: FileSinkOptions, { subtask, schema }: WriterContext) {
    this.#directory = directory;
    this.#prefix = prefix;
    this.#subtask = subtask;
    this.#extension = format.extension;
    this.#encoder = format.createEncoder(schema);
    this.#next = attempt(directory, 'cannot be used for output', () => {
      mkdirSync(directory, { recursive: true });
      return nextPart(directory, prefix, subtask);
    });
  }

  write(batch: RecordBatch): void {
    const count = batch.count;
    if (count === 0) return;
    if (this.#part === null) this.#begin();
    const out = this.#out;
    const encoder = this.#encoder;
    const { selection } = batch;
    encoder.bind(batch);
    for (let i = 0; i < count; i++) {
      encoder.encode(out, selection === null ? i : (selection[i] as number));
      if (out.length >= WRITE_SIZE) this.#flush();
    }
  }

  prepareCommit(): StagedPart[] {
    const part = this.#part;
    if (part === null) return [];
    this.#flush();
    attempt(part.staged, 'cannot be synced', () => fsyncSync(this.#fd));
    this.#closeFile();
    return [part];
  }

  close(): void {
    const part = this.#part;
    if (part === null) return;
    this.#closeFile();
    this.#out.length = 0;
    attempt(part.staged, 'cannot be removed', () => unlinkSync(part.staged));
  }

  #begin(): void {
    const part = partPaths(this.#directory, this.#prefix, this.#subtask, this.#next++, this.#extension);
    this.#fd = attempt(part.staged, 'cannot be created', () => openSync(part.staged, 'wx'));
    this.#part = part;
    this.#out.length = 0;
    this.#out.append(this.#encoder.header);
  }

  #flush(): void {
    const { bytes, length } = this.#out;
    attempt(this.#part?.staged ?? this.#directory, 'cannot be written', () => {
      for (let written = 0; written < length; ) written += writeSync(this.#fd, bytes, written, length - written);
    });
    this.#out.length = 0;
  }

  #closeFile(): void {
    closeSync(this.#fd);
    this.#fd = -1;
    this.#part = null;
  }
}

function attempt<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
    const why = full ? 'the disk is full' : messageOf(error);
    throw new WeirError('OUTPUT_WRITE', `${path} ${what}: ${why}.`, { cause: error });
  }
}
