/** Numbers, durations and times as words. Missing is always `–`, never 0 or empty. */

import { formatSize } from '#shared/quantities.ts';

export const MISSING = '–';
const THIN = '\u2009';

function finite(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** All digits, in groups of three. */
export function formatExact(value: number | null | undefined): string {
  if (!finite(value)) return MISSING;
  const digits = Math.abs(Math.round(value)).toString();
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, THIN);
  return value <= -0.5 ? `−${grouped}` : grouped;
}

/** In full below 10,000, else three significant digits with k, M, G. */
export function formatCount(value: number | null | undefined): string {
  if (!finite(value)) return MISSING;
  return Math.abs(value) < 10_000 ? formatExact(value) : threeDigits(value);
}

/** A rate without its unit: `0.4`, `48.2`, `4.21k`. */
export function formatRate(value: number | null | undefined): string {
  if (!finite(value)) return MISSING;
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.05) return '<0.1';
  if (size < 10) return trimZero(value.toFixed(1));
  return threeDigits(value);
}

export function formatPercent(share: number | null | undefined): string {
  if (!finite(share)) return MISSING;
  const percent = share * 100;
  if (percent === 0) return '0 %';
  if (percent < 0.05) return '<0.1 %';
  return percent >= 9.95 ? `${Math.round(percent)} %` : `${trimZero(percent.toFixed(1))} %`;
}

/** `850 ms`, `12.4 s`, `3 m 05 s`, `2 h 10 m`. */
export function formatDuration(ms: number | null | undefined): string {
  if (!finite(ms)) return MISSING;
  if (ms < 0) return `−${formatDuration(-ms)}`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${pad(minutes % 60)} m`;
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

/** As `formatDuration`, with tenths of a millisecond below 10 ms: `0.4 ms`, `12 ms`, `1.2 s`. */
export function formatLatency(ms: number | null | undefined): string {
  return finite(ms) && ms < 9.95 ? `${formatRate(ms)} ms` : formatDuration(ms);
}

/** Without zeros after the point, for axes and settings: `10k`, `5 s`. */
export function compact(text: string): string {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
}

/** Whole seconds where they suffice: `30 s`, `1 m 30 s`. */
export function formatSeconds(ms: number): string {
  return ms < 59_500 ? `${Math.max(0, Math.ceil(ms / 1000))} s` : formatDuration(Math.ceil(ms / 1000) * 1000);
}

export function formatBytes(bytes: number | null | undefined): string {
  if (!finite(bytes)) return MISSING;
  return formatSize(bytes);
}

/** Local time of day, `12:04:05`. */
export function formatTime(time: number | null | undefined): string {
  if (!finite(time)) return MISSING;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return MISSING;
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** `12:04:05.123`. */
export function formatTimeMs(time: number | null | undefined): string {
  const seconds = formatTime(time);
  if (seconds === MISSING || !finite(time)) return MISSING;
  return `${seconds}.${String(new Date(time).getMilliseconds()).padStart(3, '0')}`;
}

/** Time of day, led by the date where it is not the day of `today`: event time may be any day. */
export function formatMoment(time: number | null | undefined, today: number): string {
  if (!finite(time)) return MISSING;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return `${formatExact(time)} ms`;
  if (date.toDateString() === new Date(today).toDateString()) return formatTimeMs(time);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${formatTimeMs(time)}`;
}

export function formatZone(): string {
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? '' : `:${pad(size % 60)}`;
  return `UTC${minutes < 0 ? '−' : '+'}${Math.floor(size / 60)}${rest}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function threeDigits(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const size = Math.abs(scaled);
  const decimals = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return `${unit === 0 ? trimZero(scaled.toFixed(decimals)) : scaled.toFixed(decimals)}${units[unit]}`;
}

function trimZero(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
