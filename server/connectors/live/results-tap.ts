/**
 * Keeps the newest window results of a few devices for whoever looks. Rows of all other devices cost one table look-up.
 *
 * Bounds, per subtask: `LIMITS.watchedDevices` devices seen first and `PINNED_DEVICES` asked for, `LIMITS.resultsPerDevice` results each,
 * and the names of `DISTINCT_DEVICES` devices, to count them.
 */

import { UsageError } from '#base/errors.ts';
import type { Dictionary } from '#engine/batch/dictionary.ts';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Committer, Sink, SinkWriter, WriterContext } from '#engine/io/sink.ts';
import { LIMITS } from '#shared/live.ts';
import { numberAt, rowOf } from './cells.ts';
import {
  DISTINCT_DEVICES,
  type FinalReport,
  finalQuery,
  PINNED_DEVICES,
  type ResultRow,
  type ResultsAnswer,
  readNames,
  readTapQuery,
} from './queries.ts';
import { dropReplaced } from './replaced.ts';

export class ResultsTap implements Sink<never> {
  createWriter(context: WriterContext): ResultsTapWriter {
    return new ResultsTapWriter(context);
  }

  createCommitter(): Committer<never> | null {
    return null;
  }
}

/** What a dictionary code stands for: nothing known yet, a device nobody watches, or (from 0) a position in `#rings`. */
const UNKNOWN = -2;
const UNWATCHED = -1;

interface Ring {
  device: string;
  rows: ResultRow[];
  /** Latest window start seen; -Infinity: none. */
  newest: number;
}

export class ResultsTapWriter implements SinkWriter<never> {
  readonly #context: WriterContext;
  readonly #device: number;
  readonly #start: number;
  readonly #end: number;
  readonly #values: readonly number[];
  /** Watched devices; a hole is free to be taken. */
  readonly #rings: (Ring | null)[] = [];
  readonly #ringOf = new Map<string, number>();
  readonly #tables = new Map<Dictionary, Int32Array>();
  readonly #distinct = new Set<string>();
  #atLeast = false;
  #pinned = new Set<string>();
  /** Devices watched because they were seen first. */
  #chosen = 0;
  #chosenNames = new Set<string>();
  #seq = 0;
  #total = 0;
  /** Cursor of the last question. */
  #asked = 0;

  constructor(context: WriterContext) {
    this.#context = context;
    const { columns } = context.schema;
    this.#device = context.schema.require('device_id', 'live results');
    this.#start = context.schema.require('window_start', 'live results');
    this.#end = context.schema.require('window_end', 'live results');
    if (columns[this.#device]?.kind !== 'string')
      throw new UsageError('The live results need device_id to be a string.');
    const known = new Set([this.#device, this.#start, this.#end]);
    this.#values = columns.flatMap((c, i) => (known.has(i) || c.kind === 'string' || c.kind === 'bytes' ? [] : [i]));
  }

  write(batch: RecordBatch): void {
    const codes = batch.columns[this.#device];
    const dictionary = batch.dictionaries[this.#device];
    if (!(codes instanceof Int32Array) || !dictionary) throw new TypeError('device_id is no string column.');
    let table = this.#tableOf(dictionary);
    const count = batch.count;
    this.#total += count;
    for (let k = 0; k < count; k++) {
      const row = rowOf(batch, k);
      const code = codes[row] as number;
      if (code < 0) continue;
      if (code >= table.length) table = this.#growTable(dictionary, code);
      let place = table[code] as number;
      if (place === UNKNOWN) {
        place = this.#meet(dictionary.get(code) ?? '');
        table[code] = place;
      }
      if (place !== UNWATCHED) this.#keep(batch, row, place);
    }
  }

  inspect(query: unknown): ResultsAnswer {
    const { cursor, limit } = readTapQuery(query, this.#context.subtask);
    this.#asked = cursor;
    const asked = typeof query === 'object' && query !== null ? query : {};
    const pinned = 'pinned' in asked ? readNames(asked.pinned, PINNED_DEVICES) : null;
    if (pinned !== null) this.#pin(pinned);
    const devices = 'devices' in asked ? readNames(asked.devices, LIMITS.watchedDevices + PINNED_DEVICES) : null;
    const wanted = devices === null ? null : new Set(devices);
    const rows: ResultRow[] = [];
    if (limit > 0) {
      for (const ring of this.#rings) {
        if (ring === null || (wanted !== null && !wanted.has(ring.device))) continue;
        for (let i = ring.rows.length - 1; i >= 0; i--) {
          const row = ring.rows[i] as ResultRow;
          if (row.seq <= cursor) break;
          rows.push(row);
        }
      }
      rows.sort((a, b) => a.seq - b.seq);
      if (rows.length > limit) rows.length = limit;
    }
    return {
      subtask: this.#context.subtask,
      cursor: limit === 0 ? cursor : rows.length < limit ? this.#seq : (rows.at(-1)?.seq ?? this.#seq),
      total: this.#total,
      devices: this.#distinct.size,
      atLeast: this.#atLeast,
      rows,
    };
  }

  prepareCommit(): never[] {
    return [];
  }

  close(): void {
    const limit = (LIMITS.watchedDevices + PINNED_DEVICES) * LIMITS.resultsPerDevice;
    const report: FinalReport<ResultsAnswer> = {
      final: this.inspect(finalQuery(this.#context.subtask, this.#asked, limit)),
    };
    this.#context.report(report);
  }

  #keep(batch: RecordBatch, row: number, place: number): void {
    const ring = this.#rings[place];
    if (!ring) return;
    const start = numberAt(batch, this.#start, row);
    const end = numberAt(batch, this.#end, row);
    // Windows of one device fire in order, except when a late event makes an old one fire again, or a session grow; rows are in the order
    // of firing.
    const lateUpdate = start <= ring.newest && dropReplaced(ring.rows, { start, end });
    const kept = ring.rows;
    ring.newest = Math.max(ring.newest, start);
    if (kept.length === LIMITS.resultsPerDevice) kept.shift();
    kept.push({
      seq: ++this.#seq,
      device: ring.device,
      start,
      end,
      values: this.#values.map((column) => numberAt(batch, column, row)),
      lateUpdate,
      at: this.#context.clock.now(),
    });
  }

  /** A name is seen for the first time since its code was given: counts it and says where its results go. */
  #meet(device: string): number {
    if (!this.#distinct.has(device)) {
      if (this.#distinct.size < DISTINCT_DEVICES) this.#distinct.add(device);
      else this.#atLeast = true;
    }
    const known = this.#ringOf.get(device);
    if (known !== undefined) return known;
    if (this.#chosen >= LIMITS.watchedDevices) return UNWATCHED;
    this.#chosen++;
    this.#chosenNames.add(device);
    return this.#watch(device);
  }

  #watch(device: string): number {
    const free = this.#rings.indexOf(null);
    const place = free < 0 ? this.#rings.length : free;
    this.#rings[place] = { device, rows: [], newest: Number.NEGATIVE_INFINITY };
    this.#ringOf.set(device, place);
    return place;
  }

  #pin(devices: readonly string[]): void {
    const pinned = new Set(devices);
    let changed = false;
    for (const device of this.#pinned) {
      const place = this.#ringOf.get(device);
      if (pinned.has(device) || this.#chosenNames.has(device) || place === undefined) continue;
      this.#rings[place] = null;
      this.#ringOf.delete(device);
      changed = true;
    }
    for (const device of pinned) {
      if (this.#ringOf.has(device)) continue;
      this.#watch(device);
      changed = true;
    }
    this.#pinned = pinned;
    if (changed) for (const table of this.#tables.values()) table.fill(UNKNOWN);
  }

  #tableOf(dictionary: Dictionary): Int32Array {
    const known = this.#tables.get(dictionary);
    if (known) return known;
    dictionary.onFree((code) => {
      const table = this.#tables.get(dictionary);
      if (table && code < table.length) table[code] = UNKNOWN;
    });
    return this.#growTable(dictionary, 1023);
  }

  #growTable(dictionary: Dictionary, code: number): Int32Array {
    const before = this.#tables.get(dictionary);
    const table = new Int32Array(Math.max(code + 1, (before?.length ?? 0) * 2)).fill(UNKNOWN);
    if (before) table.set(before);
    this.#tables.set(dictionary, table);
    return table;
  }
}
