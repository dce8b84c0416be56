/** Counts the events that came too late for their window and keeps the newest. Bound, per subtask: `LIMITS.recentLate` rows. */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Committer, Sink, SinkWriter, WriterContext } from '#engine/io/sink.ts';
import { LIMITS } from '#shared/live.ts';
import { numberAt, rowOf, textAt } from './cells.ts';
import { type FinalReport, finalQuery, type LateAnswer, type LateTapRow, readTapQuery } from './queries.ts';
import { NumberedRing } from './ring.ts';

export class LateTap implements Sink<never> {
  createWriter(context: WriterContext): LateTapWriter {
    return new LateTapWriter(context);
  }

  createCommitter(): Committer<never> | null {
    return null;
  }
}

export class LateTapWriter implements SinkWriter<never> {
  readonly #context: WriterContext;
  readonly #device: number;
  readonly #timestamp: number;
  readonly #watermark: number;
  readonly #lateBy: number;
  /** Every other number of the event. */
  readonly #values: readonly { name: string; column: number }[];
  readonly #ring = new NumberedRing<Omit<LateTapRow, 'seq'>>(LIMITS.recentLate);
  #total = 0;
  /** Cursor of the last question. */
  #asked = 0;

  constructor(context: WriterContext) {
    this.#context = context;
    const of = (name: string): number => context.schema.require(name, 'live late events');
    this.#device = of('device_id');
    this.#timestamp = of('event_timestamp');
    this.#watermark = of('watermark');
    this.#lateBy = of('late_by_ms');
    const known = new Set([this.#device, this.#timestamp, this.#watermark, this.#lateBy]);
    this.#values = context.schema.columns.flatMap((c, column) =>
      known.has(column) || c.kind === 'string' || c.kind === 'bytes' ? [] : [{ name: c.name, column }],
    );
  }

  write(batch: RecordBatch): void {
    const count = batch.count;
    const skipped = Math.max(0, count - LIMITS.recentLate);
    const at = this.#context.clock.now();
    this.#total += count;
    this.#ring.skip(skipped);
    for (let k = skipped; k < count; k++) {
      const row = rowOf(batch, k);
      this.#ring.push({
        at,
        device: textAt(batch, this.#device, row) ?? '',
        eventTimestamp: numberAt(batch, this.#timestamp, row),
        watermark: numberAt(batch, this.#watermark, row),
        lateByMs: numberAt(batch, this.#lateBy, row),
        values: Object.fromEntries(this.#values.map(({ name, column }) => [name, numberAt(batch, column, row)])),
      });
    }
  }

  inspect(query: unknown): LateAnswer {
    const { cursor, limit } = readTapQuery(query, this.#context.subtask);
    this.#asked = cursor;
    const { rows, next } = this.#ring.after(cursor, limit);
    return {
      subtask: this.#context.subtask,
      cursor: next,
      total: this.#total,
      rows: rows.map(({ seq, row }) => ({ seq, ...row })),
    };
  }

  prepareCommit(): never[] {
    return [];
  }

  close(): void {
    const limit = LIMITS.recentLate;
    const report: FinalReport<LateAnswer> = {
      final: this.inspect(finalQuery(this.#context.subtask, this.#asked, limit)),
    };
    this.#context.report(report);
  }
}
