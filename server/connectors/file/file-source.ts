/** Readings from files: the source, and its enumerator, which deals splits on request and adds up how much was read. */

import type { Enumerator, EnumeratorContext, ReaderContext, Source, SourceReader } from '#engine/io/source.ts';
import { RawReading } from '../iot/reading.ts';
import { FileReader, type ProgressEvent } from './file-reader.ts';
import { type FileSplit, splitFiles } from './file-splits.ts';
import {
  DEFAULT_BLOCK_SIZE,
  DEFAULT_MAX_LINE,
  type FileInput,
  type FileSourceOptions,
  openFileInput,
} from './open-input.ts';

/** How much of the input was read; in bytes on disk, so of a compressed file in compressed bytes. */
export interface FileProgress {
  readonly bytes: number;
  /** Null when nobody knows: standard input, pipes. */
  readonly totalBytes: number | null;
}

export class FileSource implements Source<typeof RawReading.fields, FileSplit> {
  readonly schema = RawReading;
  readonly bounded = true;
  readonly options: FileSourceOptions;
  #input: FileInput | null = null;
  #progress: FileProgress = { bytes: 0, totalBytes: null };
  readonly #listeners: ((progress: FileProgress) => void)[] = [];

  /** Nothing is opened yet: workers build sources too. */
  constructor(options: FileSourceOptions) {
    this.options = options;
  }

  /** Checks the input (`openFileInput`); to be called before the job starts if errors are to stop it then. Main thread. */
  open(): FileInput {
    this.#input ??= openFileInput(this.options);
    return this.#input;
  }

  /** Of the instance whose enumerator runs: on the main thread. */
  get progress(): FileProgress {
    return this.#progress;
  }

  /** Called with every change, at most five times a second per reader. Main thread. */
  onProgress(listener: (progress: FileProgress) => void): void {
    this.#listeners.push(listener);
  }

  createEnumerator(context: EnumeratorContext<FileSplit>): Enumerator {
    const input = this.open();
    const report = (read: number) => {
      // A line across the border of two blocks is read twice.
      const bytes = Math.min(read, input.totalBytes ?? read);
      this.#progress = { bytes, totalBytes: input.totalBytes };
      for (const listener of this.#listeners) listener(this.#progress);
    };
    report(0);
    return new FileEnumerator(context, input, this.options.blockSize ?? DEFAULT_BLOCK_SIZE, report);
  }

  createReader(context: ReaderContext): SourceReader<FileSplit> {
    return new FileReader(context, this.options.maxLine ?? DEFAULT_MAX_LINE);
  }
}

class FileEnumerator implements Enumerator {
  readonly #context: EnumeratorContext<FileSplit>;
  readonly #splits: Generator<FileSplit, void, void>;
  readonly #report: (bytes: number) => void;
  /** Bytes read by each reader. */
  readonly #bytes: number[] = [];

  constructor(
    context: EnumeratorContext<FileSplit>,
    input: FileInput,
    blockSize: number,
    report: (bytes: number) => void,
  ) {
    this.#context = context;
    this.#splits = splitFiles(input.files, context.parallelism, blockSize);
    this.#report = report;
  }

  start(): void {}

  onSplitRequest(subtask: number): void {
    try {
      const next = this.#splits.next();
      if (next.done === true) this.#context.noMoreSplits(subtask);
      else this.#context.assign(subtask, next.value);
    } catch (error) {
      this.#context.fail(error);
    }
  }

  onReaderEvent(subtask: number, event: unknown): void {
    if (!isProgress(event)) return;
    this.#bytes[subtask] = event.bytes;
    this.#report(this.#bytes.reduce((sum, bytes) => sum + bytes, 0));
  }

  close(): void {
    this.#splits.return();
  }
}

function isProgress(event: unknown): event is ProgressEvent {
  return (
    typeof event === 'object' &&
    event !== null &&
    'type' in event &&
    event.type === 'progress' &&
    'bytes' in event &&
    typeof event.bytes === 'number'
  );
}
