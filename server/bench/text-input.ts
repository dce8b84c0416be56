/** Readings as NDJSON, the same each time: what the benches that read text read. */

import { closeSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { Random } from '#base/random.ts';

/** `short`: two decimals, as sensors send them. `long`: all the digits a double has, as `JSON.stringify` writes what was calculated. */
export type Digits = 'short' | 'long';

const DEVICES = 1000;
/** Event time goes on by 1 ms every so many lines: 1.5 M lines are 75 s, so 15 to 16 windows of 5 s with about 94 events a device. */
const LINES_PER_MS = 20;
const DISORDER_MS = 1000;
const START = 1_700_000_000_000;
/** One line in so many cannot be used. */
const MALFORMED_EVERY = 1000;
const CHUNK = 1 << 20;

/** Makes lines one after the other. */
export class TextReadings {
  readonly #random = new Random(42);
  readonly #digits: Digits;
  #n = 0;
  /** Lines made so far that cannot be used. */
  malformed = 0;

  constructor(digits: Digits) {
    this.#digits = digits;
  }

  /** With its line break. */
  next(): string {
    const n = this.#n++;
    const random = this.#random;
    const time = START + Math.floor(n / LINES_PER_MS) - random.below(DISORDER_MS);
    const device = `device-${(n * 7919) % DEVICES}`;
    const number = (value: number): number => (this.#digits === 'short' ? Math.round(value * 100) / 100 : value);
    const event: Record<string, unknown> = {
      device_id: device,
      event_timestamp: time,
      temperature: number(20 + random.next() * 5),
      humidity: number(50 + random.next() * 10),
      pressure: number(1000 + random.next() * 50),
    };
    if (n % MALFORMED_EVERY !== MALFORMED_EVERY - 1) return `${JSON.stringify(event)}\n`;
    this.malformed++;
    switch (this.malformed % 4) {
      case 0:
        return `${JSON.stringify(event).slice(0, 40)}\n`;
      case 1:
        event.temperature = 999;
        break;
      case 2:
        event.humidity = 'wet';
        break;
      default:
        event.device_id = undefined;
    }
    return `${JSON.stringify(event)}\n`;
  }
}

/** Writes so many lines, unless the file is there already; it appears whole or not at all. Returns its bytes. */
export function ensureFile(path: string, lines: number, digits: Digits): number {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined) return there.size;
  const staged = `${path}.${process.pid}`;
  const readings = new TextReadings(digits);
  const file = openSync(staged, 'w');
  let chunk: string[] = [];
  let length = 0;
  for (let i = 0; i < lines; i++) {
    const line = readings.next();
    chunk.push(line);
    length += line.length;
    if (length < CHUNK && i < lines - 1) continue;
    writeSync(file, chunk.join(''));
    chunk = [];
    length = 0;
  }
  closeSync(file);
  renameSync(staged, path);
  return statSync(path).size;
}

/** Lines of a file made by `ensureFile` that cannot be used. */
export function malformedOf(lines: number): number {
  return Math.floor(lines / MALFORMED_EVERY);
}
