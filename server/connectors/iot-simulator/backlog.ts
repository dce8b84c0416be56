/**
 * Devices that are silent, and what they measured meanwhile: when a device is back, its readings come out at once, oldest first, with
 * the timestamps they were measured at.
 *
 * Two things silence a device: the option `offline` (in event time, drawn from the seed) and an injection (by the clock). Bound: `limit`
 * readings in all; beyond it a silent device loses what it measures, like a logger whose memory is full. Memory grows with use, by doubling.
 */

import type { Random } from '#base/random.ts';
import type { ReadingRows } from './rows.ts';
import { bytesOf, copyInto } from './typed-bytes.ts';

const BY_OPTION = 1;
const BY_INJECTION = 2;
const NONE = -1;
/** Numbers per reading: event time and three values. */
const CELLS = 4;

/** Plain data; readings of a device lie one behind the other, oldest first. */
export interface BacklogState {
  /** Device and who silences it, in turns. */
  readonly silent: readonly number[];
  /** Device and injection. */
  readonly injection: readonly (readonly [device: number, injection: number])[];
  readonly heldFor: readonly (readonly [injection: number, readings: number])[];
  /** Device of each reading held (i32), and its cells (f64). */
  readonly devices: Uint8Array;
  readonly cells: Uint8Array;
  readonly readings: number;
  /** Devices that are back, in the order in which they deliver. */
  readonly back: readonly number[];
}

export class Backlog {
  readonly #limit: number;
  readonly #devices: number;
  /** Per device: who silences it. */
  readonly #silent: Uint8Array;
  /** Per device: its oldest and newest reading, as slots. */
  readonly #head: Int32Array;
  readonly #tail: Int32Array;
  /** Injection that silences a device. */
  readonly #injection = new Map<number, number>();
  /** Readings held back by each injection; removed by `forget`. */
  readonly #heldFor = new Map<number, number>();
  #cells = new Float64Array(0);
  /** The next slot of the same device, or of the free list. */
  #next = new Int32Array(0);
  #free = NONE;
  #held = 0;
  #silentDevices = 0;
  /** Devices that are back and whose readings wait to be put out; from `#backAt` on. */
  #back: number[] = [];
  #backAt = 0;

  constructor(devices: number, limit: number) {
    this.#devices = devices;
    this.#limit = limit;
    this.#silent = new Uint8Array(devices);
    this.#head = new Int32Array(devices).fill(NONE);
    this.#tail = new Int32Array(devices).fill(NONE);
  }

  snapshot(): BacklogState {
    const silent: number[] = [];
    const devices = new Int32Array(this.#held);
    const cells = new Float64Array(this.#held * CELLS);
    let n = 0;
    for (let device = 0; device < this.#devices; device++) {
      const by = this.#silent[device] as number;
      if (by !== 0) silent.push(device, by);
      for (let slot = this.#head[device] as number; slot !== NONE; slot = this.#next[slot] as number, n++) {
        devices[n] = device;
        for (let i = 0; i < CELLS; i++) cells[n * CELLS + i] = this.#cells[slot * CELLS + i] as number;
      }
    }
    return {
      silent,
      injection: [...this.#injection],
      heldFor: [...this.#heldFor],
      devices: bytesOf(devices),
      cells: bytesOf(cells),
      readings: n,
      back: this.#back.slice(this.#backAt),
    };
  }

  /** While it is empty. */
  restore({ silent, injection, heldFor, devices, cells, readings, back }: BacklogState): void {
    for (let at = 0; at < silent.length; at += 2) this.#mute(silent[at] as number, silent[at + 1] as number);
    const deviceOf = new Int32Array(readings);
    const values = new Float64Array(readings * CELLS);
    copyInto(deviceOf, devices);
    copyInto(values, cells);
    for (let n = 0; n < readings; n++) {
      const slot = this.#append(deviceOf[n] as number);
      this.#cells.set(values.subarray(n * CELLS, (n + 1) * CELLS), slot * CELLS);
    }
    for (const [device, by] of injection) this.#injection.set(device, by);
    for (const [by, held] of heldFor) this.#heldFor.set(by, held);
    this.#back = [...back];
  }

  /** Readings held. */
  get held(): number {
    return this.#held;
  }

  get anySilent(): boolean {
    return this.#silentDevices > 0;
  }

  /** Whether `release` has something. */
  get ready(): boolean {
    return this.#backAt < this.#back.length;
  }

  isSilent(device: number): boolean {
    return this.#silent[device] !== 0;
  }

  silence(device: number): void {
    this.#mute(device, BY_OPTION);
  }

  wake(device: number): void {
    this.#unmute(device, BY_OPTION);
  }

  /** Silences `count` devices that no injection silences yet (fewer if there are no more), drawn at random. Returns how many. */
  silenceFor(injection: number, count: number, random: Random): number {
    const wanted = Math.min(count, this.#devices - this.#injection.size);
    this.#heldFor.set(injection, 0);
    let device = random.below(this.#devices);
    for (let i = 0; i < wanted; i++) {
      // Neighbours of a random start would all do; a jump each time spreads them. The step by one afterwards finds what is left.
      device = (device + random.below(this.#devices)) % this.#devices;
      while (this.#injection.has(device)) device = (device + 1) % this.#devices;
      this.#injection.set(device, injection);
      this.#mute(device, BY_INJECTION);
    }
    return wanted;
  }

  wakeAllOf(injection: number): void {
    for (const [device, by] of this.#injection) {
      if (by !== injection) continue;
      this.#injection.delete(device);
      this.#unmute(device, BY_INJECTION);
    }
  }

  /** Readings that this injection held back so far. */
  heldFor(injection: number): number {
    return this.#heldFor.get(injection) ?? 0;
  }

  forget(injection: number): void {
    this.#heldFor.delete(injection);
  }

  /** Takes the readings of silent devices out of rows from..to-1 and closes the gaps. Returns the new end. Devices are indexes. */
  holdBack(rows: ReadingRows, from: number, to: number): number {
    const silent = this.#silent;
    const device = rows.device;
    let end = from;
    for (let k = from; k < to; k++) {
      if (silent[device[k] as number] !== 0) {
        this.#hold(rows, k);
      } else {
        if (end !== k) rows.move(k, end);
        end++;
      }
    }
    return end;
  }

  /** Puts readings of devices that are back into rows from..to-1. Returns the end. */
  release(rows: ReadingRows, from: number, to: number): number {
    let k = from;
    while (k < to && this.#backAt < this.#back.length) {
      const device = this.#back[this.#backAt] as number;
      const slot = this.#head[device] as number;
      if (slot === NONE) {
        this.#backAt++;
        continue;
      }
      const o = slot * CELLS;
      rows.device[k] = device;
      rows.eventTime[k] = this.#cells[o] as number;
      rows.temperature[k] = this.#cells[o + 1] as number;
      rows.humidity[k] = this.#cells[o + 2] as number;
      rows.pressure[k] = this.#cells[o + 3] as number;
      k++;
      const next = this.#next[slot] as number;
      this.#head[device] = next;
      if (next === NONE) {
        this.#tail[device] = NONE;
        this.#backAt++;
      }
      this.#next[slot] = this.#free;
      this.#free = slot;
      this.#held--;
    }
    if (this.#backAt === this.#back.length) {
      this.#back = [];
      this.#backAt = 0;
    }
    return k;
  }

  /** Everything held may be put out now, whoever is silent. */
  releaseAll(): void {
    for (let device = 0; device < this.#devices; device++) if (this.#head[device] !== NONE) this.#back.push(device);
  }

  #mute(device: number, by: number): void {
    if (this.#silent[device] === 0) this.#silentDevices++;
    this.#silent[device] = (this.#silent[device] as number) | by;
  }

  #unmute(device: number, by: number): void {
    const before = this.#silent[device] as number;
    const after = before & ~by;
    this.#silent[device] = after;
    if (before === 0 || after !== 0) return;
    this.#silentDevices--;
    if (this.#head[device] !== NONE) this.#back.push(device);
  }

  #hold(rows: ReadingRows, row: number): void {
    if (this.#held >= this.#limit) return;
    const device = rows.device[row] as number;
    const o = this.#append(device) * CELLS;
    this.#cells[o] = rows.eventTime[row] as number;
    this.#cells[o + 1] = rows.temperature[row] as number;
    this.#cells[o + 2] = rows.humidity[row] as number;
    this.#cells[o + 3] = rows.pressure[row] as number;
    const injection = this.#injection.get(device);
    if (injection !== undefined) this.#heldFor.set(injection, this.heldFor(injection) + 1);
  }

  /** Slot of one more reading of a device, behind those it has. */
  #append(device: number): number {
    const slot = this.#slot();
    this.#next[slot] = NONE;
    const tail = this.#tail[device] as number;
    if (tail === NONE) this.#head[device] = slot;
    else this.#next[tail] = slot;
    this.#tail[device] = slot;
    this.#held++;
    return slot;
  }

  #slot(): number {
    if (this.#free === NONE) this.#grow();
    const slot = this.#free;
    this.#free = this.#next[slot] as number;
    return slot;
  }

  /** Only called when every slot is taken. */
  #grow(): void {
    const before = this.#next.length;
    const after = Math.min(this.#limit, Math.max(256, before * 2));
    const cells = new Float64Array(after * CELLS);
    cells.set(this.#cells);
    const next = new Int32Array(after);
    next.set(this.#next);
    for (let slot = before; slot < after; slot++) next[slot] = slot + 1 < after ? slot + 1 : NONE;
    this.#cells = cells;
    this.#next = next;
    this.#free = before;
  }
}
