/**
 * Rows to part files: each subtask writes parts of its own, begun with the first row and handed over by `prepareCommit`. A part becomes visible
 * when it is committed, whole. Bound: a buffer of 256 KiB and the longest row.
 *
 * The directory belongs to the sink, as far as names of its parts go (`part-files.ts`): a job that begins anew hides those that it finds.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { messageOf, WeirError } from '#base/errors.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import {
  type FailedWriters,
  NO_OBSTACLES,
  type Obstacles,
  type Sink,
  type SinkRecovery,
  type SinkWriter,
  type WriterContext,
} from '#engine/io/sink.ts';
import type { Eventually } from '#engine/state/keyed-state.ts';
import { PieceCounter } from '../piece-numbers.ts';
import type { OutputFormat, RowEncoder } from './format.ts';
import { OutputBuffer } from './output-buffer.ts';
import { codeOf, nodeDisk, type OutputDisk, type OutputFile } from './output-disk.ts';
import { damageOfParts, PartCommitter, recoverParts } from './part-committer.ts';
import { nextPart, type Part, partName, type StagedPart, stagedName } from './part-files.ts';
import { type PartWriterState, WrittenParts } from './written-parts.ts';

export interface FileSinkOptions {
  /** Made if it is not there. */
  readonly directory: string;
  /** Of file names; default `part`. */
  readonly prefix?: string;
  readonly format: OutputFormat;
  /** Default: the machine's. */
  readonly disk?: OutputDisk;
}

/** Bytes held back before they are written. */
const WRITE_SIZE = 256 * 1024;
/** Room for rows beyond, so that the buffer seldom grows. */
const HEADROOM = 16 * 1024;

export class FileSink implements Sink<StagedPart, PartWriterState> {
  readonly #options: Required<FileSinkOptions>;
  /** The machine may have crashed since it was written to: not when this process has looked before. */
  #looked = false;

  constructor({ prefix = 'part', disk = nodeDisk, ...options }: FileSinkOptions) {
    this.#options = { prefix, disk, ...options };
  }

  createWriter(context: WriterContext<PartWriterState>): PartWriter {
    return new PartWriter(this.#options, context);
  }

  createCommitter(): PartCommitter {
    return new PartCommitter(this.#options.directory, this.#options.disk);
  }

  /** Parts that were made visible with a later checkpoint can be withdrawn: nothing of them is ever there twice. */
  async check({ committables }: SinkRecovery<StagedPart, PartWriterState>): Promise<Obstacles> {
    const { directory, disk } = this.#options;
    return { ...NO_OBSTACLES, damage: await damageOfParts(disk, directory, committables, !this.#looked) };
  }

  async recover(
    restored: SinkRecovery<StagedPart, PartWriterState> | null,
    savepoints: () => Promise<readonly StagedPart[] | null>,
  ): Promise<string[]> {
    const { directory, disk } = this.#options;
    const handed = restored?.committables ?? [];
    const owns = (part: Part): boolean => this.#owns(part);
    const look = !this.#looked;
    const notes = await recoverParts(disk, directory, { owns, handed, restored, savepoints, look });
    this.#looked = true;
    return notes;
  }

  /** Parts of the others are being renamed meanwhile. */
  recoverWriters(
    restored: SinkRecovery<StagedPart, PartWriterState> | null,
    { subtasks, committables: handed }: FailedWriters<StagedPart>,
    savepoints: () => Promise<readonly StagedPart[] | null>,
  ): Promise<string[]> {
    const { directory, disk } = this.#options;
    const owns = (part: Part): boolean => this.#owns(part) && subtasks.has(part.subtask);
    return recoverParts(disk, directory, { owns, handed, restored, savepoints, look: false });
  }

  #owns({ prefix, extension }: Part): boolean {
    return prefix === this.#options.prefix && extension === this.#options.format.extension;
  }
}

export class PartWriter implements SinkWriter<StagedPart, PartWriterState> {
  readonly #options: Required<FileSinkOptions>;
  readonly #context: WriterContext<PartWriterState>;
  readonly #encoder: RowEncoder;
  readonly #out = new OutputBuffer(WRITE_SIZE + HEADROOM);
  readonly #numbers: PieceCounter;
  /** The directory is there, and no number in it is used again. */
  #ready = false;
  readonly #written: WrittenParts;
  #part: { readonly name: string; readonly file: OutputFile; bytes: number; checksum: number } | null = null;

  constructor(options: Required<FileSinkOptions>, context: WriterContext<PartWriterState>) {
    this.#options = options;
    this.#context = context;
    this.#encoder = options.format.createEncoder(context.schema);
    const { subtask, parallelism, restored } = context;
    this.#numbers = new PieceCounter({ subtask, parallelism, restored: restored.map(({ numbers }) => numbers) });
    this.#written = new WrittenParts(context);
    this.#look().catch((error: Error) => context.fail(error));
  }

  async #look(): Promise<void> {
    const { directory, disk, prefix } = this.#options;
    const names = await later(directory, 'cannot be used for output', async () => {
      await disk.makeDirectory(directory);
      return disk.list(directory);
    });
    this.#numbers.skipTo(nextPart(names, prefix, this.#context.subtask));
    this.#ready = true;
    this.#context.wake();
  }

  ready(): boolean {
    return this.#ready;
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

  /** Later, because what takes long is the disk: the task goes on meanwhile, with the next part. */
  prepareCommit(): Eventually<StagedPart[]> {
    const part = this.#part;
    if (part === null) return [];
    this.#flush();
    this.#part = null;
    const { directory, disk } = this.#options;
    const staged = { name: part.name, bytes: part.bytes, checksum: part.checksum };
    this.#written.add(staged);
    return later(join(directory, stagedName(part.name)), 'cannot be synced', async () => {
      await part.file.sync();
      part.file.close();
      await disk.syncDirectory(directory);
      return [staged];
    });
  }

  snapshot(): PartWriterState {
    return { numbers: this.#numbers.snapshot(), ...this.#written.snapshot() };
  }

  /** What cannot be removed stays hidden until the job, or another one, begins in this directory. */
  close(): void {
    const part = this.#part;
    this.#part = null;
    this.#out.length = 0;
    try {
      part?.file.discard();
    } catch {
      // As said above.
    }
  }

  #begin(): void {
    const { directory, prefix, format, disk } = this.#options;
    const name = partName(prefix, this.#context.subtask, this.#numbers.take(), format.extension);
    const path = join(directory, stagedName(name));
    const file = attempt(path, 'cannot be created', () => disk.create(path));
    this.#part = { name, file, bytes: 0, checksum: 0 };
    this.#out.length = 0;
    this.#out.append(this.#encoder.header);
  }

  #flush(): void {
    const part = this.#part;
    if (part === null) return;
    const { bytes, length } = this.#out;
    const rows = bytes.subarray(0, length);
    attempt(join(this.#options.directory, stagedName(part.name)), 'cannot be written', () => part.file.write(rows));
    part.bytes += length;
    part.checksum = crc32(rows, part.checksum);
    this.#out.length = 0;
  }
}

function attempt<T>(path: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw failure(path, what, error);
  }
}

async function later<T>(path: string, what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw failure(path, what, error);
  }
}

function failure(path: string, what: string, error: unknown): WeirError {
  const why = codeOf(error) === 'ENOSPC' ? 'the disk is full' : messageOf(error);
  return new WeirError('OUTPUT_WRITE', `${path} ${what}: ${why}.`, { cause: error });
}
