/**
 * How files become splits.
 *
 *   one reader        a split per file, from its beginning to its end
 *   several readers   plain files in blocks, dealt in order:
 *                     NDJSON  every `blockSize` bytes, wherever that falls; a block owns the lines that start in it, its reader finds them
 *                     CSV     cut behind line breaks, as long as no quote has been seen; from the first block with a quote on the rest of the
 *                             file is one split, because a line break inside quotes ends no record
 *   gzip, streams     one split
 *
 * Splits are made one at a time, when a reader asks: a file of a terabyte is a number, not a list. For a CSV that means reading each block
 * once more on the main thread, about 0.3 ms per MiB.
 *
 * A split out of a checkpoint is the same one with another `begin`: that of the first line that has not been read.
 */

import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf, WeirError } from '#base/errors.ts';
import type { Split } from '#engine/io/source.ts';
import type { CsvLayout } from '../csv/csv-header.ts';
import type { FileIdentity } from './file-identity.ts';
import type { FileFormat, InputFile } from './open-input.ts';

export interface FileSplit extends Split {
  readonly path: string;
  readonly name: string;
  readonly format: FileFormat;
  readonly gzip: boolean;
  /** Read by position (a plain file), not as a stream. */
  readonly plain: boolean;
  /** Offset of the first byte that may begin a line of this split. */
  readonly begin: number;
  /** Lines that start here or behind are not of this split; null: to the end of the file. */
  readonly end: number | null;
  /** Whether a line begins at `begin`, or the first has to be looked for. */
  readonly aligned: boolean;
  /** Columns of a plain CSV; streams begin with their header. */
  readonly csv: CsvLayout | null;
  /** Null where nobody knows: standard input, pipes. */
  readonly identity: FileIdentity | null;
  /** Out of a checkpoint. */
  readonly resumed: boolean;
  /** Everything before `begin` has been read, header and byte-order mark included; of a pipe, anything at all. */
  readonly begun: boolean;
}

/** Bytes on disk that are to be read for a split; a gzip file is read from its beginning, whatever was read of it. 0: nobody knows. */
export function bytesToRead({ plain, begin, end, identity }: FileSplit): number {
  if (identity === null) return 0;
  return plain ? (end ?? identity.size) - begin : identity.size;
}

/** Where the next split begins. */
export interface FilePosition {
  /** Index of the file. */
  readonly file: number;
  /** Offset in it; 0: at its beginning. */
  readonly begin: number;
}

export interface NextSplit {
  readonly split: FileSplit;
  readonly next: FilePosition;
}

/** All splits from a position on, in the order of the files and their bytes. */
export function* splitFiles(
  files: readonly InputFile[],
  parallelism: number,
  blockSize: number,
  from: FilePosition = { file: 0, begin: 0 },
): Generator<NextSplit, void, void> {
  for (const [i, file] of files.entries()) {
    if (i < from.file) continue;
    for (const split of splitFile(file, parallelism, blockSize, i === from.file ? from.begin : 0)) {
      yield { split, next: split.end === null ? { file: i + 1, begin: 0 } : { file: i, begin: split.end } };
    }
  }
}

function splitFile(file: InputFile, parallelism: number, blockSize: number, from: number): Iterable<FileSplit> {
  const begin = from === 0 ? (file.csv?.begin ?? 0) : from;
  if (parallelism === 1 || file.gzip || file.size === null) {
    return [splitOf(file, begin, null, from === 0 || file.csv !== null)];
  }
  if (file.csv === null) return ndjsonBlocks(file, begin, file.size, blockSize);
  return csvBlocks(file, begin, file.size, blockSize);
}

function* ndjsonBlocks(
  file: InputFile,
  from: number,
  size: number,
  blockSize: number,
): Generator<FileSplit, void, void> {
  let begin = from;
  // The last block takes what was appended since: it has no end.
  for (; begin + blockSize < size; begin += blockSize) yield splitOf(file, begin, begin + blockSize, begin === 0);
  yield splitOf(file, begin, null, begin === 0);
}

const QUOTE = 34;
const NEWLINE = 10;

function* csvBlocks(file: InputFile, from: number, size: number, blockSize: number): Generator<FileSplit, void, void> {
  let fd: number | null = null;
  const bytes = Buffer.alloc(blockSize);
  try {
    fd = openSync(file.path, 'r');
    let begin = from;
    let scanned = begin;
    while (scanned < size) {
      const count = readSync(fd, bytes, 0, blockSize, scanned);
      const piece = bytes.subarray(0, count);
      if (count === 0 || piece.includes(QUOTE) || scanned + count >= size) break;
      const cut = piece.lastIndexOf(NEWLINE);
      if (cut >= 0) {
        yield splitOf(file, begin, scanned + cut + 1, true);
        begin = scanned + cut + 1;
        scanned = begin;
      } else {
        scanned += count;
      }
    }
    yield splitOf(file, begin, null, true);
  } catch (error) {
    throw new WeirError('INPUT_READ', `${file.name}: reading failed, ${messageOf(error)}`, { cause: error });
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

function splitOf(file: InputFile, begin: number, end: number | null, aligned: boolean): FileSplit {
  const { path, name, format, gzip } = file;
  return {
    id: begin === 0 && end === null ? name : `${name}:${begin}`,
    path,
    name,
    format,
    gzip,
    plain: !gzip && file.size !== null,
    begin,
    end,
    aligned,
    csv: file.csv?.layout ?? null,
    identity: file.identity,
    resumed: false,
    begun: false,
  };
}
