/**
 * Profile `weather`: values that look like weather stations of one region.
 *
 *   temperature  site's mean + daily curve (warmest about three in the afternoon) + drift over days + gusts + what the sensor adds
 *   humidity     goes against the temperature, with gusts of its own, 0..100
 *   pressure     height of the station + slow highs and lows of the region
 *
 * What repeats is computed beforehand: the curve of a day, smooth noise that devices enter at different places, and eight numbers per
 * device side by side in memory. What changes with time only is computed once per `GRID_MS` of event time.
 */

import { Random } from '#base/random.ts';
import type { Timeline } from './pace.ts';
import type { Profile } from './profile.ts';
import type { ReadingRows } from './rows.ts';

const DAY_MS = 86_400_000;
/** Temperature moves by less than a sensor's digit meanwhile. */
const GRID_MS = 10_000;
/** Stations of one microclimate share daily curve and drift. */
const SITES = 8;
/** Entries of the smooth noise, a power of two; one lasts `GRID_MS`. */
const NOISE = 4096;
/** Entries from one knot of the noise to the next: gusts last minutes. */
const KNOT = 64;
/** Numbers per device. */
const STATION = 8;

export class WeatherProfile implements Profile {
  #state: number;
  /** Per device: mean temperature, daily swing, humidity at the mean, its answer to temperature, pressure, two entries into the noise, site. */
  readonly #stations: Float32Array;
  /** The same memory, for the whole numbers among them. */
  readonly #places: Int32Array;
  readonly #noise: Float64Array;
  readonly #day: Float64Array;
  /** Phases of the drifts, per site. */
  readonly #phases: Float64Array;
  /** As of the current grid cell: daily curve (-1..1), drift in °C, drift in hPa, per site. */
  readonly #now = new Float64Array(SITES * 3);
  #cellFrom = Number.NaN;
  #cellTo = Number.NEGATIVE_INFINITY;

  constructor(seed: number, stream: number, devices: number) {
    // The region is the same for all splits, the stations are each split's own.
    const region = new Random(seed);
    const random = new Random(seed, stream);
    this.#state = random.int32();
    this.#phases = Float64Array.from({ length: SITES * 5 }, () => region.next());
    this.#noise = smoothNoise(region);
    this.#day = Float64Array.from({ length: 1441 }, (_, minute) => dailyCurve(minute / 60));
    this.#stations = new Float32Array(devices * STATION);
    this.#places = new Int32Array(this.#stations.buffer);
    for (let d = 0, o = 0; d < devices; d++, o += STATION) {
      this.#stations[o] = 13 + random.normal() * 1.5;
      this.#stations[o + 1] = 4 + random.next() * 3;
      this.#stations[o + 2] = 62 + random.next() * 10;
      this.#stations[o + 3] = 2 + random.next() * 0.6;
      this.#stations[o + 4] = 1013 - random.next() * 25;
      this.#places[o + 5] = random.below(NOISE);
      this.#places[o + 6] = random.below(NOISE);
      this.#places[o + 7] = random.below(SITES) * 3;
    }
  }

  get state(): number {
    return this.#state;
  }

  set state(state: number) {
    this.#state = state;
  }

  setDisorder(): boolean {
    return false;
  }

  values(rows: ReadingRows, from: number, to: number, timeline: Timeline, n: number): void {
    const { device, eventTime, temperature, humidity, pressure } = rows;
    const { origin, step } = timeline;
    const stations = this.#stations;
    const places = this.#places;
    const noise = this.#noise;
    const now = this.#now;
    let state = this.#state;
    let i = n - timeline.index;
    let entry = ((this.#cellFrom / GRID_MS) % NOISE) | 0;
    let cellFrom = this.#cellFrom;
    let cellTo = this.#cellTo;
    for (let k = from; k < to; k++) {
      const t = Math.floor(origin + i * step);
      i += 1;
      if (!(t >= cellFrom && t < cellTo)) {
        this.#enter(t);
        cellFrom = this.#cellFrom;
        cellTo = this.#cellTo;
        entry = ((cellFrom / GRID_MS) % NOISE) | 0;
      }
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const o = (device[k] as number) * STATION;
      const s = places[o + 7] as number;
      const gust = noise[(entry + (places[o + 5] as number)) & (NOISE - 1)] as number;
      const gust2 = noise[(entry + (places[o + 6] as number)) & (NOISE - 1)] as number;
      // Ten bits each for what the three sensors add.
      const a = ((state >>> 22) - 511.5) * (0.04 / 512);
      const b = (((state >>> 12) & 1023) - 511.5) * (0.25 / 512);
      const c = (((state >>> 7) & 1023) - 511.5) * (0.04 / 512);
      const warmth = (stations[o + 1] as number) * (now[s] as number) + (now[s + 1] as number) + gust * 0.8;
      const moisture = (stations[o + 2] as number) - (stations[o + 3] as number) * warmth + gust2 * 2.5 + b;
      eventTime[k] = t;
      // Plus zero: a frosty -0.001 is 0, not -0.
      temperature[k] = (Math.round(((stations[o] as number) + warmth + a) * 100) + 0) / 100;
      humidity[k] = Math.round(Math.min(100, Math.max(4, moisture)) * 100) / 100;
      pressure[k] = Math.round(((stations[o + 4] as number) + (now[s + 2] as number) + gust2 * 0.15 + c) * 100) / 100;
    }
    this.#state = state;
  }

  /** A loop that does everything would gain little here: most of the time goes into the values. */
  whole(): boolean {
    return false;
  }

  /** Moves to the grid cell of time t. */
  #enter(t: number): void {
    const cell = Math.floor(t / GRID_MS);
    this.#cellFrom = cell * GRID_MS;
    this.#cellTo = this.#cellFrom + GRID_MS;
    const days = this.#cellFrom / DAY_MS;
    const phases = this.#phases;
    for (let site = 0; site < SITES; site++) {
      const p = site * 5;
      // Sunrise differs by up to half an hour from site to site.
      const minute = (((days + (phases[p] as number) / 48) % 1) * 1440) % 1440;
      const low = Math.floor(minute);
      const curve = this.#day[low] as number;
      this.#now[site * 3] = curve + ((this.#day[low + 1] as number) - curve) * (minute - low);
      this.#now[site * 3 + 1] = 2.2 * wave(days / 3.7, phases[p + 1]) + 1.1 * wave(days / 1.3, phases[p + 2]);
      // Highs and lows pass over the whole region, a little later at some sites than at others.
      const front = days + (phases[p + 3] as number) * 0.1;
      this.#now[site * 3 + 2] = 7 * wave(front / 4.3, phases[3]) + 2.5 * wave(front / 1.7, phases[4]);
    }
  }
}

function wave(turns: number, phase: number | undefined): number {
  return Math.sin(2 * Math.PI * (turns + (phase ?? 0)));
}

/** -1..1 by hour: coldest before sunrise, warmest at about three, falling more slowly than it rises. */
function dailyCurve(hour: number): number {
  const turn = (2 * Math.PI) / 24;
  return (Math.cos(turn * (hour - 15)) + 0.22 * Math.cos(2 * turn * (hour - 13.5))) / 1.15;
}

/** Smooth random curve through knots (Catmull-Rom), about -1..1, whose end meets its beginning. */
function smoothNoise(random: Random): Float64Array {
  const knots = Float64Array.from({ length: NOISE / KNOT }, () => random.next() * 2 - 1);
  const knot = (i: number) => knots[(i + knots.length) % knots.length] as number;
  return Float64Array.from({ length: NOISE }, (_, i) => {
    const k = Math.floor(i / KNOT);
    const x = (i % KNOT) / KNOT;
    const [a, b, c, d] = [knot(k - 1), knot(k), knot(k + 1), knot(k + 2)];
    return b + 0.5 * x * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)));
  });
}
