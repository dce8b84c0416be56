/**
 * The option `offline`: a share of the devices is flaky. A flaky device works for some minutes of event time, is silent for a while, sends
 * its backlog, and so on. When which device changes is drawn from the seed; the next change of all is the top of a heap.
 */

import type { Random, RandomState } from '#base/random.ts';
import type { Backlog } from './backlog.ts';
import { bytesOf, copyInto } from './typed-bytes.ts';

/** Mean time between two silences of a flaky device, ms of event time. */
const MEAN_ONLINE_MS = 300_000;
const MIN_SILENCE_MS = 5000;
const MAX_SILENCE_MS = 60_000;

export interface OutagesState {
  readonly random: RandomState;
  /** The heap: f64 times, i32 devices. */
  readonly time: Uint8Array;
  readonly device: Uint8Array;
  /** Devices that are out. */
  readonly out: readonly number[];
}

export class Outages {
  readonly #backlog: Backlog;
  readonly #random: Random;
  /** Heap over the flaky devices: time of the next change, and device. */
  readonly #time: Float64Array;
  readonly #device: Int32Array;
  readonly #isOut: Uint8Array;

  constructor(backlog: Backlog, random: Random, devices: number, share: number, start: number) {
    this.#backlog = backlog;
    this.#random = random;
    const flaky: number[] = [];
    for (let d = 0; d < devices; d++) if (random.next() < share) flaky.push(d);
    this.#device = Int32Array.from(flaky);
    this.#time = Float64Array.from(flaky, () => start + random.exponential() * MEAN_ONLINE_MS);
    this.#isOut = new Uint8Array(devices);
    for (let i = (flaky.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  snapshot(): OutagesState {
    const out: number[] = [];
    for (let d = 0; d < this.#isOut.length; d++) if (this.#isOut[d] !== 0) out.push(d);
    return { random: this.#random.state(), time: bytesOf(this.#time), device: bytesOf(this.#device), out };
  }

  restore({ random, time, device, out }: OutagesState): void {
    this.#random.restore(random);
    copyInto(this.#time, time);
    copyInto(this.#device, device);
    for (const d of out) this.#isOut[d] = 1;
  }

  /** Event time of the next change, Infinity if there is none. */
  get next(): number {
    return this.#time[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Lets all changes up to `time` happen. */
  advance(time: number): void {
    while (this.next <= time) {
      const device = this.#device[0] as number;
      let until: number;
      if (this.#isOut[device] === 0) {
        this.#isOut[device] = 1;
        this.#backlog.silence(device);
        until = MIN_SILENCE_MS + this.#random.next() * (MAX_SILENCE_MS - MIN_SILENCE_MS);
      } else {
        this.#isOut[device] = 0;
        this.#backlog.wake(device);
        until = this.#random.exponential() * MEAN_ONLINE_MS;
      }
      this.#time[0] = this.next + until;
      this.#sink(0);
    }
  }

  /** Lets entry `i` sink until none below it is earlier. */
  #sink(i: number): void {
    const time = this.#time;
    const device = this.#device;
    const [t, d] = [time[i] as number, device[i] as number];
    let hole = i;
    for (let child = 2 * hole + 1; child < time.length; child = 2 * hole + 1) {
      if (child + 1 < time.length && (time[child + 1] as number) < (time[child] as number)) child++;
      if ((time[child] as number) >= t) break;
      time[hole] = time[child] as number;
      device[hole] = device[child] as number;
      hole = child;
    }
    time[hole] = t;
    device[hole] = d;
  }
}
