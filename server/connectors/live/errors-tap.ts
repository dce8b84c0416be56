/**
 * Counts what validation refused, exactly, by reason and field, and keeps the newest rows with the beginning of their payload.
 *
 * Bounds, per subtask: `REASON_PAIRS` counters, `LIMITS.recentErrors` rows of at most `PREVIEW_BYTES` bytes. Of a batch only the rows that
 * can survive in the ring are copied, so a flood of malformed lines costs a count per line.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Committer, Sink, SinkWriter, WriterContext } from '#engine/io/sink.ts';
import { LIMITS } from '#shared/live.ts';
import { bytesAt, numberAt, rowOf, textAt } from './cells.ts';
import {
  type ErrorsAnswer,
  type ErrorTapRow,
  type FinalReport,
  finalQuery,
  REASON_PAIRS,
  readTapQuery,
} from './queries.ts';
import { NumberedRing } from './ring.ts';

export class ErrorsTap implements Sink<never> {
  createWriter(context: WriterContext): ErrorsTapWriter {
    return new ErrorsTapWriter(context);
  }

  createCommitter(): Committer<never> | null {
    return null;
  }
}

/** A character of the preview takes at most three bytes of UTF-8 (those with four count as two characters). */
const PREVIEW_BYTES = LIMITS.payloadPreview * 3;

interface Kept extends Omit<ErrorTapRow, 'seq' | 'payload'> {
  /** Decoded only when somebody asks. */
  bytes: Uint8Array;
}

interface Counter {
  reason: string;
  field: string | null;
  count: number;
}

export class ErrorsTapWriter implements SinkWriter<never> {
  readonly #context: WriterContext;
  readonly #reason: number;
  readonly #field: number;
  readonly #payload: number;
  readonly #payloadBytes: number;
  readonly #source: number;
  readonly #offset: number;
  readonly #counters = new Map<string, Map<string | null, Counter>>();
  readonly #all: Counter[] = [];
  readonly #ring = new NumberedRing<Kept>(LIMITS.recentErrors);
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #other: Counter | null = null;
  #total = 0;
  /** Cursor of the last question. */
  #asked = 0;

  constructor(context: WriterContext) {
    this.#context = context;
    const of = (name: string): number => context.schema.require(name, 'live errors');
    this.#reason = of('reason');
    this.#field = of('field');
    this.#payload = of('payload');
    this.#payloadBytes = of('payload_bytes');
    this.#source = of('source');
    this.#offset = of('offset');
  }

  write(batch: RecordBatch): void {
    const count = batch.count;
    const skipped = Math.max(0, count - LIMITS.recentErrors);
    const at = this.#context.clock.now();
    this.#total += count;
    this.#ring.skip(skipped);
    for (let k = 0; k < count; k++) {
      const row = rowOf(batch, k);
      const reason = textAt(batch, this.#reason, row) ?? '';
      const field = textAt(batch, this.#field, row);
      this.#counter(reason, field).count++;
      if (k < skipped) continue;
      const payload = bytesAt(batch, this.#payload, row);
      const whole = numberAt(batch, this.#payloadBytes, row);
      this.#ring.push({
        at,
        reason,
        field,
        bytes: payload === null ? new Uint8Array(0) : payload.slice(0, PREVIEW_BYTES),
        payloadBytes: Number.isNaN(whole) ? (payload?.length ?? 0) : whole,
        source: textAt(batch, this.#source, row) ?? '',
        offset: numberAt(batch, this.#offset, row),
      });
    }
  }

  inspect(query: unknown): ErrorsAnswer {
    const { cursor, limit } = readTapQuery(query, this.#context.subtask);
    this.#asked = cursor;
    const { rows, next } = this.#ring.after(cursor, limit);
    return {
      subtask: this.#context.subtask,
      cursor: next,
      total: this.#total,
      counts: this.#all.map((c) => ({ ...c })),
      rows: rows.map(({ seq, row: { bytes, ...rest } }) => ({
        seq,
        ...rest,
        payload: this.#decoder.decode(bytes).slice(0, LIMITS.payloadPreview),
      })),
    };
  }

  prepareCommit(): never[] {
    return [];
  }

  close(): void {
    const limit = LIMITS.recentErrors;
    const report: FinalReport<ErrorsAnswer> = {
      final: this.inspect(finalQuery(this.#context.subtask, this.#asked, limit)),
    };
    this.#context.report(report);
  }

  #counter(reason: string, field: string | null): Counter {
    const known = this.#counters.get(reason)?.get(field);
    if (known) return known;
    if (this.#all.length >= REASON_PAIRS) {
      if (this.#other === null) {
        this.#other = { reason: 'other', field: null, count: 0 };
        this.#all.push(this.#other);
      }
      return this.#other;
    }
    const counter: Counter = { reason, field, count: 0 };
    const fields = this.#counters.get(reason) ?? new Map<string | null, Counter>();
    fields.set(field, counter);
    this.#counters.set(reason, fields);
    this.#all.push(counter);
    return counter;
  }
}
