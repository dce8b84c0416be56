/**
 * What a state stores for one key and namespace, and how it is written, read, migrated and aged, by kind.
 *
 * | kind                        | without TTL | with TTL        |
 * | --------------------------- | ----------- | --------------- |
 * | value, reducing, aggregating | the value   | `Timed`         |
 * | list                        | array       | array of `Timed` |
 * | map                         | Map         | Map of `Timed`  |
 *
 * Nothing stored is `undefined`; empty lists and maps are never stored.
 */

import type { StateKind } from './descriptors.ts';
import type { ByteReader, ByteWriter } from './value-codec.ts';

/** A value and when it was last accessed, ms. */
export class Timed {
  value: unknown;
  at: number;

  constructor(value: unknown, at: number) {
    this.value = value;
    this.at = at;
  }
}

export function writeCell(out: ByteWriter, kind: StateKind, timed: boolean, cell: unknown): void {
  if (kind === 'list') {
    const items = cell as readonly unknown[];
    out.varint(items.length);
    for (const value of items) writeItem(out, timed, value);
  } else if (kind === 'map') {
    const map = cell as ReadonlyMap<unknown, unknown>;
    out.varint(map.size);
    for (const [key, value] of map) {
      out.value(key);
      writeItem(out, timed, value);
    }
  } else {
    writeItem(out, timed, cell);
  }
}

function writeItem(out: ByteWriter, timed: boolean, value: unknown): void {
  if (timed) {
    out.f64((value as Timed).at);
    out.value((value as Timed).value);
  } else {
    out.value(value);
  }
}

export function readCell(from: ByteReader, kind: StateKind, timed: boolean): unknown {
  if (kind === 'list') {
    const items: unknown[] = [];
    for (let n = from.varint(); n > 0; n--) items.push(readItem(from, timed));
    return items;
  }
  if (kind === 'map') {
    const map = new Map<unknown, unknown>();
    for (let n = from.varint(); n > 0; n--) {
      const key = from.value();
      map.set(key, readItem(from, timed));
    }
    return map;
  }
  return readItem(from, timed);
}

function readItem(from: ByteReader, timed: boolean): unknown {
  if (!timed) return from.value();
  const at = from.f64();
  return new Timed(from.value(), at);
}

/** The cell with every value in it changed. */
export function mapCell(kind: StateKind, timed: boolean, cell: unknown, change: (value: unknown) => unknown): unknown {
  const item = (value: unknown): unknown =>
    timed ? new Timed(change((value as Timed).value), (value as Timed).at) : change(value);
  if (kind === 'list') return (cell as unknown[]).map(item);
  if (kind === 'map') return new Map([...(cell as Map<unknown, unknown>)].map(([key, value]) => [key, item(value)]));
  return item(cell);
}

/** What is left of a cell with TTL once everything last accessed at `deadline` or before is gone. */
export class Ageing {
  /** Entries dropped so far. */
  dropped = 0;
  /** Earliest access of what was left, ms. */
  oldest = Number.POSITIVE_INFINITY;

  /** Undefined: nothing. Lists and maps are changed in place. */
  age(kind: StateKind, cell: unknown, deadline: number): unknown {
    if (kind === 'list') {
      const items = cell as Timed[];
      const left = items.filter((item) => this.keeps(item.at, deadline));
      if (left.length === items.length) return items;
      return left.length === 0 ? undefined : left;
    }
    if (kind === 'map') {
      const map = cell as Map<unknown, Timed>;
      for (const [key, item] of map) if (!this.keeps(item.at, deadline)) map.delete(key);
      return map.size === 0 ? undefined : map;
    }
    return this.keeps((cell as Timed).at, deadline) ? cell : undefined;
  }

  /** Of something last accessed at `at`. */
  keeps(at: number, deadline: number): boolean {
    if (at <= deadline) {
      this.dropped++;
      return false;
    }
    if (at < this.oldest) this.oldest = at;
    return true;
  }
}

/** A copy of a cell with TTL without what was last accessed at `deadline` or before; undefined: nothing is left. */
export function youngOf(kind: StateKind, cell: unknown, deadline: number): unknown {
  if (kind === 'list') {
    const left = (cell as Timed[]).filter((item) => item.at > deadline);
    return left.length === 0 ? undefined : left;
  }
  if (kind === 'map') {
    const left = new Map([...(cell as Map<unknown, Timed>)].filter(([, item]) => item.at > deadline));
    return left.size === 0 ? undefined : left;
  }
  return (cell as Timed).at > deadline ? cell : undefined;
}
