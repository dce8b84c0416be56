/**
 * Turns a good row into a malformed one: the line that a device would have sent, to the byte, and the cells that a decoder would have made
 * of it. Each kind comes in several variants, which take turns.
 */

import { MALFORMED_KINDS, type MalformedKind } from '#shared/injections.ts';
import { defect, FIELDS, type FieldName } from '../iot/reading.ts';
import type { ReadingRows } from './rows.ts';

/** JSON text of each field; a field that is not there is left out of the line. */
type Parts = Partial<Record<FieldName, string>>;

const encoder = new TextEncoder();
/** Where lines are encoded; no line comes near its size. */
const scratch = new Uint8Array(4096);

function line(parts: Parts): string {
  let text = '';
  for (const field of FIELDS) {
    const part = parts[field];
    if (part !== undefined) text += `${text === '' ? '{"' : ',"'}${field}":${part}`;
  }
  return `${text}}`;
}

/** Lines that are no JSON object. */
const NOT_JSON: readonly ((parts: Parts) => string | Uint8Array)[] = [
  () => 'sensor rebooted, code 17',
  // Cut in the middle, as by a lost connection.
  (parts) => line(parts).slice(0, -9),
  () => '',
  () => ' \t ',
  (parts) => `[${FIELDS.map((f) => parts[f]).join(',')}]`,
  (parts) => line({ ...parts, temperature: 'NaN' }),
  (parts) => line({ ...parts, pressure: '-Infinity' }),
  (parts) => line(parts).replaceAll('"', "'"),
  (parts) => line(parts).replace('}', ',}'),
  (parts) => `${line(parts)} ${line(parts)}`,
  () => 'null',
  () => '"ok"',
  (parts) => line({ ...parts, humidity: '.5' }),
  // A byte that no UTF-8 text contains, inside the id.
  (parts) => {
    const bytes = encoder.encode(line(parts));
    bytes[14] = 0xff;
    return bytes;
  },
];

const MISSING: readonly (string | undefined)[] = [undefined, 'null'];

const WRONG_NUMBER = ['"21.5"', '1e999', 'true', '-1e999', '[21.5]', '{"value":21.5}', '""'];
const WRONG: Record<FieldName, readonly string[]> = {
  device_id: ['17', '""', '"  "', 'false', '["device-1"]', '{"id":"device-1"}'],
  event_timestamp: ['"2023-11-14T22:13:20Z"', '1700000000000.5', '1e999', 'true', '"1700000000000"', '[]'],
  temperature: WRONG_NUMBER,
  humidity: WRONG_NUMBER,
  pressure: WRONG_NUMBER,
};

const OUT: Record<Exclude<FieldName, 'device_id'>, readonly string[]> = {
  event_timestamp: ['-1', '8640000000000001', '-62135596800000', '1e17'],
  temperature: ['-40.01', '85.01', '999', '-273.15'],
  humidity: ['-0.01', '100.01', '6553.5', '-1'],
  pressure: ['299.99', '1100.01', '0', '101325'],
};

/** The kind that comes as number `n` when all take turns. */
export function kindInTurn(n: number): MalformedKind {
  return MALFORMED_KINDS[n % MALFORMED_KINDS.length] as MalformedKind;
}

/**
 * Breaks row `row`, whose cells are good and encoded. `variant` is any non-negative integer; `id` is the name of its device.
 */
export function breakRow(rows: ReadingRows, row: number, kind: MalformedKind, variant: number, id: string): void {
  const parts: Parts = {
    device_id: JSON.stringify(id),
    event_timestamp: String(rows.eventTime[row]),
    temperature: String(rows.temperature[row]),
    humidity: String(rows.humidity[row]),
    pressure: String(rows.pressure[row]),
  };
  const { reason, field } = REASONS[kind];
  if (reason === 'malformed_json') {
    const made = inTurn(NOT_JSON, variant)(parts);
    if (typeof made === 'string') append(rows, row, made);
    else rows.payload.append(row, made);
    rows.setDefect(row, defect(reason, null));
    for (const each of FIELDS) setNull(rows, row, each);
    return;
  }
  const text = brokenPart(reason, field, variant);
  if (text === undefined) delete parts[field];
  else parts[field] = text;
  append(rows, row, line(parts));
  if (reason === 'out_of_range') {
    // Still a number, so a decoder has nothing against it; the job judges ranges.
    setNumber(rows, row, field, Number(text));
    return;
  }
  rows.setDefect(row, defect(reason, field));
  setNull(rows, row, field);
}

function append(rows: ReadingRows, row: number, text: string): void {
  rows.payload.append(row, scratch.subarray(0, encoder.encodeInto(text, scratch).written));
}

type Reason = 'missing_field' | 'wrong_type' | 'out_of_range';

/** The kinds, taken apart. */
const REASONS = Object.fromEntries(
  MALFORMED_KINDS.map((kind) => {
    const [reason, field = 'device_id'] = kind.split(':') as [Reason | 'malformed_json', FieldName?];
    return [kind, { reason, field }];
  }),
) as Record<MalformedKind, { reason: Reason | 'malformed_json'; field: FieldName }>;

function brokenPart(reason: Reason, field: FieldName, variant: number): string | undefined {
  if (reason === 'missing_field') return inTurn(MISSING, variant);
  if (reason === 'wrong_type') return inTurn(WRONG[field], variant);
  return field === 'device_id' ? undefined : inTurn(OUT[field], variant);
}

function inTurn<T>(variants: readonly T[], n: number): T {
  return variants[n % variants.length] as T;
}

function setNull(rows: ReadingRows, row: number, field: FieldName): void {
  if (field === 'device_id') rows.device[row] = -1;
  else setNumber(rows, row, field, Number.NaN);
}

function setNumber(rows: ReadingRows, row: number, field: FieldName, value: number): void {
  switch (field) {
    case 'device_id':
      return;
    case 'event_timestamp':
      rows.eventTime[row] = value;
      return;
    case 'temperature':
      rows.temperature[row] = value;
      return;
    case 'humidity':
      rows.humidity[row] = value;
      return;
    case 'pressure':
      rows.pressure[row] = value;
      return;
  }
}
