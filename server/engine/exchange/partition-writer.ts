/**
 * One output of a task: decides for every row which channels get it (Flink's partitioners) and writes it there. When a channel has no
 * credits it remembers where it stopped and is not ready until `resume` has written the rest; nothing is buffered but the rows' positions.
 */

import { WeirError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import type { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import type { ColumnKind } from '../batch/schema.ts';
import type { Partitioner } from '../graph/job-graph.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { Consumer } from '../operators/output.ts';
import type { CheckpointBarrier } from './barrier.ts';
import type { ChannelWriter } from './channel.ts';
import { javaHash, keyGroupOf, subtaskOf } from './key-groups.ts';

/** Rows of the current batch that go to one channel. */
interface Share {
  readonly rows: Int32Array;
  count: number;
  written: number;
}

export class PartitionWriter implements Consumer {
  readonly #partitioner: Partitioner;
  readonly #channels: readonly ChannelWriter[];
  readonly #shares: Share[];
  readonly #maxParallelism: number;
  readonly #keyKind: ColumnKind | null;
  #batch: RecordBatch | null = null;
  /** Every channel gets every row (or there is only one). */
  readonly #whole: boolean;
  #next: number;
  /** Draws the channels of markers; the same in every run. */
  readonly #random: Random;
  #targets = new Int32Array(0);
  #targetsOf: Dictionary | null = null;
  /** The current batch has keys that no batch before it had: their strings have not been sent yet. */
  #newKeys = false;
  readonly #listening = new WeakSet<Dictionary>();

  /**
   * `channels`: one per consumer subtask that this producer may reach. `subtask` spreads the starts of round robins.
   * `keyKind`: kind of the key column, for `hash`.
   */
  constructor(
    partitioner: Partitioner,
    channels: readonly ChannelWriter[],
    options: { maxParallelism: number; subtask: number; keyKind: ColumnKind | null },
  ) {
    this.#partitioner = partitioner;
    this.#channels = channels;
    this.#maxParallelism = options.maxParallelism;
    this.#keyKind = options.keyKind;
    this.#next = options.subtask % channels.length;
    this.#random = new Random(options.subtask);
    this.#whole = channels.length === 1 || partitioner.kind === 'broadcast';
    this.#shares = channels.map(() => ({ rows: new Int32Array(this.#whole ? 0 : BATCH_ROWS), count: 0, written: 0 }));
  }

  /** Rows are left over for want of credits. */
  get pending(): boolean {
    return this.#batch !== null;
  }

  ready(): boolean {
    if (this.#batch !== null) return false;
    for (const channel of this.#channels) if (!channel.ready()) return false;
    return true;
  }

  batch(batch: RecordBatch): void {
    this.#batch = batch;
    this.#newKeys = false;
    if (this.#whole) {
      for (const share of this.#shares) {
        share.count = batch.count;
        share.written = 0;
      }
    } else {
      for (const share of this.#shares) {
        share.count = 0;
        share.written = 0;
      }
      if (this.#partitioner.kind === 'hash') this.#byKey(batch, this.#partitioner.column);
      else this.#roundRobin(batch);
    }
    this.resume();
  }

  /** Writes what is left over, as far as there are credits. */
  resume(): void {
    const batch = this.#batch;
    if (batch === null) return;
    let left = false;
    const known = this.#partitioner.kind === 'hash' && !this.#whole && !this.#newKeys ? this.#partitioner.column : -1;
    for (let c = 0; c < this.#channels.length; c++) {
      const share = this.#shares[c] as Share;
      if (share.written < share.count) {
        const rows = this.#whole ? batch.selection : share.rows;
        share.written = (this.#channels[c] as ChannelWriter).write(batch, rows, share.written, share.count, known);
        if (share.written < share.count) left = true;
      }
    }
    if (!left) this.#batch = null;
  }

  watermark(watermark: number, ingestedAt = NEVER_INGESTED): void {
    for (const channel of this.#channels) channel.watermark(watermark, ingestedAt);
  }

  idle(idle: boolean): void {
    for (const channel of this.#channels) channel.idle(idle);
  }

  /** To one channel, whichever the partitioner: all of them would multiply markers from exchange to exchange. */
  marker(marker: LatencyMarker): void {
    (this.#channels[this.#random.below(this.#channels.length)] as ChannelWriter).marker(marker);
  }

  /** To every channel, whichever the partitioner. */
  barrier(barrier: CheckpointBarrier): void {
    for (const channel of this.#channels) channel.barrier(barrier);
  }

  end(): void {
    for (const channel of this.#channels) channel.end();
  }

  flush(): void {
    for (const channel of this.#channels) channel.flush();
  }

  #roundRobin(batch: RecordBatch): void {
    const n = this.#channels.length;
    const count = batch.count;
    for (let i = 0; i < count; i++) {
      const share = this.#shares[this.#next] as Share;
      share.rows[share.count++] = batch.row(i);
      this.#next = this.#next + 1 === n ? 0 : this.#next + 1;
    }
  }

  #byKey(batch: RecordBatch, column: number): void {
    const keys = batch.columns[column] as Int32Array | Uint8Array;
    const count = batch.count;
    if (this.#keyKind !== 'string') {
      for (let i = 0; i < count; i++) {
        const k = batch.row(i);
        const share = this.#shares[this.#subtaskOf(keys[k] as number)] as Share;
        share.rows[share.count++] = k;
      }
      return;
    }
    const dictionary = batch.dictionaries[column] as Dictionary;
    const targets = this.#targetsFor(dictionary);
    if (this.#shares.length === 2) {
      const [a, b] = this.#shares as [Share, Share];
      split(keys as Int32Array, batch.selection, count, targets, a, b, (code) => this.#target(dictionary, code));
      return;
    }
    for (let i = 0; i < count; i++) {
      const k = batch.row(i);
      const code = keys[k] as number;
      let target = targets[code] as number;
      // Written so that no target (a null key) is looked at too.
      if (!(target >= 0)) target = this.#target(dictionary, code);
      const share = this.#shares[target] as Share;
      share.rows[share.count++] = k;
    }
  }

  /** Subtask of a key, worked out once per distinct string. */
  #target(dictionary: Dictionary, code: number): number {
    this.#newKeys = true;
    const key = dictionary.get(code);
    if (key === null) {
      throw new WeirError('NULL_KEY', 'A row with a null key reached keyBy: give it a key, or filter it out before.');
    }
    const target = this.#subtaskOf(javaHash(key));
    this.#targets[code] = target;
    return target;
  }

  #subtaskOf(hash: number): number {
    return subtaskOf(keyGroupOf(hash, this.#maxParallelism), this.#channels.length, this.#maxParallelism);
  }

  #targetsFor(dictionary: Dictionary): Int32Array {
    if (this.#targetsOf !== dictionary) {
      this.#targetsOf = dictionary;
      this.#targets = new Int32Array(Math.max(dictionary.capacity, 1024)).fill(-1);
      if (!this.#listening.has(dictionary)) {
        this.#listening.add(dictionary);
        // Channels forget what they have sent of it, so every key counts as new again.
        dictionary.onSwept(() => {
          if (this.#targetsOf === dictionary) this.#targets.fill(-1);
        });
      }
    } else if (this.#targets.length < dictionary.capacity) {
      const grown = new Int32Array(Math.max(dictionary.capacity, this.#targets.length * 2)).fill(-1);
      grown.set(this.#targets);
      this.#targets = grown;
    }
    return this.#targets;
  }
}

/** Two consumers, without a branch that a processor could guess wrong. */
function split(
  keys: Int32Array,
  selection: Int32Array | null,
  count: number,
  targets: Int32Array,
  a: Share,
  b: Share,
  unknown: (code: number) => number,
): void {
  const left = a.rows;
  const right = b.rows;
  let l = 0;
  let r = 0;
  for (let i = 0; i < count; i++) {
    const k = selection === null ? i : (selection[i] as number);
    let target = targets[keys[k] as number] as number;
    // Written so that no target (a null key) is looked at too.
    if (!(target >= 0)) target = unknown(keys[k] as number);
    left[l] = k;
    right[r] = k;
    r += target;
    l = i + 1 - r;
  }
  a.count = l;
  b.count = r;
}
