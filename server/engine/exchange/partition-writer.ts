/**
 * One output of a task: decides for every row which channels get it (Flink's partitioners) and writes it there. When a channel has no
 * credits it remembers where it stopped and is not ready until `resume` has written the rest; nothing is buffered but the rows' positions.
 *
 * For a barrier that overtakes rows it is overdrawn: it takes rows without credits, as copies, which the checkpoint keeps and which go out
 * before anything else when there are credits again.
 */

import { WeirError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import type { ColumnKind, Schema } from '../batch/schema.ts';
import type { Partitioner } from '../graph/job-graph.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { Consumer } from '../operators/output.ts';
import type { CheckpointBarrier } from './barrier.ts';
import type { ChannelWriter } from './channel.ts';
import { encodeRows, InFlight, type InFlightElement, rowsOf } from './in-flight.ts';
import { javaHash, keyGroupOf, subtaskOf } from './key-groups.ts';

/** Bytes of copies beyond which a writer is not overdrawn any further: then a barrier waits for credits, as any other. */
const OVERDRAFT_BYTES = 64 << 20;

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
  /** Goes out before anything else. */
  readonly inFlight: InFlight;
  /** Of its strings: to be swept between elements. */
  readonly dictionary = new Dictionary();
  #overdrawn = false;

  /**
   * `channels`: one per consumer subtask that this producer may reach. `subtask` spreads the starts of round robins.
   * `keyKind`: kind of the key column, for `hash`. `restored`: what goes out first.
   */
  constructor(
    partitioner: Partitioner,
    channels: readonly ChannelWriter[],
    options: { schema: Schema; maxParallelism: number; subtask: number; keyKind: ColumnKind | null },
    restored: readonly InFlightElement[] = [],
  ) {
    this.inFlight = new InFlight(options.schema, () => this.dictionary);
    for (const element of restored) this.inFlight.add(element);
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
    return this.#batch !== null || (!this.#overdrawn && !this.inFlight.empty);
  }

  ready(): boolean {
    if (this.#overdrawn) return this.inFlight.bytes < OVERDRAFT_BYTES;
    if (this.#batch !== null || !this.inFlight.empty) return false;
    return this.#allReady();
  }

  #allReady(): boolean {
    for (const channel of this.#channels) if (!channel.ready()) return false;
    return true;
  }

  /** What is left over, and what comes until `overdraw(false)`, is copied. False: that cannot be, nothing has changed. */
  overdraw(on: boolean): boolean {
    if (on) {
      if (this.inFlight.bytes >= OVERDRAFT_BYTES) return false;
      for (const channel of this.#channels) if (!channel.letGo()) return false;
      if (this.#batch !== null) this.#setAside(this.#batch);
    }
    this.#overdrawn = on;
    return true;
  }

  #setAside(batch: RecordBatch): void {
    const elements: InFlightElement[] = [];
    for (const [channel, { written, count, rows }] of this.#shares.entries()) {
      if (written === count) continue;
      const bytes = encodeRows(batch.schema, rowsOf(batch), this.#whole ? batch.selection : rows, written, count);
      elements.push({ kind: 'rows', channel, bytes, ingestedAt: batch.ingestedAt });
    }
    this.inFlight.putBack(elements);
    this.#batch = null;
  }

  batch(batch: RecordBatch): void {
    if (this.#overdrawn) this.inFlight.rows(batch);
    else this.#send(batch);
  }

  #send(batch: RecordBatch): void {
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
    this.#writeRest();
  }

  /** Writes what is left over, as far as there are credits. */
  resume(): void {
    this.#writeRest();
    if (this.#overdrawn) return;
    while (this.#batch === null && !this.inFlight.empty && this.#allReady()) this.#sendOn();
  }

  /** The next of what is in flight. */
  #sendOn(): void {
    const element = this.inFlight.shift() as InFlightElement;
    switch (element.kind) {
      case 'rows':
        if (element.channel < 0) this.#send(this.inFlight.decode(element));
        else this.#sendTo(element.channel, this.inFlight.decode(element));
        break;
      case 'watermark':
        this.watermark(element.watermark, element.ingestedAt);
        break;
      case 'idle':
        this.idle(element.idle);
        break;
      case 'marker':
        this.marker(element.marker);
        break;
      case 'end':
        this.end();
        break;
    }
  }

  /** Rows that one channel lacks. */
  #sendTo(channel: number, batch: RecordBatch): void {
    this.#batch = batch;
    // Channels learn the strings of another dictionary here: those of keys count as new again.
    this.#newKeys = true;
    this.#targetsOf = null;
    for (const [c, share] of this.#shares.entries()) {
      share.written = 0;
      share.count = c === channel ? batch.count : 0;
      if (c === channel && !this.#whole) for (let i = 0; i < batch.count; i++) share.rows[i] = i;
    }
    this.#writeRest();
  }

  #writeRest(): void {
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
    if (this.#overdrawn) this.inFlight.add({ kind: 'watermark', channel: -1, watermark, ingestedAt });
    else for (const channel of this.#channels) channel.watermark(watermark, ingestedAt);
  }

  idle(idle: boolean): void {
    if (this.#overdrawn) this.inFlight.add({ kind: 'idle', channel: -1, idle });
    else for (const channel of this.#channels) channel.idle(idle);
  }

  /** To one channel, whichever the partitioner: all of them would multiply markers from exchange to exchange. */
  marker(marker: LatencyMarker): void {
    if (this.#overdrawn) this.inFlight.add({ kind: 'marker', channel: -1, marker });
    else (this.#channels[this.#random.below(this.#channels.length)] as ChannelWriter).marker(marker);
  }

  /** To every channel, whichever the partitioner; ahead of what is in flight if it may overtake rows. */
  barrier(barrier: CheckpointBarrier): void {
    for (const channel of this.#channels) channel.barrier(barrier);
  }

  end(): void {
    if (this.#overdrawn) this.inFlight.add({ kind: 'end', channel: -1 });
    else for (const channel of this.#channels) channel.end();
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

/** Rows that one turn of `split` looks at: their loads then overlap. */
const TURN = 4;

/**
 * Two consumers, without a branch that a processor could guess wrong: every row is written to both lists, and the end of one of them moves.
 * `unknown` is asked for the target of a key that has none yet (-1), and of a null key.
 */
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
  let i = 0;
  while (i < count) {
    for (const whole = count - TURN; i <= whole; i += TURN) {
      const k0 = selection === null ? i : (selection[i] as number);
      const k1 = selection === null ? i + 1 : (selection[i + 1] as number);
      const k2 = selection === null ? i + 2 : (selection[i + 2] as number);
      const k3 = selection === null ? i + 3 : (selection[i + 3] as number);
      const c0 = keys[k0] as number;
      const c1 = keys[k1] as number;
      const c2 = keys[k2] as number;
      const c3 = keys[k3] as number;
      if ((c0 | c1 | c2 | c3) < 0) break;
      const t0 = targets[c0] as number;
      const t1 = targets[c1] as number;
      const t2 = targets[c2] as number;
      const t3 = targets[c3] as number;
      if ((t0 | t1 | t2 | t3) < 0) break;
      left[l] = k0;
      right[r] = k0;
      r += t0;
      l += 1 - t0;
      left[l] = k1;
      right[r] = k1;
      r += t1;
      l += 1 - t1;
      left[l] = k2;
      right[r] = k2;
      r += t2;
      l += 1 - t2;
      left[l] = k3;
      right[r] = k3;
      r += t3;
      l += 1 - t3;
    }
    // The turn with a new key, and what is left of the last.
    for (const end = Math.min(count, i + TURN); i < end; i++) {
      const k = selection === null ? i : (selection[i] as number);
      const code = keys[k] as number;
      let target = code < 0 ? -1 : (targets[code] as number);
      if (target < 0) target = unknown(code);
      left[l] = k;
      right[r] = k;
      r += target;
      l += 1 - target;
    }
  }
  a.count = l;
  b.count = r;
}
