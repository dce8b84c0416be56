/**
 * Many entries as they were at one moment, written while they change: whoever is about to change one has it secured first.
 *
 *   new Cut ── the moment ──> take(0) take(1) take(2) …        whoever writes, portion by portion
 *                                  secure(7)                   whoever is about to change entry 7: its bytes are laid aside for `take`
 *
 * The moment itself costs one array; every entry is written once, by whoever comes first. What is taken has the same bytes as if all had been
 * written at that moment.
 */

/** Where the bytes of entries are put. */
export interface CutWriter {
  raw(bytes: Uint8Array): void;
  /** Valid until the next write. */
  written(): Uint8Array;
  clear(): void;
}

const WAITS = 0;
/** Never part of it. */
const NONE = -1;
const TAKEN = -2;
const LENGTH_BYTES = 4;
const START_BYTES = 4096;

export interface CutOptions<W> {
  /** Entries are numbered from 0 to below this. */
  readonly entries: number;
  /** Writes an entry as it is now. */
  readonly write: (entry: number, to: W) => void;
  /** For bytes on their way. */
  readonly scratch: W;
  /** Only these are part of it; default: all. */
  readonly ranges?: Iterable<readonly [first: number, end: number]>;
  /** `hold` marks whatever is part of it until it ends, taken or not. Default: only what may be gone and has still to be taken. */
  readonly holdsAll?: boolean;
}

export class Cut<W extends CutWriter> {
  /** By entry: `WAITS`, `NONE`, `TAKEN`, or 1 + where its bytes lie aside. */
  readonly #places: Int32Array;
  readonly #holdsAll: boolean;
  readonly #write: (entry: number, to: W) => void;
  readonly #scratch: W;
  #aside = new Uint8Array(0);
  #lengths = new DataView(this.#aside.buffer);
  #used = 0;

  constructor({ entries, write, scratch, ranges, holdsAll }: CutOptions<W>) {
    this.#places = new Int32Array(entries);
    this.#write = write;
    this.#scratch = scratch;
    this.#holdsAll = holdsAll ?? false;
    if (ranges === undefined) return;
    this.#places.fill(NONE);
    for (const [first, end] of ranges) this.#places.fill(WAITS, first, end);
  }

  get entries(): number {
    return this.#places.length;
  }

  /** An entry becomes part of it, as it is now; `taken`: somebody has its bytes already. */
  include(entry: number, taken = false): void {
    this.#places[entry] = taken ? TAKEN : WAITS;
  }

  /** Whether an entry is part of it, taken or not. */
  includes(entry: number): boolean {
    return entry >= 0 && entry < this.#places.length && this.#places[entry] !== NONE;
  }

  /** To be called before an entry changes, whether it is part of the cut or not. */
  secure(entry: number): void {
    if (this.#places[entry] === WAITS) this.#layAside(entry);
  }

  /** Puts the entry's bytes into `to`; once. */
  take(entry: number, to: W): void {
    const place = this.#places[entry] as number;
    if (place !== NONE) this.#places[entry] = TAKEN;
    if (place === WAITS) {
      this.#write(entry, to);
    } else if (place > 0) {
      const from = place - 1 + LENGTH_BYTES;
      to.raw(this.#aside.subarray(from, from + this.#lengths.getUint32(place - 1)));
    }
  }

  /** Marks entries that are not to be given to anybody else. */
  hold(mark: (entry: number) => void): void {
    for (let entry = 0; entry < this.#places.length; entry++) {
      const place = this.#places[entry] as number;
      if (this.#holdsAll ? place !== NONE : place > 0) mark(entry);
    }
  }

  #layAside(entry: number): void {
    const scratch = this.#scratch;
    scratch.clear();
    this.#write(entry, scratch);
    const bytes = scratch.written();
    const at = this.#used;
    this.#used += LENGTH_BYTES + bytes.length;
    if (this.#used > this.#aside.length) {
      const grown = new Uint8Array(Math.max(this.#used, this.#aside.length * 2, START_BYTES));
      grown.set(this.#aside.subarray(0, at));
      this.#aside = grown;
      this.#lengths = new DataView(grown.buffer);
    }
    this.#lengths.setUint32(at, bytes.length);
    this.#aside.set(bytes, at + LENGTH_BYTES);
    this.#places[entry] = at + 1;
  }
}

/** The cuts that are being written: nearly always none, and hardly ever more than one. */
export class Cuts<W extends CutWriter> {
  readonly #cuts: Cut<W>[] = [];
  /** Asked on the way of every batch. */
  any = false;

  /** From now on. */
  begin(options: CutOptions<W>): Cut<W> {
    const cut = new Cut(options);
    this.#cuts.push(cut);
    this.any = true;
    return cut;
  }

  /** It is written, or given up. */
  end(cut: Cut<W>): void {
    this.#cuts.splice(this.#cuts.indexOf(cut), 1);
    this.any = this.#cuts.length > 0;
  }

  secure(entry: number): void {
    for (const cut of this.#cuts) cut.secure(entry);
  }

  hold(mark: (entry: number) => void): void {
    for (const cut of this.#cuts) cut.hold(mark);
  }
}
