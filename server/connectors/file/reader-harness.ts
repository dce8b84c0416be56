/** Runs a file source without an engine, for tests: enumerator and readers take turns in one thread. Only tests import it. */

import { ManualClock } from '#base/clock.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { RecordBatch } from '#engine/batch/record-batch.ts';
import { Poll } from '#engine/io/source.ts';
import { defectField, defectReason, RawReading } from '../iot/reading.ts';
import { FileSource } from './file-source.ts';
import type { FileSplit } from './file-splits.ts';
import type { FileSourceOptions } from './open-input.ts';

/** A row as plain values. */
export interface ReadRow {
  readonly id: string | null;
  readonly numbers: readonly (number | null)[];
  readonly time: number | null;
  /** `reason` or `reason:field`; empty when there is no defect. */
  readonly defect: string;
  readonly payload: Buffer;
  readonly payloadBytes: number | null;
  readonly source: string | null;
  readonly offset: number;
}

export interface ReadResult {
  readonly rows: ReadRow[];
  readonly splits: FileSplit[];
  /** Rows of each split, by its id. */
  readonly rowsOf: ReadonlyMap<string, ReadRow[]>;
  readonly source: FileSource;
}

export interface HarnessOptions {
  readonly parallelism?: number;
  readonly batchRows?: number;
  /** Sweeps the dictionaries at this many strings. */
  readonly sweepEntries?: number;
  /** Asked before each poll: whether all splits are paused for it. */
  readonly pauses?: () => boolean;
}

export async function readAll(options: FileSourceOptions, harness: HarnessOptions = {}): Promise<ReadResult> {
  const { parallelism = 1, batchRows = 64, sweepEntries = 1 << 20, pauses = () => false } = harness;
  const source = new FileSource(options);
  const clock = new ManualClock();
  const mail: (() => void)[] = [];
  const splits: FileSplit[] = [];
  const rowsOf = new Map<string, ReadRow[]>();
  const rows: ReadRow[] = [];
  let failure: unknown = null;
  const enumerator = source.createEnumerator({
    restored: null,
    parallelism,
    clock,
    assign: (subtask, split) => mail.push(() => subtasks[subtask]?.add(structuredClone(split))),
    noMoreSplits: (subtask) => mail.push(() => subtasks[subtask]?.reader.noMoreSplits()),
    send: () => {},
    fail: (error) => {
      failure = error;
    },
  });
  const subtasks = Array.from({ length: parallelism }, (_, subtask) => {
    const dictionary = new Dictionary(sweepEntries);
    const mine: FileSplit[] = [];
    const paused = new Set<number>();
    const reader = source.createReader({
      subtask,
      parallelism,
      clock,
      dictionary,
      requestSplit: () => mail.push(() => enumerator.onSplitRequest(subtask)),
      splitFinished: () => {},
      paused,
      wake: () => {},
      send: (event) => enumerator.onReaderEvent?.(subtask, structuredClone(event)),
    });
    const add = (split: FileSplit) => {
      splits.push(split);
      rowsOf.set(split.id, []);
      reader.addSplit(split, mine.length);
      mine.push(split);
    };
    return {
      reader,
      dictionary,
      mine,
      paused,
      add,
      batch: RecordBatch.allocate(RawReading, dictionary, batchRows),
      ended: false,
    };
  });

  enumerator.start();
  try {
    while (subtasks.some((s) => !s.ended)) {
      for (const s of subtasks) {
        if (s.ended) continue;
        s.batch.size = 0;
        s.batch.bytes('payload').reset();
        if (pauses()) for (const index of s.mine.keys()) s.paused.add(index);
        const found = s.reader.poll(s.batch);
        if (s.paused.size > 0 && s.batch.size > 0) throw new Error('Rows of a split that is paused.');
        s.paused.clear();
        const read = rowsIn(s.batch, s.dictionary);
        rows.push(...read);
        rowsOf.get(s.mine[s.batch.split]?.id ?? '')?.push(...read);
        s.ended = found === Poll.END;
        if (found === Poll.WAIT && mail.length === 0) await new Promise((resolve) => setImmediate(resolve));
        if (s.dictionary.sweepIfLarge()) s.reader.onDictionarySwept?.();
      }
      for (const letter of mail.splice(0)) letter();
      clock.advance(1);
      if (failure !== null) throw failure;
    }
  } finally {
    for (const s of subtasks) s.reader.close();
    enumerator.close();
  }
  return { rows, splits, rowsOf, source };
}

function rowsIn(batch: RecordBatch, dictionary: Dictionary): ReadRow[] {
  const orNull = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? null : value);
  return Array.from({ length: batch.size }, (_, row) => {
    const code = batch.i32('defect')[row] ?? 0;
    const field = code === 0 ? null : defectField(code);
    return {
      id: dictionary.get(batch.codes('device_id')[row] ?? -1),
      numbers: ['event_timestamp', 'temperature', 'humidity', 'pressure'].map((name) => orNull(batch.f64(name)[row])),
      time: orNull(batch.time[row]),
      defect: code === 0 ? '' : field === null ? defectReason(code) : `${defectReason(code)}:${field}`,
      payload: Buffer.from(batch.bytes('payload').get(row) ?? []),
      payloadBytes: orNull(batch.f64('payload_bytes')[row]),
      source: dictionary.get(batch.codes('source')[row] ?? -1),
      offset: batch.f64('offset')[row] ?? -1,
    };
  });
}
