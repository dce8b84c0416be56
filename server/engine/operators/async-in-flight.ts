/**
 * What is in flight in an async operator, in a snapshot: rows that have been asked for and watermarks and changes of status among them, in an
 * order in which they can be asked again. Answers are not kept.
 */

import { NEVER_INGESTED } from '../batch/record-batch.ts';
import { ByteReader, ByteWriter, readRow, writeRow } from '../batch/row-bytes.ts';
import type { Schema } from '../batch/schema.ts';
import { shareOf } from '../state/operator-lists.ts';
import type { OperatorSnapshot, OperatorState } from '../state/snapshot.ts';
import type { Mark } from './async-queue.ts';
import { NO_WATERMARK, type OperatorContext } from './operator.ts';

export type InFlight = { readonly kind: 'row'; readonly row: Record<string, unknown>; readonly time: number } | Mark;

const ROW = 0;
const WATERMARK = 1;
const IDLE = 2;
const NAME = 'asked';

export function saveInFlight(schema: Schema, items: Iterable<InFlight>): Record<string, OperatorState> {
  const written: Uint8Array[] = [];
  for (const item of items) {
    const to = new ByteWriter();
    if (item.kind === 'row') {
      to.u8(ROW);
      to.f64(item.time);
      writeRow(schema, item.row, to);
    } else if (item.kind === 'watermark') {
      to.u8(WATERMARK);
      to.f64(item.watermark);
    } else {
      to.u8(IDLE);
      to.u8(item.idle ? 1 : 0);
    }
    written.push(to.done());
  }
  return { [NAME]: { redistribute: 'split', items: written } };
}

/** At the same parallelism everything is where it was; at another one rows are dealt out, and a watermark waits behind all of them. */
export function loadInFlight(
  schema: Schema,
  snapshots: readonly OperatorSnapshot[],
  place: Pick<OperatorContext, 'subtask' | 'parallelism'>,
): { readonly items: InFlight[]; readonly watermark: number } {
  const read = (from: readonly OperatorSnapshot[]): InFlight[] =>
    (shareOf(from, place).get(NAME)?.items ?? []).map((bytes) => readItem(schema, bytes));
  if (snapshots.length === place.parallelism) {
    return { items: read(snapshots), watermark: snapshots[place.subtask]?.watermark ?? NO_WATERMARK };
  }
  const items = read(snapshots.map(onlyRows));
  const watermark = Math.min(...snapshots.map((snapshot) => snapshot.watermark));
  if (watermark > NO_WATERMARK) items.push({ kind: 'watermark', watermark, ingestedAt: NEVER_INGESTED });
  return { items, watermark: NO_WATERMARK };
}

function onlyRows(snapshot: OperatorSnapshot): OperatorSnapshot {
  const items = (snapshot.operator[NAME]?.items ?? []).filter((bytes) => bytes[0] === ROW);
  return { ...snapshot, operator: { [NAME]: { redistribute: 'split', items } } };
}

function readItem(schema: Schema, bytes: Uint8Array): InFlight {
  const from = new ByteReader(bytes);
  const kind = from.u8();
  if (kind === WATERMARK) return { kind: 'watermark', watermark: from.f64(), ingestedAt: NEVER_INGESTED };
  if (kind === IDLE) return { kind: 'idle', idle: from.u8() === 1 };
  const time = from.f64();
  return { kind: 'row', time, row: readRow(schema, from) };
}
