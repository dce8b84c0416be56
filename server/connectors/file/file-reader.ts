/**
 * Reads the splits it is given, one after the other, and decodes their lines. Bound: one `LineBuffer` (a piece and the longest line) and
 * what a stream holds back; of a line beyond the limit only the first 64 KiB are kept, the rest is counted.
 */

import { UsageError } from '#base/errors.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { Poll, type ReaderContext, type SourceReader } from '#engine/io/source.ts';
import { CsvDecoder } from '../csv/csv-decoder.ts';
import { bomLength, type CsvLayout, readCsvHeader } from '../csv/csv-header.ts';
import { AT_END, type ByteInput, NOTHING_YET, openStreamInput, PlainInput } from './byte-input.ts';
import { checkUnchanged } from './file-identity.ts';
import { bytesToRead, type FileSplit } from './file-splits.ts';
import { LineBuffer } from './line-buffer.ts';
import { LongLine } from './long-line.ts';
import { NdjsonDecoder } from './ndjson-decoder.ts';
import { ReadingRows } from './reading-rows.ts';
import type { RecordDecoder } from './record-decoder.ts';

/** Bytes read at once: they stay in the second-level cache until they are decoded. */
const PIECE = 1 << 18;
/** Progress is sent at most this often, ms. */
const PROGRESS_INTERVAL = 200;

/** Bytes that this reader has read in all, less those that were still to be read of splits out of a checkpoint. */
export interface ProgressEvent {
  readonly type: 'progress';
  readonly bytes: number;
}

/** What has to happen before lines can be decoded; `skip`: what was read before the checkpoint passes by. */
type Stage = 'skip' | 'seek' | 'bom' | 'header' | 'lines';

interface OpenSplit {
  readonly split: FileSplit;
  readonly index: number;
  readonly input: ByteInput;
  stage: Stage;
  decoder: RecordDecoder | null;
  /** Columns of a CSV, once they are known. */
  csv: CsvLayout | null;
}

export class FileReader implements SourceReader<FileSplit> {
  readonly wakeAt = Number.POSITIVE_INFINITY;
  readonly #context: ReaderContext;
  readonly #maxLine: number;
  readonly #buffer = new LineBuffer(2 * PIECE);
  readonly #rows: ReadingRows;
  /** Kept from split to split: it has learned how lines look. */
  readonly #ndjson: NdjsonDecoder;
  readonly #waiting: { split: FileSplit; index: number }[] = [];
  #open: OpenSplit | null = null;
  #longLine: LongLine | null = null;
  #requested = false;
  #noMore = false;
  #bytesClosed = 0;
  #progressSent = 0;
  #progressAt = Number.NEGATIVE_INFINITY;

  constructor(context: ReaderContext, maxLine: number) {
    this.#context = context;
    this.#maxLine = maxLine;
    this.#rows = new ReadingRows(maxLine);
    this.#ndjson = new NdjsonDecoder(context.dictionary);
  }

  addSplit(split: FileSplit, index: number): void {
    this.#waiting.push({ split, index });
    if (split.resumed) this.#bytesClosed -= bytesToRead(split);
    this.#requested = false;
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#noMore = true;
    this.#context.wake();
  }

  poll(batch: RecordBatch): Poll {
    const open = this.#open ?? this.#openNext();
    if (open === null) {
      if (this.#noMore) {
        this.#sendProgress(true);
        return Poll.END;
      }
      this.#requestSplit();
      return Poll.WAIT;
    }
    // What comes behind it in the file is further ahead still: no other split is opened meanwhile.
    if (this.#context.paused.has(open.index)) return Poll.WAIT;
    const state = this.#advance(open, batch);
    this.#sendProgress(false);
    if (state !== 'finished') return state === 'waiting' ? Poll.WAIT : Poll.MORE;
    this.#closeSplit(open);
    this.#context.splitFinished(open.index);
    return Poll.MORE;
  }

  /** The open split first, so that the order stays. */
  snapshot(): readonly FileSplit[] {
    const waiting = this.#waiting.map(({ split }) => ({ ...split, resumed: true }));
    return this.#open === null ? waiting : [this.#rest(this.#open), ...waiting];
  }

  /** What is left of the split: from the first line that is not a row yet. */
  #rest({ split, stage, csv }: OpenSplit): FileSplit {
    // While nothing has been decoded it is what it was; a pipe is not, because what was taken from it is gone.
    if (stage !== 'lines') return { ...split, resumed: true, begun: split.begun || split.identity === null };
    const { offset, base, end, ownedEnd } = this.#buffer;
    return {
      ...split,
      // Of a line that is passing, none of it; of a last line without line break, no more than there is.
      begin: this.#longLine?.offset ?? Math.min(offset, base + end),
      end: ownedEnd === Number.POSITIVE_INFINITY ? null : ownedEnd,
      aligned: true,
      csv,
      resumed: true,
      begun: true,
    };
  }

  onDictionarySwept(): void {
    this.#ndjson.onDictionarySwept();
    this.#open?.decoder?.onDictionarySwept();
  }

  close(): void {
    if (this.#open !== null) this.#closeSplit(this.#open);
    this.#waiting.length = 0;
  }

  #openNext(): OpenSplit | null {
    const next = this.#waiting.shift();
    if (next === undefined) return null;
    const { split, index } = next;
    // The border before an unaligned block may be a line break itself: look from the byte before.
    const begin = split.aligned ? split.begin : split.begin - 1;
    if (split.resumed) checkResumable(split);
    // A stream can only be read from its beginning.
    const skips = split.begun && !split.plain;
    const input = split.plain
      ? new PlainInput(split.path, split.name, begin)
      : openStreamInput(split.path, split.name, split.gzip, () => this.#context.wake());
    this.#buffer.restart(skips ? 0 : begin, split.end ?? Number.POSITIVE_INFINITY);
    const stage = skips ? 'skip' : firstStage(split);
    const decoder = stage === 'header' ? null : this.#decoderOf(split);
    this.#open = { split, index, input, stage, decoder, csv: split.csv };
    return this.#open;
  }

  #decoderOf(split: FileSplit): RecordDecoder {
    return split.csv === null ? this.#ndjson : new CsvDecoder(this.#context.dictionary, split.csv);
  }

  #closeSplit(open: OpenSplit): void {
    this.#bytesClosed += open.input.bytesRead;
    open.input.close();
    this.#open = null;
    this.#longLine = null;
  }

  /** Fills the batch with what there is, reading at most one piece. */
  #advance(open: OpenSplit, batch: RecordBatch): 'rows' | 'more' | 'waiting' | 'finished' {
    const buffer = this.#buffer;
    if (this.#decode(open, batch)) return 'rows';
    if (buffer.exhausted && this.#longLine === null) return 'finished';

    buffer.compact(PIECE);
    const count = open.input.read(buffer.bytes, buffer.end, buffer.wanted(PIECE));
    if (count === NOTHING_YET) return 'waiting';
    if (count === AT_END) buffer.finish();
    else buffer.added(count);
    if (this.#longLine === null && open.stage === 'lines' && this.#lineIsTooLong()) {
      this.#longLine = new LongLine(buffer.offset);
    }
    if (this.#longLine !== null && !this.#longLine.take(buffer)) return 'more';
    this.#prepare(open);
    return this.#decode(open, batch) ? 'rows' : 'more';
  }

  /** Whether the line under way has no end within the limit, so that no more of it must be held. */
  #lineIsTooLong(): boolean {
    const { position, end, limit } = this.#buffer;
    return limit <= position && end - position >= this.#maxLine + 2;
  }

  /** Moves on to the first line. */
  #prepare(open: OpenSplit): void {
    const buffer = this.#buffer;
    if (open.stage === 'skip') {
      const { begin, name } = open.split;
      if (buffer.final && buffer.base + buffer.end < begin) {
        throw new UsageError(`${name}: has ${buffer.base + buffer.end} bytes of text and had more at the checkpoint.`);
      }
      buffer.position = Math.min(buffer.end, begin - buffer.base);
      if (buffer.offset === begin) open.stage = 'lines';
      return;
    }
    if (open.stage === 'seek') {
      const lineBreak = buffer.bytes.subarray(0, buffer.end).indexOf(10, buffer.position);
      buffer.position = lineBreak < 0 ? buffer.end : lineBreak + 1;
      if (lineBreak >= 0) open.stage = 'lines';
      return;
    }
    if (open.stage === 'bom' && (buffer.end >= 3 || buffer.final)) {
      buffer.position += bomLength(buffer.bytes.subarray(0, buffer.end));
      // No line break tells another reader of the line behind the mark: it is ours even when our block ends before it.
      buffer.ownedEnd = Math.max(buffer.ownedEnd, buffer.offset + 1);
      open.stage = 'lines';
    }
    if (open.stage === 'header') {
      const header = readCsvHeader(buffer.bytes.subarray(0, buffer.end), buffer.final, open.split.name);
      if (header === null) return;
      buffer.position = header.end;
      open.csv = header.layout;
      open.decoder = new CsvDecoder(this.#context.dictionary, header.layout);
      open.stage = 'lines';
    }
  }

  /** Whether rows were written. */
  #decode(open: OpenSplit, batch: RecordBatch): boolean {
    if (open.stage !== 'lines' || open.decoder === null) return false;
    const buffer = this.#buffer;
    const rows = this.#rows;
    let data: Uint8Array = buffer.bytes;
    const long = this.#longLine;
    if (long !== null) {
      if (!long.complete) return false;
      rows.bind(batch);
      rows.reject(rows.size++, 'malformed_json', 0, long.length, long.offset);
      data = long.head;
      this.#longLine = null;
    } else {
      if (buffer.position >= buffer.stop) return false;
      rows.bind(batch);
      open.decoder.decode(buffer, rows);
      if (rows.size === 0) return false;
    }
    rows.finish(batch, data, this.#context.dictionary.codeOf(open.split.name));
    batch.split = open.index;
    // The answer takes a while: ask before this split's last rows have gone their way.
    if (buffer.exhausted) this.#requestSplit();
    return true;
  }

  #requestSplit(): void {
    if (this.#requested || this.#noMore || this.#waiting.length > 0) return;
    this.#requested = true;
    this.#context.requestSplit();
  }

  #sendProgress(last: boolean): void {
    const bytes = this.#bytesClosed + (this.#open?.input.bytesRead ?? 0);
    if (bytes === this.#progressSent) return;
    const now = this.#context.clock.now();
    if (!last && now - this.#progressAt < PROGRESS_INTERVAL) return;
    this.#progressSent = bytes;
    this.#progressAt = now;
    const event: ProgressEvent = { type: 'progress', bytes };
    this.#context.send(event);
  }
}

function firstStage(split: FileSplit): Stage {
  if (!split.aligned) return 'seek';
  if (split.begun || split.begin > 0) return 'lines';
  return split.format === 'csv' ? 'header' : 'bom';
}

function checkResumable(split: FileSplit): void {
  if (split.identity !== null) checkUnchanged(split.path, split.identity);
  else if (split.begun) {
    const what = split.path === '-' ? 'standard input' : `${split.name} is a pipe, which`;
    throw new UsageError(`${what} cannot be read again from a checkpoint: start from the beginning, or read a file.`);
  }
}
