/**
 * Amounts as people write them (`10k`, `1MiB`, `200ms`) and as they read them. Parsing gives null for what it cannot read, so that
 * each caller can name its own flag or field in the message; `*_FORMS` says in such a message what would have been right.
 *
 * Every result is a non-negative safe integer in the base unit (1, byte, millisecond): `1.5k` is 1500, `1.5ms` is unreadable.
 */

export const COUNT_FORMS = 'a number such as 500, 10k, 1.5M or 2G';
export const BYTES_FORMS = 'a size such as 4096, 64KiB, 1MiB or 10MB';
export const DURATION_FORMS = 'a time such as 200ms, 5s, 1m, 1h or 1d';

/** [decimal exponent, factor]: kept apart because `4.35e6` is exact where `4.35 * 1e6` need not be. */
type Unit = readonly [exponent: number, factor: number];

const COUNT_UNITS = new Map<string, Unit>([
  ['', [0, 1]],
  ['k', [3, 1]],
  ['M', [6, 1]],
  ['G', [9, 1]],
]);

const BYTE_UNITS = new Map<string, Unit>([
  ['', [0, 1]],
  ['B', [0, 1]],
  ['k', [3, 1]],
  ['kB', [3, 1]],
  ['M', [6, 1]],
  ['MB', [6, 1]],
  ['G', [9, 1]],
  ['GB', [9, 1]],
  ['KiB', [0, 2 ** 10]],
  ['MiB', [0, 2 ** 20]],
  ['GiB', [0, 2 ** 30]],
]);

const DURATION_UNITS = new Map<string, Unit>([
  ['ms', [0, 1]],
  ['s', [3, 1]],
  ['m', [3, 60]],
  ['h', [3, 3600]],
  ['d', [3, 86_400]],
]);

const AMOUNT = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/;

function parse(text: string, units: ReadonlyMap<string, Unit>): number | null {
  const match = AMOUNT.exec(text.trim());
  const unit = units.get(match?.[2] ?? '');
  if (match === null || unit === undefined) return null;
  const value = Number(`${match[1]}e${unit[0]}`) * unit[1];
  return Number.isSafeInteger(value) ? value : null;
}

/** `500`, `10k`, `1.5M`, `2G` (powers of ten); null if it is not such a text. */
export function parseCount(text: string): number | null {
  return parse(text, COUNT_UNITS);
}

/** Bytes of `4096`, `64KiB`, `1MiB` (powers of two) or `10k`, `10MB` (powers of ten); null if it is not such a text. */
export function parseBytes(text: string): number | null {
  return parse(text, BYTE_UNITS);
}

/** Milliseconds of `200ms`, `5s`, `1.5m`, `1h`, `1d`; `0` needs no unit; null if it is not such a text. */
export function parseDuration(text: string): number | null {
  return text.trim() === '0' ? 0 : parse(text, DURATION_UNITS);
}

/** The shortest text that `parseDuration` reads back to the same number: `5s`, `90s`, `1500ms`, `1d`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const [unit, size] of DURATION_SIZES) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

const DURATION_SIZES: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** `512 B`, `1.5 KiB`, `3.0 GiB`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** The shortest text that `parseCount` reads back to the same number: `10k`, `1500k`, `1M`, `1234`. */
export function formatCount(count: number): string {
  if (count === 0) return '0';
  if (count % 1e9 === 0) return `${count / 1e9}G`;
  if (count % 1e6 === 0) return `${count / 1e6}M`;
  return count % 1000 === 0 ? `${count / 1000}k` : `${count}`;
}
