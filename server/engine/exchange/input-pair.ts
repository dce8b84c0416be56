/**
 * Where the two inputs of a task come together: a gate for each, with schema, channels and valve of its own, and one watermark and status for
 * the operator behind.
 *
 *   channels of input 1 ──> gate 1 ──┐                          ┌──> batch, and which input it is of
 *                                    ├──> pair (combined) ──────┼──> watermark, status
 *   channels of input 2 ──> gate 2 ──┘                          └──> end, when both have ended
 *
 * The inputs take turns; between rows of one and rows of the other there is no order.
 */

import { NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { Consumer } from '../operators/output.ts';
import { CombinedWatermark } from '../time/combined-watermark.ts';
import type { BarrierAligner } from './barrier-aligner.ts';
import { InputGate } from './input-gate.ts';
import { RowWatermarks } from './row-watermarks.ts';

/** A consumer that is told which input a batch is of: 0 or 1. */
export interface PairConsumer extends Omit<Consumer, 'batch'> {
  batch(batch: RecordBatch, input: number): void;
}

/** What goes to the operator between batches. */
type News =
  | { readonly kind: 'watermark'; readonly watermark: number; readonly ingestedAt: number }
  | { readonly kind: 'idle'; readonly idle: boolean };

export class InputPair {
  readonly gates: readonly [InputGate, InputGate];
  readonly #target: PairConsumer;
  readonly #combined: CombinedWatermark;
  readonly #rowWatermarks: RowWatermarks;
  /** What the operator has not taken yet. */
  readonly #news: News[] = [];
  #ingestedAt = NEVER_INGESTED;
  #open = 2;
  /** Input to look at first. */
  #turn = 0;

  /** `channels`: how many come together in each gate. */
  constructor(
    schemas: readonly [Schema, Schema],
    channels: readonly [number, number],
    target: PairConsumer,
    barriers: BarrierAligner | null = null,
  ) {
    this.#target = target;
    this.#combined = new CombinedWatermark(2, {
      watermark: (watermark) => {
        if (this.#rowWatermarks.moving) return;
        this.#news.push({ kind: 'watermark', watermark, ingestedAt: this.#ingestedAt });
      },
      idle: (idle) => this.#news.push({ kind: 'idle', idle }),
    });
    this.#rowWatermarks = new RowWatermarks(this.#combined);
    const gate = (input: 0 | 1): InputGate =>
      new InputGate(schemas[input], channels[input], new Side(this, input), barriers);
    this.gates = [gate(0), gate(1)];
  }

  /** The operator has taken everything, and takes more. */
  ready(): boolean {
    return this.#news.length === 0 && this.#target.ready();
  }

  /** Something that was restored has not been delivered. */
  get restoring(): boolean {
    return this.gates[0].restoring || this.gates[1].restoring;
  }

  /** Delivers what is half-delivered, as far as there are credits. Whether nothing is left of it. */
  settle(): boolean {
    this.#drain();
    const settled = this.gates.map((gate) => gate.settle());
    this.#drain();
    return this.#news.length === 0 && !settled.includes(false);
  }

  /** There is something to read, or something is half-delivered. */
  get available(): boolean {
    return this.#news.length > 0 || this.gates[0].available || this.gates[1].available;
  }

  /** Entries of the gates' dictionaries. */
  get dictionaryEntries(): number {
    return this.gates[0].dictionaryEntries + this.gates[1].dictionaryEntries;
  }

  /** Last watermarks of the inputs. */
  get watermarks(): readonly [number, number] {
    return [this.#combined.watermarkOf(0), this.#combined.watermarkOf(1)];
  }

  /** To be called between elements. */
  sweep(): void {
    for (const gate of this.gates) gate.sweep();
  }

  /** Delivers what was left, then something of one input. Returns whether anything was done. */
  poll(): boolean {
    const worked = this.#drain();
    if (!this.ready()) return worked;
    const first = this.#turn;
    this.#turn = 1 - first;
    if ((this.gates[first] as InputGate).poll()) return true;
    return (this.gates[1 - first] as InputGate).poll() || worked;
  }

  /** The gates deliver here. */
  batch(batch: RecordBatch, input: number): void {
    if (this.#rowWatermarks.combine(batch, input)) {
      // A watermark that moved among the rows counts from its row on, and behind the last one in any case.
      const { ingestedAt } = batch;
      this.#news.push({ kind: 'watermark', watermark: this.#combined.watermark, ingestedAt });
    }
    this.#target.batch(batch, input);
    this.#drain();
  }

  watermark(watermark: number, ingestedAt: number, input: number): void {
    this.#ingestedAt = ingestedAt;
    this.#combined.onWatermark(watermark, input);
    this.#ingestedAt = NEVER_INGESTED;
    this.#drain();
  }

  idle(idle: boolean, input: number): void {
    this.#combined.onIdle(idle, input);
    this.#drain();
  }

  marker(marker: LatencyMarker): void {
    this.#target.marker(marker);
  }

  /** One of the inputs has ended. */
  end(): void {
    if (--this.#open === 0) this.#target.end();
  }

  #drain(): boolean {
    let worked = false;
    while (this.#news.length > 0 && this.#target.ready()) {
      const news = this.#news.shift() as News;
      if (news.kind === 'watermark') this.#target.watermark(news.watermark, news.ingestedAt);
      else this.#target.idle(news.idle);
      worked = true;
    }
    return worked;
  }
}

/** What a gate sees of the pair. */
class Side implements Consumer {
  readonly #pair: InputPair;
  readonly #input: number;

  constructor(pair: InputPair, input: number) {
    this.#pair = pair;
    this.#input = input;
  }

  ready(): boolean {
    return this.#pair.ready();
  }

  batch(batch: RecordBatch): void {
    this.#pair.batch(batch, this.#input);
  }

  watermark(watermark: number, ingestedAt = NEVER_INGESTED): void {
    this.#pair.watermark(watermark, ingestedAt, this.#input);
  }

  idle(idle: boolean): void {
    this.#pair.idle(idle, this.#input);
  }

  marker(marker: LatencyMarker): void {
    this.#pair.marker(marker);
  }

  end(): void {
    this.#pair.end();
  }
}
