/** Readings from files: the source, and its enumerator, which deals splits on request and adds up how much was read. */

import type { Enumerator, EnumeratorContext, ReaderContext, Source, SourceReader } from '#engine/io/source.ts';
import { RawReading } from '../iot/reading.ts';
import { checkUnchanged } from './file-identity.ts';
import { FileReader, type ProgressEvent } from './file-reader.ts';
import { bytesToRead, type FilePosition, type FileSplit, type NextSplit, splitFiles } from './file-splits.ts';
import {
  DEFAULT_BLOCK_SIZE,
  DEFAULT_MAX_LINE,
  type FileInput,
  type FileSourceOptions,
  type InputFile,
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
    const restored = context.restored as Undealt | null;
    for (const { path, identity } of restored?.files ?? []) if (identity !== null) checkUnchanged(path, identity);
    const { files, totalBytes } = restored ?? this.open();
    const { begin = 0, dealt = 0, back = [] } = restored ?? {};
    const undealt = { files, totalBytes, begin, dealt, back };
    const report = (read: number) => {
      // A line across the border of two blocks is read twice.
      const bytes = Math.min(read, totalBytes ?? read);
      this.#progress = { bytes, totalBytes };
      for (const listener of this.#listeners) listener(this.#progress);
    };
    report(0);
    return new FileEnumerator(context, undealt, this.options.blockSize ?? DEFAULT_BLOCK_SIZE, report);
  }

  createReader(context: ReaderContext): SourceReader<FileSplit> {
    return new FileReader(context, this.options.maxLine ?? DEFAULT_MAX_LINE);
  }
}

/** What has to be dealt yet: from a checkpoint, or all of it. Files that came into a directory since do not belong to the run. */
interface Undealt {
  readonly files: readonly InputFile[];
  /** Offset in the first of them at which the next split begins; 0: at its beginning. */
  readonly begin: number;
  /** Of the whole input. */
  readonly totalBytes: number | null;
  /** Splits of readers that had failed; not among those dealt. */
  readonly back?: readonly FileSplit[];
  /** Bytes of the splits that were dealt; what is unread of them its readers take away from it. */
  readonly dealt: number;
}

class FileEnumerator implements Enumerator {
  readonly #context: EnumeratorContext<FileSplit>;
  readonly #undealt: Undealt;
  readonly #splits: Generator<NextSplit, void, void>;
  #position: FilePosition;
  readonly #report: (bytes: number) => void;
  /** Bytes of the splits dealt before a restore. */
  readonly #before: number;
  #dealt: number;
  /** Bytes of the splits that each reader was dealt since. */
  readonly #dealtTo: number[] = [];
  /** Bytes read by each reader, since it runs. */
  readonly #bytes: number[] = [];
  /** What each had been dealt when it began to run again: it takes away what of it is unread. */
  readonly #restarted: number[] = [];
  /** Of readers that had failed, to be dealt again. */
  readonly #back: FileSplit[];

  constructor(
    context: EnumeratorContext<FileSplit>,
    undealt: Undealt,
    blockSize: number,
    report: (bytes: number) => void,
  ) {
    this.#context = context;
    this.#undealt = undealt;
    this.#before = undealt.dealt;
    this.#dealt = undealt.dealt;
    this.#back = [...(undealt.back ?? [])];
    this.#position = { file: 0, begin: undealt.begin };
    this.#splits = splitFiles(undealt.files, context.parallelism, blockSize, this.#position);
    this.#report = report;
  }

  start(): void {}

  onSplitRequest(subtask: number): void {
    try {
      const split = this.#back.shift() ?? this.#nextSplit();
      if (split === null) {
        this.#context.noMoreSplits(subtask);
        return;
      }
      this.#count(subtask, bytesToRead(split));
      this.#context.assign(subtask, split);
    } catch (error) {
      this.#context.fail(error);
    }
  }

  #nextSplit(): FileSplit | null {
    const next = this.#splits.next();
    if (next.done === true) return null;
    this.#position = next.value.next;
    return next.value.split;
  }

  #count(subtask: number, bytes: number): void {
    this.#dealt += bytes;
    this.#dealtTo[subtask] = (this.#dealtTo[subtask] ?? 0) + bytes;
  }

  /** Readers ask for what they read. */
  addSplitsBack(splits: readonly FileSplit[], subtask: number): void {
    this.#back.push(...splits);
    for (const split of splits) this.#count(subtask, -bytesToRead(split));
    this.#restarted[subtask] = this.#dealtTo[subtask] ?? 0;
    this.#bytes[subtask] = 0;
  }

  onReaderEvent(subtask: number, event: unknown): void {
    if (!isProgress(event)) return;
    this.#bytes[subtask] = event.bytes;
    const restarted = this.#restarted.reduce((sum, bytes) => sum + (bytes ?? 0), 0);
    this.#report(this.#bytes.reduce((sum, bytes) => sum + (bytes ?? 0), this.#before + restarted));
  }

  snapshot(): Undealt {
    const { files, totalBytes } = this.#undealt;
    const { file, begin } = this.#position;
    return { files: files.slice(file), begin, totalBytes, dealt: this.#dealt, back: [...this.#back] };
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
