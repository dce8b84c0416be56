/**
 * Encoded cells of dictionary strings: each string is encoded once and copied from then on.
 *
 * Bound: per dictionary at most `MAX_BYTES` and no string longer than `MAX_CELL`; a full cache starts over. Codes that a dictionary drops are
 * dropped here too. Thread contract: that of the dictionaries.
 */

import type { Dictionary } from '#engine/batch/dictionary.ts';
import type { OutputBuffer } from './output-buffer.ts';

const MAX_CELL = 1024;
const MAX_BYTES = 8 << 20;

interface Cells {
  /** By code. */
  cells: (Uint8Array | undefined)[];
  bytes: number;
}

export class StringCells {
  readonly #encode: (text: string) => Uint8Array;
  readonly #caches = new WeakMap<Dictionary, Cells>();
  /** That of the column written last: batches of one stream have one dictionary. */
  #dictionary: Dictionary | null = null;
  #cache: Cells = { cells: [], bytes: 0 };

  /** `encode`: the bytes of a cell, quotes and all. */
  constructor(encode: (text: string) => Uint8Array) {
    this.#encode = encode;
  }

  /** Writes the cell of a code in use. */
  write(out: OutputBuffer, dictionary: Dictionary, code: number): void {
    if (dictionary !== this.#dictionary) this.#select(dictionary);
    const known = this.#cache.cells[code];
    out.append(known ?? this.#add(dictionary, code));
  }

  #select(dictionary: Dictionary): void {
    let cache = this.#caches.get(dictionary);
    if (cache === undefined) {
      const made: Cells = { cells: [], bytes: 0 };
      dictionary.onFree((code) => {
        made.bytes -= made.cells[code]?.length ?? 0;
        made.cells[code] = undefined;
      });
      this.#caches.set(dictionary, made);
      cache = made;
    }
    this.#dictionary = dictionary;
    this.#cache = cache;
  }

  #add(dictionary: Dictionary, code: number): Uint8Array {
    const cell = this.#encode(dictionary.get(code) ?? '');
    if (cell.length > MAX_CELL) return cell;
    const cache = this.#cache;
    if (cache.bytes + cell.length > MAX_BYTES) {
      cache.cells = [];
      cache.bytes = 0;
    }
    cache.cells[code] = cell;
    cache.bytes += cell.length;
    return cell;
  }
}
