/**
 * Combines the watermarks and watermark statuses of a task's input channels into one of each (Flink's StatusWatermarkValve,
 * `flink-reference` §2.3), with the third status FINISHED that Flink lacks (FLINK-38477): a channel that has ended holds nothing back and
 * never makes the output jump.
 *
 * Pure: no clock, no I/O; what comes out goes to the callbacks passed in.
 *
 * Invariants: the output watermark never decreases; only aligned channels count, and a channel that wakes up behind the output is not
 * aligned until it has caught up.
 */

export interface ValveOutput {
  watermark(watermark: number): void;
  idle(idle: boolean): void;
}

const ACTIVE = 0;
const IDLE = 1;
const FINISHED = 2;

export class WatermarkValve {
  readonly #watermarks: Float64Array;
  readonly #status: Uint8Array;
  readonly #aligned: Uint8Array;
  readonly #output: ValveOutput;
  #last = Number.NEGATIVE_INFINITY;
  #idle = false;

  constructor(channels: number, output: ValveOutput) {
    this.#watermarks = new Float64Array(channels).fill(Number.NEGATIVE_INFINITY);
    this.#status = new Uint8Array(channels);
    this.#aligned = new Uint8Array(channels).fill(1);
    this.#output = output;
  }

  /** Last watermark that came out. */
  get watermark(): number {
    return this.#last;
  }

  /** Last watermark of a channel. */
  watermarkOf(channel: number): number {
    return this.#watermarks[channel] as number;
  }

  onWatermark(watermark: number, channel: number): void {
    if (watermark === Number.POSITIVE_INFINITY) {
      // The last watermark of a channel says that it has ended, as its end does, which comes a little later.
      this.onFinished(channel);
      return;
    }
    if (this.#idle || this.#status[channel] !== ACTIVE || watermark <= (this.#watermarks[channel] as number)) return;
    this.#watermarks[channel] = watermark;
    if (watermark >= this.#last) this.#aligned[channel] = 1;
    this.#emitMinimum();
  }

  onIdle(idle: boolean, channel: number): void {
    if (idle && this.#status[channel] === ACTIVE) {
      this.#status[channel] = IDLE;
      this.#aligned[channel] = 0;
      this.#onInactive(channel);
    } else if (!idle && this.#status[channel] === IDLE) {
      this.#status[channel] = ACTIVE;
      if ((this.#watermarks[channel] as number) >= this.#last) this.#aligned[channel] = 1;
      if (this.#idle) {
        this.#idle = false;
        this.#output.idle(false);
      }
    }
  }

  /** The channel has ended (or has given the maximum watermark). When all have, the maximum watermark comes out. */
  onFinished(channel: number): void {
    if (this.#status[channel] === FINISHED) return;
    const wasActive = this.#status[channel] === ACTIVE;
    this.#status[channel] = FINISHED;
    this.#aligned[channel] = 0;
    if (this.#status.every((s) => s === FINISHED)) {
      if (this.#idle) {
        this.#idle = false;
        this.#output.idle(false);
      }
      this.#emit(Number.POSITIVE_INFINITY);
    } else if (wasActive) {
      this.#onInactive(channel);
    }
  }

  #onInactive(channel: number): void {
    if (!this.#status.includes(ACTIVE)) {
      if (this.#watermarks[channel] === this.#last) this.#emitMaximum();
      if (!this.#idle) {
        this.#idle = true;
        this.#output.idle(true);
      }
    } else if (this.#watermarks[channel] === this.#last || this.#status[channel] === FINISHED) {
      this.#emitMinimum();
    }
  }

  #emitMinimum(): void {
    let minimum = Number.POSITIVE_INFINITY;
    let any = false;
    for (let c = 0; c < this.#watermarks.length; c++) {
      if (this.#aligned[c] === 1) {
        any = true;
        if ((this.#watermarks[c] as number) < minimum) minimum = this.#watermarks[c] as number;
      }
    }
    if (any) this.#emit(minimum);
  }

  /** All channels that still live are idle: nothing can be held back, so the furthest one decides. */
  #emitMaximum(): void {
    let maximum = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < this.#watermarks.length; c++) {
      if (this.#status[c] !== FINISHED) maximum = Math.max(maximum, this.#watermarks[c] as number);
    }
    this.#emit(maximum);
  }

  #emit(watermark: number): void {
    if (watermark > this.#last) {
      this.#last = watermark;
      this.#output.watermark(watermark);
    }
  }
}
