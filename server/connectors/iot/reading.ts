/**
 * The IoT event (a reading of one device), as sources give it and as validation passes it on. Ranges are those of the Bosch BME280, a
 * common sensor of exactly these three quantities; limits are inclusive.
 */

import { bytes, f64, i32, nullable, schema, string, timestamp } from '#engine/batch/schema.ts';

/**
 * A line as a decoder understood it: typed cells, null or NaN where absent or of the wrong type, and why. Whether values are in range is for
 * the job's ProcessFunction to say.
 */
export const RawReading = schema({
  device_id: nullable(string()),
  /** NaN where the line has no usable value; `defect` says why. Not nullable columns: reading those would make an object per number. */
  event_timestamp: timestamp(),
  temperature: f64(),
  humidity: f64(),
  pressure: f64(),
  /** 0, or why the row cannot be used: `defect(reason, field)`. */
  defect: i32(),
  /** The line as it came, to the byte; null where the source makes rows, not lines, and this one is as it should be. */
  payload: nullable(bytes()),
  /** Whole length of the line in bytes where `payload` is only its beginning, else null. */
  payload_bytes: nullable(f64()),
  /** File (or `stdin`, or `simulator-<split>`) that the row comes from. */
  source: string(),
  /** Position in it: byte offset of the line in a file, sequence number in the simulator. */
  offset: f64(),
});

/** A reading that obeys every rule. */
export const Reading = schema({
  device_id: string(),
  event_timestamp: timestamp(),
  temperature: f64(),
  humidity: f64(),
  pressure: f64(),
});

/** A line that does not, as it goes to the side output `errors`. */
export const ReadingError = schema({
  reason: string(),
  field: nullable(string()),
  payload: nullable(bytes()),
  payload_bytes: nullable(f64()),
  source: string(),
  offset: f64(),
  /** Processing time at which it was refused, ms. */
  ingested_at: timestamp(),
});

/** Names of the fields, in the order in which they are judged: the first that fails gives the reason. */
export const FIELDS = ['device_id', 'event_timestamp', 'temperature', 'humidity', 'pressure'] as const;
export type FieldName = (typeof FIELDS)[number];

/** Inclusive limits. 8.64e15 ms is the last instant a JavaScript Date can name. */
export const LIMITS: Record<Exclude<FieldName, 'device_id'>, readonly [number, number]> = {
  event_timestamp: [0, 8.64e15],
  temperature: [-40, 85],
  humidity: [0, 100],
  pressure: [300, 1100],
};

export const REASONS = ['malformed_json', 'malformed_csv', 'missing_field', 'wrong_type', 'out_of_range'] as const;
export type Reason = (typeof REASONS)[number];

/** Reason and field as one small integer for the column `defect`; never 0. */
export function defect(reason: Reason, field: FieldName | null): number {
  return (REASONS.indexOf(reason) + 1) * 8 + (field === null ? 7 : FIELDS.indexOf(field));
}

export function defectReason(code: number): Reason {
  const reason = REASONS[(code >> 3) - 1];
  if (reason === undefined) throw new RangeError(`${code} is not a defect.`);
  return reason;
}

export function defectField(code: number): FieldName | null {
  return FIELDS[code & 7] ?? null;
}

/**
 * Whether an id counts as blank: no character but white space as Java's `String.isBlank` sees it (so a no-break space is not blank).
 */
export function isBlank(id: string): boolean {
  for (let i = 0; i < id.length; i++) if (!isWhiteSpace(id.charCodeAt(i))) return false;
  return true;
}

/** Java's `Character.isWhitespace`, of which every character lies in the first plane. */
function isWhiteSpace(unit: number): boolean {
  if (unit <= 0x20) return (unit >= 0x09 && unit <= 0x0d) || unit >= 0x1c;
  if (unit < 0x1680) return false;
  const space = unit === 0x1680 || (unit >= 0x2000 && unit <= 0x200a && unit !== 0x2007);
  return space || unit === 0x2028 || unit === 0x2029 || unit === 0x205f || unit === 0x3000;
}
