/**
 * The IoT job as slowly and plainly as it can be said: one line at a time, `JSON.parse`, arrays and maps. What the engine gives is
 * compared with this, and this with the results of a real Flink (`e2e/golden`). It knows nothing of the engine on purpose, so that a mistake in
 * one is not repeated by the other.
 */

export type Reason = 'malformed_json' | 'missing_field' | 'wrong_type' | 'out_of_range';

export interface ModelReading {
  readonly device_id: string;
  readonly event_timestamp: number;
  readonly temperature: number;
  readonly humidity: number;
  readonly pressure: number;
}

export interface ModelError {
  readonly reason: Reason;
  readonly field: string | null;
  /** The line as it came; of one that is longer than `maxLineBytes` no more than 64 KiB. */
  readonly payload: Buffer;
  /** Whole length of the line where `payload` is only its beginning, else null. */
  readonly payloadBytes: number | null;
  /** Byte offset of the line in the file. */
  readonly offset: number;
}

export interface ModelLate extends ModelReading {
  /** At its arrival. */
  readonly watermark: number;
}

/** device, start, end, count, then min, max, avg of temperature, humidity and pressure: a line of the golden files. */
export type ModelRow = readonly [
  string,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

export interface ModelResult {
  /** In order of firing; a late firing is a row of its own. */
  readonly windows: ModelRow[];
  readonly errors: ModelError[];
  readonly late: ModelLate[];
  /** Readings that obeyed every rule, late ones included. */
  readonly good: number;
}

export interface ModelOptions {
  readonly assign: Assigner;
  /** Windows of a device that overlap or touch become one. */
  readonly merging?: boolean;
  readonly outOfOrdernessMs: number;
  readonly allowedLatenessMs: number;
  readonly maxLineBytes?: number;
}

export interface ModelWindow {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The windows a timestamp belongs to. */
export type Assigner = (timestamp: number) => ModelWindow[];

export function tumbling(sizeMs: number): Assigner {
  return (timestamp) => {
    const start = Math.floor(timestamp / sizeMs) * sizeMs;
    return [{ start, end: start + sizeMs }];
  };
}

/** The one that ends first comes first. */
export function sliding(sizeMs: number, slideMs: number): Assigner {
  return (timestamp) => {
    const windows: ModelWindow[] = [];
    for (let start = Math.floor(timestamp / slideMs) * slideMs; start > timestamp - sizeMs; start -= slideMs) {
      windows.unshift({ start, end: start + sizeMs });
    }
    return windows;
  };
}

/** Sessions begin as windows of one row; to be used with `merging`. */
export function session(gapMs: number): Assigner {
  return (timestamp) => [{ start: timestamp, end: timestamp + gapMs }];
}

/** Runs the job over the bytes of an NDJSON file, as parallelism 1 does with a watermark after every record that raises it. */
export function runModel(file: Uint8Array, options: ModelOptions): ModelResult {
  const windows = new WindowModel(options);
  const errors: ModelError[] = [];
  const maxLine = options.maxLineBytes ?? 1024 * 1024;
  let good = 0;
  for (const { line, offset } of linesOf(file)) {
    if (line.length > maxLine) {
      const payload = line.subarray(0, 65_536);
      const payloadBytes = payload.length < line.length ? line.length : null;
      errors.push({ reason: 'malformed_json', field: null, payload, payloadBytes, offset });
      continue;
    }
    const verdict = judge(line);
    if ('reason' in verdict) {
      errors.push({ ...verdict, payload: line, payloadBytes: null, offset });
    } else {
      good++;
      windows.add(verdict);
    }
  }
  windows.end();
  return { windows: windows.rows, errors, late: windows.late, good };
}

/** A line ends with LF or CRLF or with the file; the input's final line break starts no line; a byte-order mark at the start is skipped. */
export function linesOf(file: Uint8Array): { line: Buffer; offset: number }[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const lines: { line: Buffer; offset: number }[] = [];
  let start = bytes.subarray(0, 3).equals(Buffer.of(0xef, 0xbb, 0xbf)) ? 3 : 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(10, start);
    const next = newline < 0 ? bytes.length : newline + 1;
    let end = newline < 0 ? bytes.length : newline;
    if (newline > start && bytes[newline - 1] === 13) end--;
    lines.push({ line: bytes.subarray(start, end), offset: start });
    start = next;
  }
  return lines;
}

const NUMBERS = [
  ['temperature', -40, 85],
  ['humidity', 0, 100],
  ['pressure', 300, 1100],
] as const;

/** A reading, or the first rule that the line breaks. */
export function judge(line: Uint8Array): ModelReading | { reason: Reason; field: string | null } {
  const bad = (reason: Reason, field: string | null) => ({ reason, field });
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line));
  } catch {
    return bad('malformed_json', null);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return bad('malformed_json', null);
  const field = new Map<string, unknown>(Object.entries(parsed));

  const id = field.get('device_id') ?? null;
  if (id === null) return bad('missing_field', 'device_id');
  if (typeof id !== 'string' || isBlank(id)) return bad('wrong_type', 'device_id');

  const time = field.get('event_timestamp') ?? null;
  if (time === null) return bad('missing_field', 'event_timestamp');
  if (typeof time !== 'number' || !Number.isInteger(time)) return bad('wrong_type', 'event_timestamp');
  if (time < 0 || time > 8.64e15) return bad('out_of_range', 'event_timestamp');

  const values: number[] = [];
  for (const [name, low, high] of NUMBERS) {
    const value = field.get(name) ?? null;
    if (value === null) return bad('missing_field', name);
    if (typeof value !== 'number' || !Number.isFinite(value)) return bad('wrong_type', name);
    if (value < low || value > high) return bad('out_of_range', name);
    values.push(value);
  }
  const [temperature = 0, humidity = 0, pressure = 0] = values;
  return { device_id: id, event_timestamp: time, temperature, humidity, pressure };
}

/** Java's `String.isBlank`: separators that may break a line, and the control characters that count as white space. */
function isBlank(id: string): boolean {
  return [...id].every((character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code === 0xa0 || code === 0x2007 || code === 0x202f) return false;
    return /\p{Z}/u.test(character) || (code >= 9 && code <= 13) || (code >= 0x1c && code <= 0x1f);
  });
}

/** Minimum, maximum, and the plain sum of values in order of arrival. */
interface Measure {
  readonly min: number;
  readonly max: number;
  readonly sum: number;
}

interface Contents extends ModelWindow {
  readonly device: string;
  count: number;
  temperature: Measure;
  humidity: Measure;
  pressure: Measure;
  fired: boolean;
}

/** Flink's window operator with an event-time trigger, and the watermark generator in front of it. */
class WindowModel {
  readonly rows: ModelRow[] = [];
  readonly late: ModelLate[] = [];
  readonly #options: ModelOptions;
  /** By end of window, then by device and start: only ends and devices are ever searched. */
  readonly #open = new Map<number, Map<string, Contents>>();
  readonly #byDevice = new Map<string, Set<Contents>>();
  #maxTimestamp = Number.NEGATIVE_INFINITY;
  #watermark = Number.NEGATIVE_INFINITY;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  add(reading: ModelReading): void {
    const timestamp = reading.event_timestamp;
    let skipped = true;
    for (const assigned of this.#options.assign(timestamp)) {
      const parts = this.#options.merging === true ? this.#touching(reading.device_id, assigned) : [];
      const start = Math.min(assigned.start, ...parts.map((part) => part.start));
      const end = Math.max(assigned.end, ...parts.map((part) => part.end));
      if (this.#cleanupTime(end) <= this.#watermark) continue;
      skipped = false;
      const contents =
        parts.length > 0
          ? this.#merged(reading.device_id, start, end, parts)
          : this.#contents(reading.device_id, start, end);
      contents.count++;
      contents.temperature = together(contents.temperature, measureOf(reading.temperature));
      contents.humidity = together(contents.humidity, measureOf(reading.humidity));
      contents.pressure = together(contents.pressure, measureOf(reading.pressure));
      if (end - 1 <= this.#watermark) this.#fire(contents);
    }
    if (skipped && timestamp + this.#options.allowedLatenessMs <= this.#watermark) {
      this.late.push({ ...reading, watermark: this.#watermark });
    }
    // Only now: a record is never late against a watermark that it caused itself.
    if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp;
      this.#advance(timestamp - this.#options.outOfOrdernessMs - 1);
    }
  }

  end(): void {
    this.#advance(Number.POSITIVE_INFINITY);
  }

  #advance(watermark: number): void {
    this.#watermark = watermark;
    const due = [...this.#open.keys()].filter((end) => end - 1 <= watermark).sort((a, b) => a - b);
    for (const end of due) {
      for (const contents of [...(this.#open.get(end)?.values() ?? [])]) {
        if (!contents.fired) this.#fire(contents);
        if (this.#cleanupTime(end) <= watermark) this.#forget(contents);
      }
    }
  }

  #cleanupTime(end: number): number {
    return end - 1 + this.#options.allowedLatenessMs;
  }

  /** The device's open windows that overlap or touch this one, by start. */
  #touching(device: string, window: ModelWindow): Contents[] {
    return [...(this.#byDevice.get(device) ?? [])]
      .filter((open) => open.start <= window.end && open.end >= window.start)
      .sort((a, b) => a.start - b.start);
  }

  /** One window in place of all of these. */
  #merged(device: string, start: number, end: number, parts: readonly Contents[]): Contents {
    for (const part of parts) this.#forget(part);
    const merged = this.#contents(device, start, end);
    for (const part of parts) {
      merged.count += part.count;
      merged.temperature = together(merged.temperature, part.temperature);
      merged.humidity = together(merged.humidity, part.humidity);
      merged.pressure = together(merged.pressure, part.pressure);
    }
    return merged;
  }

  #contents(device: string, start: number, end: number): Contents {
    const sameEnd = this.#open.get(end) ?? new Map<string, Contents>();
    this.#open.set(end, sameEnd);
    const key = `${start} ${device}`;
    const known = sameEnd.get(key);
    if (known !== undefined) return known;
    const measures = { temperature: NOTHING, humidity: NOTHING, pressure: NOTHING };
    const contents = { device, start, end, count: 0, ...measures, fired: false };
    sameEnd.set(key, contents);
    const sameDevice = this.#byDevice.get(device) ?? new Set<Contents>();
    this.#byDevice.set(device, sameDevice);
    sameDevice.add(contents);
    return contents;
  }

  #forget(contents: Contents): void {
    const { device, start, end } = contents;
    const sameEnd = this.#open.get(end);
    sameEnd?.delete(`${start} ${device}`);
    if (sameEnd?.size === 0) this.#open.delete(end);
    this.#byDevice.get(device)?.delete(contents);
  }

  #fire(contents: Contents): void {
    contents.fired = true;
    const { device, start, end, count, temperature: t, humidity: h, pressure: p } = contents;
    const averages = [t.sum / count, h.sum / count, p.sum / count] as const;
    this.rows.push([
      device,
      start,
      end,
      count,
      ...([t.min, t.max, averages[0]] as const),
      ...([h.min, h.max, averages[1]] as const),
      ...([p.min, p.max, averages[2]] as const),
    ]);
  }
}

const NOTHING: Measure = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, sum: 0 };

function measureOf(value: number): Measure {
  return { min: value, max: value, sum: value };
}

function together(a: Measure, b: Measure): Measure {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max), sum: a.sum + b.sum };
}
