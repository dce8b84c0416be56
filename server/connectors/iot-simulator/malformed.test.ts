import { describe, expect, it } from 'vitest';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import { MALFORMED_KINDS } from '#shared/injections.ts';
import { defectField, defectReason, FIELDS, isBlank, LIMITS, RawReading } from '../iot/reading.ts';
import { breakRow } from './malformed.ts';
import { ReadingRows } from './rows.ts';

/** The contract of the event, written once more and in another way: what a plain decoder and a range check make of a line. */
function judge(payload: Uint8Array) {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload));
  } catch {
    return { verdict: 'malformed_json', cells: {} };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { verdict: 'malformed_json', cells: {} };
  const cells: Record<string, unknown> = {};
  let verdict: string | null = null;
  let inRange: string | null = null;
  for (const field of FIELDS) {
    const cell: unknown = Reflect.get(value, field);
    const right =
      field === 'device_id'
        ? typeof cell === 'string' && !isBlank(cell)
        : typeof cell === 'number' && Number.isFinite(cell) && (field !== 'event_timestamp' || Number.isInteger(cell));
    if (cell === undefined || cell === null) verdict ??= `missing_field:${field}`;
    else if (!right) verdict ??= `wrong_type:${field}`;
    else cells[field] = cell;
    if (right && field !== 'device_id') {
      const [min, max] = LIMITS[field];
      if ((cell as number) < min || (cell as number) > max) inRange ??= `out_of_range:${field}`;
    }
  }
  return { verdict: verdict ?? inRange, cells };
}

describe('malformed events', () => {
  for (const kind of MALFORMED_KINDS) {
    it(`every variant of ${kind} is what its line says, in reason, field and cells`, () => {
      const lines = new Set<string>();
      for (let variant = 0; variant < 20; variant++) {
        const dictionary = new Dictionary();
        const batch = RecordBatch.allocate(RawReading, dictionary, 4);
        const rows = ReadingRows.of(batch, 0);
        rows.device[2] = dictionary.codeOf('device-7');
        rows.eventTime[2] = 1_700_000_000_123;
        rows.temperature[2] = -3.25;
        rows.humidity[2] = 71.5;
        rows.pressure[2] = 1012.07;
        breakRow(rows, 2, kind, variant, 'device-7');
        rows.stamp(batch, 4);
        const payload = batch.bytes('payload').get(2) ?? new Uint8Array();
        lines.add(new TextDecoder().decode(payload));
        expect(new TextDecoder().decode(payload)).not.toMatch(/[\r\n]/);
        const { verdict, cells } = judge(payload);
        expect(verdict).toBe(kind);
        const code = rows.defect[2] as number;
        if (kind.startsWith('out_of_range')) {
          expect(code).toBe(0);
          expect(batch.time[2]).toBe(cells.event_timestamp);
        } else {
          const field = defectField(code);
          expect(field === null ? defectReason(code) : `${defectReason(code)}:${field}`).toBe(kind);
          expect(batch.time[2]).toBeNaN();
        }
        expect(dictionary.get(rows.device[2] as number)).toBe(cells.device_id ?? null);
        expect(rows.eventTime[2]).toBe(cells.event_timestamp ?? Number.NaN);
        expect(rows.temperature[2]).toBe(cells.temperature ?? Number.NaN);
        expect(rows.humidity[2]).toBe(cells.humidity ?? Number.NaN);
        expect(rows.pressure[2]).toBe(cells.pressure ?? Number.NaN);
        expect([rows.defect[1], rows.defect[3], batch.bytes('payload').get(1)]).toEqual([0, 0, null]);
      }
      expect(lines.size).toBeGreaterThan(1);
    });
  }
});
