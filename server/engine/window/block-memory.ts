/**
 * Memory in which the blocks of a snapshot were made, for those of the next one: new memory costs more than what is written into it, and has the
 * heap collected though there is nothing to be found on it.
 */

/** What is kept at most, bytes. */
const KEPT_BYTES = 32 << 20;

export class BlockMemory {
  readonly #kept = new Map<number, ArrayBuffer>();
  /** Memory held, bytes. */
  bytes = 0;

  /** For a block of this key group, at least so many bytes with anything in them. They are the taker's. */
  take(group: number, least: number): ArrayBuffer {
    const kept = this.#kept.get(group);
    if (kept !== undefined) this.#forget(group, kept);
    return kept === undefined || kept.byteLength < least ? new ArrayBuffer(least) : kept;
  }

  /** Nobody needs it any more. */
  give(group: number, memory: ArrayBuffer): void {
    const kept = this.#kept.get(group);
    if (kept !== undefined) this.#forget(group, kept);
    if (this.bytes + memory.byteLength > KEPT_BYTES) return;
    this.bytes += memory.byteLength;
    this.#kept.set(group, memory);
  }

  #forget(group: number, { byteLength }: ArrayBuffer): void {
    this.#kept.delete(group);
    this.bytes -= byteLength;
  }
}
