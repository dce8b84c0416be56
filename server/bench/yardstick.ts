/**
 * The yardstick: what somebody would write by hand who needs this one number and nothing else. Generation (uniform noise, 500 events per ms
 * of event time, out of order by 0 to 1 s), range check, 5 s tumbling windows, ten aggregates over typed arrays; one thread, no engine, no
 * strings, no exchange, nobody watching.
 *
 * Two forms of the aggregation, of which the benches take the faster for the number of devices:
 *
 *   plain  one loop
 *   touch  finds the places first and loads them, then adds: cache misses overlap, which pays once the accumulators exceed the caches
 */

const BLOCK = 2048;
/** Windows open at a time: 5 s bound + 1 s disorder over 5 s windows is at most 3. */
const PANES = 4;
const WINDOW_MS = 5000;
const BOUND_MS = 5000;
const EVENTS_PER_MS = 500;
const WIDTH = 10;
/** Accumulators larger than this are touched first. */
const TOUCH_BYTES = 1 << 20;

export interface YardstickOptions {
  /** Rounded up to whole blocks of 2048. */
  readonly events: number;
  readonly devices: number;
  readonly form: 'plain' | 'touch' | 'faster';
}

export interface YardstickResult {
  /** Events made. */
  readonly events: number;
  /** Events that the fired windows counted: with `late` and `bad` as many as were made. */
  readonly counted: number;
  readonly late: number;
  readonly bad: number;
  /** Results of windows. */
  readonly results: number;
  /** Over all aggregates of all results, so that none of them can be left out. */
  readonly checksum: number;
  readonly seconds: number;
}

export class Yardstick {
  readonly #devices: number;
  readonly #step: number;
  readonly #acc: Float64Array;
  /** Number of the window of each pane, -1: none. */
  readonly #window = new Float64Array(PANES).fill(-1);
  readonly #device = new Int32Array(BLOCK);
  readonly #time = new Float64Array(BLOCK);
  readonly #temperature = new Float64Array(BLOCK);
  readonly #humidity = new Float64Array(BLOCK);
  readonly #pressure = new Float64Array(BLOCK);
  readonly #place = new Int32Array(BLOCK);
  #state = 12_345;
  #at = 0;
  #tick = 0;
  #now = 1_700_000_000_000.5;
  #max = 0.5;
  #late = 0;
  #bad = 0;
  #results = 0;
  #counted = 0;
  #checksum = 0.5;

  constructor(devices: number) {
    this.#devices = devices;
    this.#step = 7919 % devices;
    this.#acc = new Float64Array(devices * PANES * WIDTH);
    // Both were given a fraction so that V8 stores doubles from the start.
    this.#now = Math.floor(this.#now);
  }

  /** One pass; time goes on from pass to pass. All windows have fired at its end. */
  run({ events, form }: Omit<YardstickOptions, 'devices'>): YardstickResult {
    const touch = form === 'touch' || (form === 'faster' && this.#acc.byteLength > TOUCH_BYTES);
    this.#late = 0;
    this.#bad = 0;
    this.#results = 0;
    this.#counted = 0;
    this.#checksum = 0.5;
    const blocks = Math.ceil(events / BLOCK);
    const began = performance.now();
    for (let i = 0; i < blocks; i++) {
      this.#generate();
      if (touch) this.#locateAndAdd();
      else this.#add();
      this.#fireUpTo(this.#max - BOUND_MS);
    }
    this.#fireUpTo(Number.POSITIVE_INFINITY);
    const seconds = (performance.now() - began) / 1000;
    // The next pass begins where nothing is late.
    this.#now += WINDOW_MS;
    return {
      events: blocks * BLOCK,
      counted: this.#counted,
      late: this.#late,
      bad: this.#bad,
      results: this.#results,
      checksum: this.#checksum,
      seconds,
    };
  }

  #generate(): void {
    const device = this.#device;
    const time = this.#time;
    const temperature = this.#temperature;
    const humidity = this.#humidity;
    const pressure = this.#pressure;
    const devices = this.#devices;
    const step = this.#step;
    let state = this.#state;
    let at = this.#at;
    let tick = this.#tick;
    let now = this.#now;
    for (let k = 0; k < BLOCK; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const u = (state >>> 1) * (1 / 2147483648);
      at += step;
      if (at >= devices) at -= devices;
      device[k] = at;
      if (++tick === EVENTS_PER_MS) {
        tick = 0;
        now += 1;
      }
      time[k] = now - (state >>> 22);
      temperature[k] = 20 + u * 5;
      humidity[k] = 50 + u * 10;
      pressure[k] = 1000 + u * 50;
    }
    this.#state = state;
    this.#at = at;
    this.#tick = tick;
    this.#now = now;
  }

  #add(): void {
    const device = this.#device;
    const time = this.#time;
    const temperature = this.#temperature;
    const humidity = this.#humidity;
    const pressure = this.#pressure;
    const devices = this.#devices;
    const acc = this.#acc;
    const window = this.#window;
    let max = this.#max;
    for (let k = 0; k < BLOCK; k++) {
      const t = temperature[k] as number;
      const h = humidity[k] as number;
      const p = pressure[k] as number;
      if (!(t >= -40 && t <= 85 && h >= 0 && h <= 100 && p >= 300 && p <= 1100)) {
        this.#bad++;
        continue;
      }
      const ts = time[k] as number;
      const w = Math.floor(ts / WINDOW_MS);
      const pane = w & (PANES - 1);
      if (window[pane] !== w && !this.#open(w, pane, max)) continue;
      const o = (pane * devices + (device[k] as number)) * WIDTH;
      acc[o] = (acc[o] as number) + 1;
      if (t < (acc[o + 1] as number)) acc[o + 1] = t;
      if (t > (acc[o + 2] as number)) acc[o + 2] = t;
      acc[o + 3] = (acc[o + 3] as number) + t;
      if (h < (acc[o + 4] as number)) acc[o + 4] = h;
      if (h > (acc[o + 5] as number)) acc[o + 5] = h;
      acc[o + 6] = (acc[o + 6] as number) + h;
      if (p < (acc[o + 7] as number)) acc[o + 7] = p;
      if (p > (acc[o + 8] as number)) acc[o + 8] = p;
      acc[o + 9] = (acc[o + 9] as number) + p;
      if (ts > max) max = ts;
    }
    this.#max = max;
  }

  #locateAndAdd(): void {
    const device = this.#device;
    const time = this.#time;
    const temperature = this.#temperature;
    const humidity = this.#humidity;
    const pressure = this.#pressure;
    const place = this.#place;
    const devices = this.#devices;
    const acc = this.#acc;
    const window = this.#window;
    let max = this.#max;
    let sum = 0.5;
    for (let k = 0; k < BLOCK; k++) {
      const t = temperature[k] as number;
      const h = humidity[k] as number;
      const p = pressure[k] as number;
      if (!(t >= -40 && t <= 85 && h >= 0 && h <= 100 && p >= 300 && p <= 1100)) {
        this.#bad++;
        place[k] = -1;
        continue;
      }
      const ts = time[k] as number;
      const w = Math.floor(ts / WINDOW_MS);
      const pane = w & (PANES - 1);
      if (window[pane] !== w && !this.#open(w, pane, max)) {
        place[k] = -1;
        continue;
      }
      const o = (pane * devices + (device[k] as number)) * WIDTH;
      place[k] = o;
      if (ts > max) max = ts;
    }
    for (let k = 0; k < BLOCK; k++) {
      const o = place[k] as number;
      if (o >= 0) sum += (acc[o] as number) + (acc[o + 9] as number);
    }
    // Never so: only keeps the loads alive.
    if (sum === 0.1234567) this.#checksum += sum;
    for (let k = 0; k < BLOCK; k++) {
      const o = place[k] as number;
      if (o < 0) continue;
      const t = temperature[k] as number;
      const h = humidity[k] as number;
      const p = pressure[k] as number;
      acc[o] = (acc[o] as number) + 1;
      if (t < (acc[o + 1] as number)) acc[o + 1] = t;
      if (t > (acc[o + 2] as number)) acc[o + 2] = t;
      acc[o + 3] = (acc[o + 3] as number) + t;
      if (h < (acc[o + 4] as number)) acc[o + 4] = h;
      if (h > (acc[o + 5] as number)) acc[o + 5] = h;
      acc[o + 6] = (acc[o + 6] as number) + h;
      if (p < (acc[o + 7] as number)) acc[o + 7] = p;
      if (p > (acc[o + 8] as number)) acc[o + 8] = p;
      acc[o + 9] = (acc[o + 9] as number) + p;
    }
    this.#max = max;
  }

  /** The pane of a window that is not open yet; false: the event is late. */
  #open(number: number, pane: number, max: number): boolean {
    if ((number + 1) * WINDOW_MS <= max - BOUND_MS) {
      this.#late++;
      return false;
    }
    if ((this.#window[pane] as number) >= 0) this.#fire(pane);
    const acc = this.#acc;
    const from = pane * this.#devices * WIDTH;
    const to = from + this.#devices * WIDTH;
    for (let o = from; o < to; o += WIDTH) {
      acc[o] = 0;
      acc[o + 1] = Number.POSITIVE_INFINITY;
      acc[o + 2] = Number.NEGATIVE_INFINITY;
      acc[o + 3] = 0;
      acc[o + 4] = Number.POSITIVE_INFINITY;
      acc[o + 5] = Number.NEGATIVE_INFINITY;
      acc[o + 6] = 0;
      acc[o + 7] = Number.POSITIVE_INFINITY;
      acc[o + 8] = Number.NEGATIVE_INFINITY;
      acc[o + 9] = 0;
    }
    this.#window[pane] = number;
    return true;
  }

  #fireUpTo(watermark: number): void {
    for (let pane = 0; pane < PANES; pane++) {
      const number = this.#window[pane] as number;
      if (number >= 0 && (number + 1) * WINDOW_MS <= watermark) this.#fire(pane);
    }
  }

  #fire(pane: number): void {
    const acc = this.#acc;
    const from = pane * this.#devices * WIDTH;
    const to = from + this.#devices * WIDTH;
    let results = 0;
    let counted = 0;
    let checksum = 0.5;
    for (let o = from; o < to; o += WIDTH) {
      const count = acc[o] as number;
      if (count === 0) continue;
      results++;
      counted += count;
      checksum += (acc[o + 1] as number) + (acc[o + 2] as number) + (acc[o + 3] as number) / count;
      checksum += (acc[o + 4] as number) + (acc[o + 5] as number) + (acc[o + 6] as number) / count;
      checksum += (acc[o + 7] as number) + (acc[o + 8] as number) + (acc[o + 9] as number) / count;
    }
    this.#results += results;
    this.#counted += counted;
    this.#checksum += checksum;
    this.#window[pane] = -1;
  }
}

/** What is wrong with a result; null: nothing. */
export function faultOf({ events, counted, late, bad, results, checksum }: YardstickResult): string | null {
  if (counted !== events || late !== 0 || bad !== 0) {
    return `the loop made ${events} events, but its windows counted ${counted} (late ${late}, bad ${bad})`;
  }
  if (results === 0 || !Number.isFinite(checksum)) return `the loop gave ${results} results with checksum ${checksum}`;
  return null;
}
