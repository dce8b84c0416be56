/**
 * What an `--input` stands for, found out and checked before a job starts: which files, in which order, of which format, and whether they
 * can be read at all. Main thread; it reads the first bytes of CSV and gzip files only.
 */

import { closeSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { messageOf, UsageError } from '#base/errors.ts';
import { type CsvLayout, MAX_HEADER, readCsvHeader } from '../csv/csv-header.ts';
import { type FileIdentity, identify } from './file-identity.ts';

export type FileFormat = 'ndjson' | 'csv';

/** Plain data: it crosses threads, and every worker builds its source from it. */
export interface FileSourceOptions {
  /** A file, a directory (its inputs in the order of their names), or `-` for standard input. */
  readonly path: string;
  /** Default: by extension; standard input and pipes are NDJSON. In a directory it picks the files of that format. */
  readonly format?: FileFormat;
  /** Bytes of the longest line that is decoded, its line break not counted; default 1 MiB, at most 512 MiB. */
  readonly maxLine?: number;
  /** Bytes of a block that one reader reads, at parallelism above 1; default 1 MiB. */
  readonly blockSize?: number;
}

export const DEFAULT_MAX_LINE = 1 << 20;
const LARGEST_LINE = 1 << 29;
export const DEFAULT_BLOCK_SIZE = 1 << 20;

export interface InputFile {
  /** To open it; `-` is standard input. */
  readonly path: string;
  /** What the column `source` says. */
  readonly name: string;
  readonly format: FileFormat;
  readonly gzip: boolean;
  /** Bytes on disk; null where nobody knows (standard input, pipes). */
  readonly size: number | null;
  /** Null where `size` is. */
  readonly identity: FileIdentity | null;
  /** Of a plain CSV file: its columns and where its first record starts. Streams bring theirs. */
  readonly csv: { readonly layout: CsvLayout; readonly begin: number } | null;
}

export interface FileInput {
  readonly files: readonly InputFile[];
  /** Bytes on disk of all files, or null when one of them does not say. */
  readonly totalBytes: number | null;
}

const EXTENSION = /\.(ndjson|jsonl|json|csv)(\.gz)?$/i;
const KINDS = '.ndjson, .jsonl, .json or .csv, each also with .gz';

/** Resolves and checks an input. Everything wrong with it is a `UsageError` that names the file. */
export function openFileInput(options: FileSourceOptions): FileInput {
  checkSize('maximal line', options.maxLine, LARGEST_LINE);
  checkSize('block size', options.blockSize, LARGEST_LINE);
  const files = listFiles(options).map(checkFile);
  let totalBytes: number | null = 0;
  for (const file of files) totalBytes = totalBytes === null || file.size === null ? null : totalBytes + file.size;
  return { files, totalBytes };
}

function checkSize(what: string, value: number | undefined, largest: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= largest)) return;
  throw new UsageError(`The ${what} must be a whole number of bytes from 1 to ${largest}, not ${value}.`);
}

type FoundFile = Omit<InputFile, 'csv' | 'identity'>;

function listFiles({ path, format }: FileSourceOptions): FoundFile[] {
  if (path === '-') return [{ path, name: 'stdin', format: format ?? 'ndjson', gzip: false, size: null }];
  const stats = statOf(path);
  if (!stats.isDirectory()) return [describe(path, stats, format)];

  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  const found: FoundFile[] = [];
  for (const name of names.filter((n) => EXTENSION.test(n) && !n.startsWith('.')).sort()) {
    const file = join(path, name);
    const fileStats = statOf(file);
    if (fileStats.isDirectory()) continue;
    const described = describe(file, fileStats, undefined);
    if (format === undefined || described.format === format) found.push(described);
  }
  if (found.length === 0) {
    const wanted = format === undefined ? KINDS : `${format} files`;
    throw new UsageError(`${path}: the directory has no inputs (files ending in ${wanted}).`);
  }
  return found;
}

function describe(path: string, stats: Stats, format: FileFormat | undefined): FoundFile {
  const extension = EXTENSION.exec(path);
  const regular = stats.isFile();
  const byName = extension === null ? undefined : extension[1]?.toLowerCase() === 'csv' ? 'csv' : 'ndjson';
  const chosen = format ?? byName ?? (regular ? undefined : 'ndjson');
  if (chosen === undefined) {
    throw new UsageError(`${path}: its name does not tell its format (${KINDS}); say --format ndjson or --format csv.`);
  }
  return { path, name: path, format: chosen, gzip: /\.gz$/i.test(path), size: regular ? stats.size : null };
}

function checkFile(file: FoundFile): InputFile {
  if (file.path === '-' || file.size === null) return { ...file, identity: null, csv: null };
  let fd: number;
  try {
    fd = openSync(file.path, 'r');
  } catch (error) {
    throw unreadable(file.path, error);
  }
  try {
    const identity = identify(fd);
    if (file.gzip) checkGzip(fd, file);
    if (file.format !== 'csv' || file.gzip) return { ...file, identity, csv: null };
    const head = readHead(fd, MAX_HEADER, file.path);
    const header = readCsvHeader(head, head.length < MAX_HEADER, file.name);
    if (header === null) throw new UsageError(`${file.name}: no CSV header in its first ${MAX_HEADER / 1024} KiB.`);
    return { ...file, identity, csv: { layout: header.layout, begin: header.end } };
  } finally {
    closeSync(fd);
  }
}

/** Bytes of a gzip file that are looked at; they decompress to at most a thousand times as many. */
const GZIP_HEAD = 8192;

function checkGzip(fd: number, file: FoundFile): void {
  const head = readHead(fd, GZIP_HEAD, file.path);
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    throw new UsageError(`${file.path}: is named .gz but is not gzip.`);
  }
  let text: Buffer;
  try {
    text = gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw unreadable(file.path, error);
  }
  // A header that goes on behind this is checked by the reader.
  if (file.format === 'csv') readCsvHeader(text.subarray(0, MAX_HEADER), head.length < GZIP_HEAD, file.name);
}

function readHead(fd: number, length: number, path: string): Buffer {
  const head = Buffer.alloc(length);
  let count = 0;
  try {
    for (;;) {
      const n = readSync(fd, head, count, length - count, count);
      count += n;
      if (n === 0 || count === length) return head.subarray(0, count);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): UsageError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  const why =
    code === 'ENOENT' || code === 'ENOTDIR'
      ? 'there is no such file or directory'
      : code === 'EACCES' || code === 'EPERM'
        ? 'no permission to read it'
        : messageOf(cause);
  return new UsageError(`${path}: ${why}.`, { cause });
}
