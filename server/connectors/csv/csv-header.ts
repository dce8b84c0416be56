/** The header of a CSV of readings: which column holds which field. */

import { UsageError } from '#base/errors.ts';
import { FIELD_NAMES, missingFields } from '../file/reading-rows.ts';
import { FIELDS } from '../iot/reading.ts';
import { readCsvRecord } from './csv-record.ts';

/** Longest header, with its line break. */
export const MAX_HEADER = 64 * 1024;

/** Plain data: it travels with a split. */
export interface CsvLayout {
  /** Field of each column; -1 for columns that are ignored. */
  readonly fields: readonly number[];
}

export interface CsvHeader {
  readonly layout: CsvLayout;
  /** Offset of the first record, counted from the start of the bytes given. */
  readonly end: number;
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Bytes of a byte-order mark at the start: 3 or 0. */
export function bomLength(bytes: Uint8Array): number {
  return BOM.every((byte, i) => bytes[i] === byte) ? BOM.length : 0;
}

/**
 * Reads the header from the first bytes of a file (`complete`: these are all it has). Null when the header goes on behind them. A header
 * that lacks a name, or has one twice, is a usage error that names the file and what is wrong.
 */
export function readCsvHeader(bytes: Buffer, complete: boolean, name: string): CsvHeader | null {
  const start = bomLength(bytes);
  const text = complete ? Buffer.concat([bytes, Buffer.from('\n')]) : bytes;
  const limit = text.lastIndexOf(10) + 1;
  const record = limit > start ? readCsvRecord(text, start, limit) : null;
  if (record === null || record.kind === 'open') {
    if (!complete && bytes.length < MAX_HEADER) return null;
    throw new UsageError(`${name}: no CSV header in the first ${MAX_HEADER / 1024} KiB; ${WANTED}`);
  }
  if (record.kind !== 'record') throw new UsageError(`${name}: the CSV header has broken quotes; ${WANTED}`);

  const names = record.cells.map((cell) => cell.text);
  const missing = missingFields(names);
  if (missing.length === FIELDS.length && names.every((column) => column === '')) {
    throw new UsageError(`${name}: no CSV header, the first line is empty; ${WANTED}`);
  }
  if (missing.length > 0) {
    throw new UsageError(
      `${name}: the CSV header lacks ${missing.join(', ')} (it has ${preview(names)}); ${WANTED} Is it another format? See --format.`,
    );
  }
  const twice = FIELDS.filter((field) => names.indexOf(field) !== names.lastIndexOf(field));
  if (twice.length > 0) throw new UsageError(`${name}: the CSV header has ${twice.join(', ')} more than once.`);
  return {
    layout: { fields: names.map((column) => FIELD_NAMES.indexOf(column)) },
    end: Math.min(record.next, bytes.length),
  };
}

const WANTED = `its first line must name the columns ${FIELDS.join(', ')} (in any order, others are ignored).`;

/** Names from a file that may be anything: a few of them, short, printable. */
function preview(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name.length > 32 ? `${name.slice(0, 32)}…` : name));
  return shown.join(', ') + (names.length > shown.length ? ` and ${names.length - shown.length} more` : '');
}
