/**
 * Where a task's input channels come together: one valve for their watermarks, one dictionary for their strings, one element at a time for
 * the chain behind.
 *
 *   ring of another thread ──┐                          ┌──> batch
 *   ring of another thread ──┼──> gate (valve, codes) ──┼──> watermark, status
 *   writer of this thread  ──┘                          ├──> markers, of each channel as they come
 *                                                       └──> end, when all have ended
 *
 * Channels of the same thread hand their batches over by reference, through `LocalWriter`; nothing is copied but the codes of strings, and
 * not even those when there is only one channel. Either way a column's codes belong to one dictionary for as long as the gate lives.
 *
 * Among rings with something to read the one whose watermark lags most comes first, so that sources that read at different speeds do not
 * pile up open windows; those equally far take turns.
 */

import { Dictionary } from '../batch/dictionary.ts';
import { NEVER_INGESTED, RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { Consumer } from '../operators/output.ts';
import { WatermarkValve } from '../time/watermark-valve.ts';
import type { CheckpointBarrier } from './barrier.ts';
import type { BarrierAligner, OvertakenChannels } from './barrier-aligner.ts';
import type { ChannelWriter } from './channel.ts';
import { InFlight, type InFlightElement } from './in-flight.ts';
import { LocalStrings } from './local-strings.ts';
import { cellBytes, type Ring } from './ring-layout.ts';
import { type Arrival, RingReader } from './ring-reader.ts';
import { RowWatermarks } from './row-watermarks.ts';

/** A slot being delivered; stages count up as far as the chain had credits. */
interface Delivery {
  readonly channel: number;
  readonly reader: RingReader;
  readonly arrival: Arrival;
  stage: number;
}

/** Stage of a slot whose rows have been handed on, and which has not been given back. */
const ROWS_DELIVERED = 2;

/** What goes to the chain between batches. */
type News =
  | { readonly kind: 'watermark'; readonly watermark: number; readonly ingestedAt: number }
  | { readonly kind: 'idle'; readonly idle: boolean }
  | { readonly kind: 'marker'; readonly marker: LatencyMarker };

export class InputGate implements OvertakenChannels {
  /** As of a pair. */
  readonly gates: readonly InputGate[] = [this];
  readonly schema: Schema;
  readonly #target: Consumer;
  readonly #valve: WatermarkValve;
  readonly #rowWatermarks: RowWatermarks;
  readonly #rings: { channel: number; reader: RingReader }[] = [];
  readonly #channels: number;
  readonly #ended: Uint8Array;
  #open: number;
  /** What the chain has not taken yet. */
  readonly #news: News[] = [];
  /** Ingestion of the element that is going through the valve; of a channel that went idle or ended there is none. */
  #ingestedAt = NEVER_INGESTED;
  #delivery: Delivery | null = null;
  #endDelivered = false;
  #dictionary: Dictionary | null = null;
  /** Whether this gate's task is the one to sweep its dictionary. */
  #sweeps: () => boolean = () => true;
  /** Ring to look at first. */
  #turn = 0;
  readonly #barriers: BarrierAligner | null;
  /** Number of its first channel there. */
  readonly #firstChannel: number;
  /** What was in flight when the snapshot was taken that the task goes on from: comes before anything else. */
  #restored: InFlight | null = null;
  /** Channels whose elements are kept for a checkpoint, and what was kept. */
  readonly #recording: Uint8Array;
  #kept: InFlight;
  /** Of one row, strings as their codes. */
  readonly #rowBytes: number;

  /** `target` is the head of the chain, `barriers` the aligner of the task; without one barriers are of no concern. */
  constructor(schema: Schema, channels: number, target: Consumer, barriers: BarrierAligner | null = null) {
    this.schema = schema;
    this.#barriers = barriers;
    this.#firstChannel = barriers?.addChannels(channels, this) ?? 0;
    this.#target = target;
    this.#channels = channels;
    this.#open = channels;
    this.#ended = new Uint8Array(channels);
    this.#recording = new Uint8Array(channels);
    this.#rowBytes = 8 + schema.columns.reduce((sum, { kind }) => sum + cellBytes(kind), 0);
    this.#kept = this.#newInFlight();
    this.#valve = new WatermarkValve(channels, {
      watermark: (watermark) => {
        if (this.#rowWatermarks.moving) return;
        this.#news.push({ kind: 'watermark', watermark, ingestedAt: this.#ingestedAt });
      },
      idle: (idle) => this.#news.push({ kind: 'idle', idle }),
    });
    this.#rowWatermarks = new RowWatermarks(this.#valve);
  }

  /** Dictionary of what the gate hands on; with a single local channel that is the producer's own. */
  dictionary(): Dictionary {
    this.#dictionary ??= new Dictionary();
    return this.#dictionary;
  }

  /**
   * Uses the dictionary of a producer in this thread, so that its rows need no translation; rings add what they bring to it. The producer
   * goes on sweeping it until `ended` says that it has finished. To be called before channels are added.
   */
  adopt(dictionary: Dictionary, ended: () => boolean): void {
    this.#dictionary = dictionary;
    this.#sweeps = ended;
  }

  /** Entries of the dictionary, if the gate has one. */
  get dictionaryEntries(): number {
    return this.#dictionary?.size ?? 0;
  }

  /** To be called between elements. */
  sweep(): void {
    if (this.#dictionary !== null && this.#sweeps()) this.#dictionary.sweepIfLarge();
  }

  addRing(channel: number, ring: Ring, notifyProducer: () => void): void {
    this.#rings.push({ channel, reader: new RingReader(ring, this.schema, this.dictionary(), notifyProducer) });
  }

  /**
   * Sending end of a channel whose producer is in this thread. `consumed` is told the nanoseconds the consumer worked for it; `letGo` has the
   * task behind the gate copy what it was lent.
   */
  addLocal(
    channel: number,
    nanos: () => number,
    consumed: (nanoseconds: number) => void,
    letGo: () => boolean = () => true,
  ): ChannelWriter {
    // What was restored comes with the codes of the gate.
    const adopt = this.#channels === 1 && this.#restored === null;
    return new LocalWriter(this, channel, adopt, { nanos, consumed, letGo });
  }

  /** Elements that come before anything new. To be called before channels are added. */
  restore(elements: readonly InFlightElement[]): void {
    if (elements.length === 0) return;
    this.#restored ??= this.#newInFlight();
    for (const element of elements) this.#restored.add(element);
  }

  /** Something that was restored has not been delivered. */
  get restoring(): boolean {
    return this.#restored !== null;
  }

  #newInFlight(): InFlight {
    return new InFlight(this.schema, () => this.dictionary());
  }

  /** Everything has been delivered, the end included. */
  get ended(): boolean {
    return this.#endDelivered;
  }

  /** Nothing is half-delivered nor left of what was restored, and the chain takes more. */
  ready(): boolean {
    return this.#restored === null && this.#free();
  }

  #free(): boolean {
    return this.#delivery === null && this.#news.length === 0 && this.#target.ready();
  }

  /** Delivers what is half-delivered, as far as there are credits. Whether nothing is left of it. */
  settle(): boolean {
    this.#advance();
    return this.#delivery === null && this.#news.length === 0;
  }

  /** Takes note of barriers, where they stand and ahead of their turn. */
  lookForBarriers(): void {
    for (const { channel, reader } of this.#rings) {
      const announced = reader.announced();
      if (announced === null) continue;
      if (reader.atBarrier && this.#delivery?.reader !== reader) {
        reader.passBarrier();
        this.acceptBarrier(channel, announced);
      } else this.#barriers?.announce(this.#firstChannel + channel, announced);
    }
  }

  /** A snapshot is being taken that is not aligned: begins with the watermarks that the channels have. */
  beginKeeping(): void {
    this.#kept = this.#newInFlight();
    for (let channel = 0; channel < this.#channels; channel++)
      this.#keepWatermark(channel, this.#valve.watermarkOf(channel));
    for (const element of this.#restored?.elements ?? []) this.#kept.add(element);
  }

  /** What was kept since then. It belongs to that checkpoint alone: the next one finds nothing of it. */
  takeKept(): readonly InFlightElement[] {
    const { elements } = this.#kept;
    this.drop();
    return elements;
  }

  drop(): void {
    this.#kept = this.#newInFlight();
  }

  capture(channel: number): void {
    this.#recording[channel] = 0;
    const ring = this.#rings.find((one) => one.channel === channel);
    if (ring === undefined) return;
    // A slot that is being delivered lies in the ring until the chain is through with its rows.
    const delivery = this.#delivery?.reader === ring.reader ? this.#delivery : null;
    const begun = delivery !== null && delivery.stage <= ROWS_DELIVERED;
    if (begun) {
      const { rows, watermarkBefore, watermarkAfter } = delivery.arrival;
      if (delivery.stage < ROWS_DELIVERED) {
        this.#keepWatermark(channel, watermarkBefore);
        if (rows !== null) this.#kept.rows(rows, channel);
      }
      this.#keepWatermark(channel, watermarkAfter);
    }
    for (const { watermarkBefore, rows, watermarkAfter, ingestedAt } of ring.reader.overtaken(begun ? 1 : 0)) {
      this.#keepWatermark(channel, watermarkBefore);
      if (rows !== null) this.#kept.add({ kind: 'rows', channel, bytes: rows, ingestedAt });
      this.#keepWatermark(channel, watermarkAfter);
    }
    ring.reader.passBarrier();
  }

  record(channel: number): void {
    this.#recording[channel] = 1;
  }

  stop(channel: number): void {
    this.#recording[channel] = 0;
  }

  #keepWatermark(channel: number, watermark: number): void {
    if (Number.isFinite(watermark))
      this.#kept.add({ kind: 'watermark', channel, watermark, ingestedAt: NEVER_INGESTED });
  }

  /** A barrier has come on this channel: what is behind it has to wait. */
  blocked(channel: number): boolean {
    return this.#barriers?.blocked(this.#firstChannel + channel) ?? false;
  }

  /** A ring has something to read, or something is half-delivered. */
  get available(): boolean {
    if (this.#delivery !== null || this.#news.length > 0 || this.#restored !== null) return true;
    for (const { channel, reader } of this.#rings) if (reader.available && !this.blocked(channel)) return true;
    return this.#open === 0 && !this.#endDelivered;
  }

  /** Delivers what was left, then at most one slot. Returns whether anything was done. */
  poll(): boolean {
    let worked = this.#advance();
    if (!this.#free()) return worked;
    if (this.#restored !== null) {
      this.#deliverRestored(this.#restored);
      return true;
    }
    const ring = this.#pick();
    if (ring !== null) {
      const arrival = ring.reader.take();
      if (arrival === null) return true;
      this.#delivery = { channel: ring.channel, reader: ring.reader, arrival, stage: 0 };
      this.#advance();
      worked = true;
    }
    return worked;
  }

  #deliverRestored(restored: InFlight): void {
    const element = restored.shift();
    if (element?.kind === 'watermark') this.#raise(element.channel, element.watermark, element.ingestedAt);
    if (element?.kind === 'rows') {
      const batch = restored.decode(element);
      if (element.channel < 0) {
        batch.watermarks = null;
        this.#target.batch(batch);
      } else this.#deliverRows(element.channel, batch);
    }
    if (restored.empty) this.#restored = null;
    this.#advance();
  }

  #pick(): { channel: number; reader: RingReader } | null {
    const rings = this.#rings;
    let best: { channel: number; reader: RingReader } | null = null;
    let lowest = Number.POSITIVE_INFINITY;
    let next = this.#turn;
    for (let i = 0, at = this.#turn; i < rings.length; i++) {
      const ring = rings[at] as { channel: number; reader: RingReader };
      at = at + 1 === rings.length ? 0 : at + 1;
      if (!ring.reader.available || this.blocked(ring.channel)) continue;
      const watermark = this.#valve.watermarkOf(ring.channel);
      if (best === null || watermark < lowest) {
        best = ring;
        lowest = watermark;
        next = at;
      }
    }
    this.#turn = next;
    return best;
  }

  /** Goes on as far as there are credits. */
  #advance(): boolean {
    let worked = false;
    for (;;) {
      if (!this.#drainNews()) return worked;
      const delivery = this.#delivery;
      if (delivery === null) break;
      if (!this.#target.ready()) return worked;
      worked = true;
      if (!this.#deliver(delivery)) this.#delivery = null;
    }
    if (this.#open === 0 && !this.#endDelivered && this.#restored === null && this.#target.ready()) {
      this.#endDelivered = true;
      this.#target.end();
      worked = true;
    }
    return worked;
  }

  #drainNews(): boolean {
    while (this.#news.length > 0) {
      if (!this.#target.ready()) return false;
      const news = this.#news.shift() as News;
      if (news.kind === 'watermark') this.#target.watermark(news.watermark, news.ingestedAt);
      else if (news.kind === 'idle') this.#target.idle(news.idle);
      else this.#target.marker(news.marker);
    }
    return true;
  }

  /** One stage of a slot; false: it was the last. */
  #deliver(delivery: Delivery): boolean {
    const { channel, reader, arrival } = delivery;
    switch (delivery.stage++) {
      case 0:
        this.#raiseNew(channel, arrival.watermarkBefore, arrival.watermarksIngestedAt);
        return true;
      case 1:
        if (arrival.rows !== null) this.acceptRows(channel, arrival.rows);
        return true;
      case 2:
        // The chain is through with the rows: their slot is free.
        reader.release();
        this.#raiseNew(channel, arrival.watermarkAfter, arrival.watermarksIngestedAt);
        return true;
      case 3:
        for (const marker of arrival.markers) this.#news.push({ kind: 'marker', marker });
        return true;
      case 4:
        if (arrival.idle !== null) this.#valve.onIdle(arrival.idle, channel);
        return true;
      case 5:
        if (arrival.barrier !== null) this.acceptBarrier(channel, arrival.barrier);
        return true;
      default:
        if (arrival.end) this.finish(channel);
        return false;
    }
  }

  #raise(channel: number, watermark: number, ingestedAt: number): void {
    this.#ingestedAt = ingestedAt;
    this.#valve.onWatermark(watermark, channel);
    this.#ingestedAt = NEVER_INGESTED;
  }

  #raiseNew(channel: number, watermark: number, ingestedAt: number): void {
    if (this.#recording[channel] === 1) this.#keepWatermark(channel, watermark);
    this.#raise(channel, watermark, ingestedAt);
  }

  /** Rows of a channel, with the watermarks that travel among them combined with those of the others. */
  acceptRows(channel: number, batch: RecordBatch): void {
    if (this.#recording[channel] === 1) this.#kept.rows(batch, channel);
    this.#barriers?.processed(batch.count * this.#rowBytes);
    this.#deliverRows(channel, batch);
  }

  #deliverRows(channel: number, batch: RecordBatch): void {
    if (this.#channels > 1 && this.#rowWatermarks.combine(batch, channel)) {
      // A watermark that moved among the rows counts for the chain from its row on, and behind the last one in any case.
      this.#news.push({ kind: 'watermark', watermark: this.#valve.watermark, ingestedAt: batch.ingestedAt });
    }
    this.#target.batch(batch);
  }

  acceptWatermark(channel: number, watermark: number, ingestedAt: number): void {
    this.#raiseNew(channel, watermark, ingestedAt);
    this.#advance();
  }

  acceptMarker(marker: LatencyMarker): void {
    this.#news.push({ kind: 'marker', marker });
    this.#advance();
  }

  acceptIdle(channel: number, idle: boolean): void {
    this.#valve.onIdle(idle, channel);
    this.#advance();
  }

  acceptBarrier(channel: number, barrier: CheckpointBarrier): void {
    this.#barriers?.barrier(this.#firstChannel + channel, barrier);
  }

  finish(channel: number): void {
    if (this.#ended[channel] === 1) return;
    this.#ended[channel] = 1;
    this.#open--;
    this.#valve.onFinished(channel);
    this.#advance();
  }

  /** After rows were handed over by a local channel. */
  afterRows(): void {
    this.#advance();
  }
}

/** A channel inside one thread: the consumer works on the producer's batch at once. */
class LocalWriter implements ChannelWriter {
  readonly #gate: InputGate;
  readonly #channel: number;
  readonly #nanos: () => number;
  readonly #consumed: (nanoseconds: number) => void;
  readonly letGo: () => boolean;
  readonly #view: RecordBatch;
  readonly #strings: LocalStrings;

  constructor(
    gate: InputGate,
    channel: number,
    adopt: boolean,
    task: {
      readonly nanos: () => number;
      readonly consumed: (nanoseconds: number) => void;
      readonly letGo: () => boolean;
    },
  ) {
    this.#gate = gate;
    this.#channel = channel;
    this.#nanos = task.nanos;
    this.#consumed = task.consumed;
    this.letGo = task.letGo;
    this.#view = RecordBatch.view(gate.schema);
    this.#strings = new LocalStrings(gate.schema, adopt ? null : gate.dictionary());
  }

  ready(): boolean {
    return this.#gate.ready() && !this.#gate.blocked(this.#channel);
  }

  write(batch: RecordBatch, rows: Int32Array | null, from: number, to: number): number {
    // Another channel of this gate may have taken the credits since whoever writes asked.
    if (from === to || !this.ready()) return from;
    const began = this.#nanos();
    const view = this.#view.show(batch);
    view.split = -1;
    if (rows !== null) {
      view.selection = from === 0 ? rows : rows.subarray(from);
      view.selected = to - from;
    }
    this.#strings.translate(view);
    this.#gate.acceptRows(this.#channel, view);
    this.#gate.afterRows();
    this.#consumed(this.#nanos() - began);
    return to;
  }

  watermark(watermark: number, ingestedAt = NEVER_INGESTED): void {
    const began = this.#nanos();
    this.#gate.acceptWatermark(this.#channel, watermark, ingestedAt);
    this.#consumed(this.#nanos() - began);
  }

  marker(marker: LatencyMarker): void {
    this.#gate.acceptMarker(marker);
  }

  idle(idle: boolean): void {
    this.#gate.acceptIdle(this.#channel, idle);
  }

  barrier(barrier: CheckpointBarrier): void {
    this.#gate.acceptBarrier(this.#channel, barrier);
  }

  end(): void {
    this.#gate.finish(this.#channel);
  }

  flush(): void {}
}
