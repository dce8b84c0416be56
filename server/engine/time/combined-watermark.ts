/**
 * Combines the watermarks and statuses of an operator's inputs into one of each (Flink's IndexedCombinedWatermarkStatus, `flink-reference`
 * §2.2): the minimum over the inputs that are active, never decreasing; idle when all are that have not ended. An input that has ended holds
 * nothing back, and when all have, the maximum watermark comes out.
 *
 * Inputs differ from the channels of one input, which `WatermarkValve` combines: an input that wakes up behind the others holds them back at
 * once, and when all are idle nothing moves.
 */

import type { ValveOutput } from './watermark-valve.ts';

const ACTIVE = 0;
const IDLE = 1;
const FINISHED = 2;

export class CombinedWatermark {
  readonly #watermarks: Float64Array;
  readonly #status: Uint8Array;
  readonly #output: ValveOutput;
  #last = Number.NEGATIVE_INFINITY;
  #idle = false;

  constructor(inputs: number, output: ValveOutput) {
    this.#watermarks = new Float64Array(inputs).fill(Number.NEGATIVE_INFINITY);
    this.#status = new Uint8Array(inputs);
    this.#output = output;
  }

  /** Last watermark that came out. */
  get watermark(): number {
    return this.#last;
  }

  /** Last watermark of one input. */
  watermarkOf(input: number): number {
    return this.#watermarks[input] as number;
  }

  /** The maximum watermark says that the input has ended; any other wakes it up. */
  onWatermark(watermark: number, input: number): void {
    if (this.#status[input] === FINISHED) return;
    if (watermark === Number.POSITIVE_INFINITY) this.#status[input] = FINISHED;
    else this.#status[input] = ACTIVE;
    this.#watermarks[input] = Math.max(watermark, this.#watermarks[input] as number);
    this.#update();
  }

  onIdle(idle: boolean, input: number): void {
    if (this.#status[input] === FINISHED) return;
    this.#status[input] = idle ? IDLE : ACTIVE;
    this.#update();
  }

  #update(): void {
    let minimum = Number.POSITIVE_INFINITY;
    let active = 0;
    let open = 0;
    for (const [i, status] of this.#status.entries()) {
      if (status === FINISHED) continue;
      open++;
      if (status === IDLE) continue;
      active++;
      minimum = Math.min(minimum, this.#watermarks[i] as number);
    }
    const idle = open > 0 && active === 0;
    // Whoever reads an idle stream takes no watermark from it: active again comes before, idle behind.
    if (!idle) this.#say(false);
    if (active > 0 || open === 0) this.#emit(minimum);
    if (idle) this.#say(true);
  }

  #say(idle: boolean): void {
    if (idle === this.#idle) return;
    this.#idle = idle;
    this.#output.idle(idle);
  }

  #emit(watermark: number): void {
    if (watermark <= this.#last) return;
    this.#last = watermark;
    this.#output.watermark(watermark);
  }
}
