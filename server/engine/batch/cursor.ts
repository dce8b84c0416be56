/**
 * Row access generated from a schema. A getter that indexes a typed array is 5 times faster than a lookup by name. There is one class per
 * schema, so that a user function sees one shape however many operators and jobs run it: one that has seen six is 14 times slower.
 *
 * Generated source holds column names and positions, checked as identifiers by `Schema`, and nothing else; never text from data.
 * Names of our own start with `$`, which no column name can.
 */

import { WeirError } from '#base/errors.ts';
import type { Dictionary } from './dictionary.ts';
import { BATCH_ROWS, RecordBatch } from './record-batch.ts';
import type { ColumnSpec, Fields, Row, Schema } from './schema.ts';

/** A row that moves: set `$k`, read fields. */
export interface Cursor {
  /** Position in the bound batch. */
  $k: number;
  $bind(batch: RecordBatch): void;
  /** The row as an object that stays. */
  $copy(): Record<string, unknown>;
}

/** Classes by the text of their schema. Bound: the schemas of the jobs this thread has run. */
const classes = new Map<string, new () => Cursor>();

export function makeCursor<F extends Fields>(schema: Schema<F>): Cursor & Row<F> {
  const signature = schema.toString();
  let cursorClass = classes.get(signature);
  if (cursorClass === undefined) {
    cursorClass = generate(schema);
    classes.set(signature, cursorClass);
  }
  return new cursorClass() as Cursor & Row<F>;
}

function generate(schema: Schema): new () => Cursor {
  const getters = schema.columns.map((c, i) => `get ${c.name}() { ${getter(c, i)} }`).join('\n');
  const source = `return class Cursor {
    constructor() { this.$k = 0; ${schema.columns.map((c, i) => `this.$c${i} = ${EMPTY[c.kind]}; this.$d${i} = null;`).join(' ')} }
    $bind(batch) { ${schema.columns.map((_, i) => `this.$c${i} = batch.columns[${i}]; this.$d${i} = batch.dictionaries[${i}];`).join(' ')} }
    $copy() { return { ${schema.columns.map((c) => `${c.name}: ${c.kind === 'bytes' ? `this.${c.name} && this.${c.name}.slice()` : `this.${c.name}`}`).join(', ')} }; }
    ${getters}
  }`;
  return new Function(source)() as new () => Cursor;
}

/** What a cursor's columns are before a batch is bound: of the class that they will be, so that V8 need not check it at every read. */
const EMPTY: Record<ColumnSpec['kind'], string> = {
  f64: 'new Float64Array(0)',
  timestamp: 'new Float64Array(0)',
  i32: 'new Int32Array(0)',
  string: 'new Int32Array(0)',
  bool: 'new Uint8Array(0)',
  bytes: 'null',
};

function getter(column: ColumnSpec, i: number): string {
  switch (column.kind) {
    case 'f64':
    case 'timestamp':
      return column.nullable
        ? `const v = this.$c${i}[this.$k]; return v === v ? v : null;`
        : `return this.$c${i}[this.$k];`;
    case 'i32':
      return `return this.$c${i}[this.$k];`;
    case 'bool':
      return `return this.$c${i}[this.$k] === 1;`;
    case 'string':
      return `return this.$d${i}.get(this.$c${i}[this.$k]);`;
    case 'bytes':
      return `return this.$c${i}.get(this.$k);`;
  }
}

/** Writes an object's fields into row `k` of a batch; a field of the wrong type is an error that names it. */
export type RowWriter = (batch: RecordBatch, k: number, row: Readonly<Record<string, unknown>>) => void;

export function makeRowWriter(schema: Schema, where: string): RowWriter {
  const wrong = (name: string, kind: string, value: unknown): never => {
    throw new WeirError('FIELD_TYPE', `${where}: field "${name}" is ${kind} but was given ${describe(value)}.`);
  };
  const lines = schema.columns.map((c, i) => `{ const v = row.${c.name}; ${writer(c, i)} }`);
  return new Function('wrong', `return function writeRow(batch, k, row) { ${lines.join('\n')} }`)(wrong) as RowWriter;
}

function writer(c: ColumnSpec, i: number): string {
  const cell = `batch.columns[${i}]`;
  const refuse = `wrong('${c.name}', '${c.kind}', v);`;
  const orNull = (write: string): string => (c.nullable ? `if (v === null) ${write}; else` : '');
  switch (c.kind) {
    case 'f64':
    case 'timestamp':
      return `${orNull(`${cell}[k] = NaN`)} if (typeof v === 'number') ${cell}[k] = v; else ${refuse}`;
    case 'i32':
      return `if (typeof v === 'number' && (v | 0) === v) ${cell}[k] = v; else ${refuse}`;
    case 'bool':
      return `if (typeof v === 'boolean') ${cell}[k] = v ? 1 : 0; else ${refuse}`;
    case 'string':
      return `${orNull(`${cell}[k] = -1`)} if (typeof v === 'string') ${cell}[k] = batch.dictionaries[${i}].codeOf(v); else ${refuse}`;
    case 'bytes':
      return `${orNull(`${cell}.setNull(k)`)} if (v instanceof Uint8Array) ${cell}.append(k, v); else ${refuse}`;
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = textOf(value);
  return `${text.length > 60 ? `${text.slice(0, 60)}…` : text} (${value === null ? 'null' : typeof value})`;
}

/** Whatever a function may have returned: JSON cannot say all of it. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** Copies rows `rows[from .. to)` of a batch (null: those positions themselves) behind row `at` of another of the same schema and dictionaries. */
export type Gather = (
  from: RecordBatch,
  rows: Int32Array | null,
  first: number,
  last: number,
  to: RecordBatch,
  at: number,
) => void;

export function makeGather(schema: Schema): Gather {
  const loops = schema.columns.map((c, i) =>
    c.kind === 'bytes'
      ? `{ const a = from.columns[${i}], b = to.columns[${i}]; for (let i = first, j = at; i < last; i++, j++) { const v = a.get(rows === null ? i : rows[i]); if (v === null) b.setNull(j); else b.append(j, v); } }`
      : `{ const a = from.columns[${i}], b = to.columns[${i}]; if (rows === null) for (let i = first, j = at; i < last; i++, j++) b[j] = a[i]; else for (let i = first, j = at; i < last; i++, j++) b[j] = a[rows[i]]; to.dictionaries[${i}] = from.dictionaries[${i}]; }`,
  );
  return new Function(`return function gather(from, rows, first, last, to, at) {
    { const a = from.time, b = to.time; if (rows === null) for (let i = first, j = at; i < last; i++, j++) b[j] = a[i]; else for (let i = first, j = at; i < last; i++, j++) b[j] = a[rows[i]]; }
    ${loops.join('\n')}
  }`)() as Gather;
}

/**
 * Batches under construction: rows are written one by one, full batches wait in a queue until their consumer has credits.
 * Bound: what one input row makes (a flatMap that makes a million rows of one holds a million), plus one batch.
 */
export class BatchBuilder {
  readonly #schema: Schema;
  readonly #dictionary: Dictionary;
  readonly #write: RowWriter;
  readonly #free: RecordBatch[] = [];
  readonly #full: RecordBatch[] = [];
  #current: RecordBatch | null = null;

  constructor(schema: Schema, dictionary: Dictionary, where: string) {
    this.#schema = schema;
    this.#dictionary = dictionary;
    this.#write = makeRowWriter(schema, where);
  }

  /** At least one batch is full. */
  get overflowing(): boolean {
    return this.#full.length > 0;
  }

  /** Nothing is held. */
  get empty(): boolean {
    return this.#full.length === 0 && this.#current === null;
  }

  /** `watermark`: in force at the row that made this one, or NaN where it does not move inside batches. */
  add(row: Readonly<Record<string, unknown>>, time: number, watermark: number): void {
    let batch = this.#current;
    if (batch === null) {
      batch = this.#free.pop() ?? RecordBatch.allocate(this.#schema, this.#dictionary);
      batch.size = 0;
      batch.watermarks = null;
      for (const column of batch.columns) if ('reset' in column) column.reset();
      this.#current = batch;
    }
    const k = batch.size;
    this.#write(batch, k, row);
    batch.time[k] = time;
    if (!Number.isNaN(watermark)) {
      batch.watermarks ??= new Float64Array(BATCH_ROWS).fill(Number.NEGATIVE_INFINITY);
      batch.watermarks[k] = watermark;
    }
    batch.size = k + 1;
    if (batch.size === batch.capacity) {
      this.#full.push(batch);
      this.#current = null;
    }
  }

  /** Hands over what is full, and with `all` also what is not; stops when `emit` says it takes no more. Returns whether nothing is left over. */
  drain(ready: () => boolean, emit: (batch: RecordBatch) => void, all: boolean): boolean {
    while (this.#full.length > 0) {
      if (!ready()) return false;
      const batch = this.#full.shift() as RecordBatch;
      emit(batch);
      this.#recycle(batch);
    }
    if (all && this.#current !== null) {
      if (!ready()) return false;
      const batch = this.#current;
      this.#current = null;
      emit(batch);
      this.#recycle(batch);
    }
    return true;
  }

  #recycle(batch: RecordBatch): void {
    this.#retired.push(batch);
  }

  readonly #retired: RecordBatch[] = [];

  /** Batches handed over are used again only from now on: a consumer that stopped halfway still reads them. */
  reuse(): void {
    for (const batch of this.#retired) if (this.#free.length < 4) this.#free.push(batch);
    this.#retired.length = 0;
  }
}
