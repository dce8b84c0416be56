/** The newest rows, numbered 1, 2, 3 …; older ones make room. Bound: `capacity`. */
export class NumberedRing<T> {
  readonly #rows: T[] = [];
  readonly #capacity: number;
  #seq = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Number of the newest row ever pushed, 0 for none. */
  get seq(): number {
    return this.#seq;
  }

  push(row: T): void {
    this.#rows[this.#seq % this.#capacity] = row;
    this.#seq++;
  }

  /** Rows that would be overwritten before anybody can see them: numbered, never kept. */
  skip(rows: number): void {
    this.#seq += rows;
  }

  /** Kept rows with a number above `cursor`, oldest first, at most `limit` (the oldest); `next` is the cursor to ask with next time. */
  after(cursor: number, limit: number): { rows: { seq: number; row: T }[]; next: number } {
    const rows: { seq: number; row: T }[] = [];
    let seq = Math.max(cursor, this.#seq - this.#capacity, 0);
    for (; seq < this.#seq && rows.length < limit; seq++) {
      const row = this.#rows[seq % this.#capacity];
      if (row !== undefined) rows.push({ seq: seq + 1, row });
    }
    return { rows, next: limit === 0 ? cursor : seq };
  }
}
