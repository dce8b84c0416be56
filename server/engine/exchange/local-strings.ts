/** Strings on their way through a channel inside one thread: whatever dictionaries batches come with, they leave with one. */

import type { Dictionary } from '../batch/dictionary.ts';
import { BATCH_ROWS, type RecordBatch } from '../batch/record-batch.ts';
import type { Schema } from '../batch/schema.ts';

/** A string column on its way through a local channel. */
interface StringColumn {
  readonly column: number;
  /** That of every batch handed on: the gate's, or with a single channel the first that came. */
  home: Dictionary | null;
  /** Another one that a batch came with, and `home`'s codes for its own. */
  foreign: Dictionary | null;
  table: Int32Array;
  readonly codes: Int32Array;
  readonly listening: WeakSet<Dictionary>;
}

export class LocalStrings {
  readonly #columns: StringColumn[];

  /** `home`: dictionary of all that is handed on; null: per column the first that comes. */
  constructor(schema: Schema, home: Dictionary | null) {
    this.#columns = schema.columns.flatMap((c, column) => (c.kind === 'string' ? [newStringColumn(column)] : []));
    if (home !== null) for (const strings of this.#columns) makeHome(strings, home);
  }

  /** Codes of the producer's dictionaries become codes of the one that this column always has. */
  translate(view: RecordBatch): void {
    let own = false;
    for (const strings of this.#columns) {
      const { column, codes } = strings;
      const from = view.dictionaries[column] as Dictionary;
      if (strings.home === null) makeHome(strings, from);
      const home = strings.home as Dictionary;
      if (from === home) continue;
      if (!own) {
        own = true;
        view.columns = [...view.columns];
        view.dictionaries = [...view.dictionaries];
      }
      const table = tableFor(strings, from);
      const source = view.columns[column] as Int32Array;
      const count = view.count;
      for (let i = 0; i < count; i++) {
        const k = view.row(i);
        const code = source[k] as number;
        let translated = code < 0 ? -1 : (table[code] as number);
        if (translated < 0 && code >= 0) {
          translated = home.codeOf(from.get(code) ?? '');
          table[code] = translated;
        }
        codes[k] = translated;
      }
      view.columns[column] = codes;
      view.dictionaries[column] = home;
    }
  }
}

function newStringColumn(column: number): StringColumn {
  return {
    column,
    home: null,
    foreign: null,
    table: new Int32Array(0),
    codes: new Int32Array(BATCH_ROWS),
    listening: new WeakSet(),
  };
}

function makeHome(strings: StringColumn, home: Dictionary): void {
  strings.home = home;
  home.hold((mark) => {
    for (const code of strings.table) if (code >= 0) mark(code);
  });
}

/** Codes of `home` by those of `dictionary`; -1: not looked up yet. */
function tableFor(strings: StringColumn, dictionary: Dictionary): Int32Array {
  if (dictionary !== strings.foreign) {
    strings.foreign = dictionary;
    strings.table = new Int32Array(dictionary.capacity).fill(-1);
    if (!strings.listening.has(dictionary)) {
      strings.listening.add(dictionary);
      dictionary.onFree((code) => {
        if (strings.foreign === dictionary && code < strings.table.length) strings.table[code] = -1;
      });
    }
  } else if (strings.table.length < dictionary.capacity) {
    const grown = new Int32Array(Math.max(dictionary.capacity, strings.table.length * 2)).fill(-1);
    grown.set(strings.table);
    strings.table = grown;
  }
  return strings.table;
}
