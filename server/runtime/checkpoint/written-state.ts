/**
 * What a subtask has written for a checkpoint and where it is, so that the next one writes only what has changed since: blocks of a section whose
 * bytes are the same stay where they are, of others those chunks that are the same in any block of it.
 *
 * Files fill with what nobody needs any more. When all of them are more than twice as large as the state, or are too many, those of which least
 * is needed are left: that is written again, and with it they can go.
 */

import { chunkEnd, hashChunk, hashed } from './chunks.ts';
import { KnownChunks } from './known-chunks.ts';
import type { Pieces } from './pieces.ts';
import { digestOf, type Extent, sameBytes } from './state-file.ts';
import type { StateFile } from './state-handle.ts';
import { StoredChunks } from './stored-chunks.ts';

/** Files may be this many times as large as the state that is in them; then some are left, until they are only `LEAVE_TO` times as large. */
const LEAVE_FROM = 2;
const LEAVE_TO = 1.5;
/** With more files than this, some are left until half as many remain. */
const MAX_FILES = 32;
/** Bytes worked through between two pauses. */
export const PORTION_BYTES = 512 << 10;

interface WrittenBlock {
  readonly length: number;
  readonly digest: Uint8Array;
  /** `file`: number of the checkpoint that wrote it. */
  readonly extents: readonly Extent[];
  readonly chunks: StoredChunks;
}

/** All that one checkpoint needs. Unchanged once it is sealed. */
export class WrittenState {
  readonly checkpoint: number;
  /** Blocks of each section, in their order. */
  readonly #sections = new Map<string, WrittenBlock[]>();
  /** By number of the checkpoint that wrote it; its own comes when it is there. */
  readonly files = new Map<number, StateFile>();
  #base: WrittenState | null;
  readonly #left: ReadonlySet<number>;
  readonly #seed: number;

  /** `seed`: of the hash by which chunks are known again; the same all the time. */
  constructor(checkpoint: number, base: WrittenState | null, seed: number) {
    this.checkpoint = checkpoint;
    this.#base = base;
    this.#left = base?.filesToLeave() ?? new Set();
    this.#seed = seed;
  }

  /** Puts what is new of the next block of a section into the file, and gives where all of it is. */
  async add(key: string, bytes: Uint8Array, to: Pieces, pause: () => Promise<void>): Promise<WrittenBlock> {
    const digest = digestOf(bytes);
    const before = (this.#base === null ? null : this.#base.#sections.get(key)) ?? [];
    const blocks = this.#sections.get(key) ?? [];
    this.#sections.set(key, blocks);
    const same = before.find((block) => block.length === bytes.length && sameBytes(block.digest, digest));
    const stays = same !== undefined && !same.extents.some(({ file }) => this.#left.has(file));
    const known = (): KnownChunks =>
      new KnownChunks(
        before.map(({ chunks }) => chunks),
        Math.min(blocks.length, before.length),
      );
    const block = stays ? same : await this.#compare(bytes, digest, known(), to, pause);
    blocks.push(block);
    for (const { file } of block.extents) {
      const older = this.#base?.files.get(file);
      if (older !== undefined) this.files.set(file, older);
    }
    return block;
  }

  /** It is written. What it was compared with is forgotten. */
  seal(file: StateFile): void {
    this.files.set(this.checkpoint, file);
    this.#base = null;
  }

  filesToLeave(): ReadonlySet<number> {
    const needed = new Map([...this.files.keys()].map((file) => [file, 0]));
    for (const { extents } of [...this.#sections.values()].flat()) {
      for (const { file, length } of extents) needed.set(file, (needed.get(file) ?? 0) + length);
    }
    const files = [...this.files].map(([number, { bytes }]) => ({
      number,
      bytes,
      needed: needed.get(number) as number,
    }));
    const state = files.reduce((sum, file) => sum + file.needed, 0);
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const left = new Set<number>();
    if (total > state * LEAVE_FROM) {
      for (const file of files.sort((a, b) => a.needed / a.bytes - b.needed / b.bytes)) {
        if (total <= state * LEAVE_TO) break;
        total -= file.bytes - file.needed;
        left.add(file.number);
      }
    }
    if (files.length - left.size > MAX_FILES) {
      const rest = files.filter(({ number }) => !left.has(number)).sort((a, b) => a.needed - b.needed);
      for (const { number } of rest.slice(0, rest.length - MAX_FILES / 2)) left.add(number);
    }
    return left;
  }

  async #compare(
    bytes: Uint8Array,
    digest: Uint8Array,
    before: KnownChunks,
    to: Pieces,
    pause: () => Promise<void>,
  ): Promise<WrittenBlock> {
    const chunks = new StoredChunks();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    /** Where the run begins that is to be written. */
    let run = 0;
    let runOffset = to.length;
    let paused = 0;
    for (let from = 0; from < bytes.length; ) {
      // What follows is mostly what followed before: then there is no border to be looked for.
      let end = from + before.expected;
      let found = end > from && end <= bytes.length;
      if (found) {
        hashChunk(view, from, end, this.#seed);
        found = before.isExpected(hashed.a, hashed.b, end - from);
      }
      if (!found) {
        end = chunkEnd(bytes, from);
        hashChunk(view, from, end, this.#seed);
        found = before.find(hashed.a, hashed.b, end - from);
      }
      const { a, b } = hashed;
      if (found && !this.#left.has(before.file)) {
        to.add(bytes.subarray(run, from));
        run = end;
        runOffset = to.length;
        chunks.add(a, b, before.file, before.offset, end - from);
      } else chunks.add(a, b, this.checkpoint, runOffset + from - run, end - from);
      if (found) before.next();
      from = end;
      if (from - paused >= PORTION_BYTES) {
        paused = from;
        await pause();
      }
    }
    to.add(bytes.subarray(run));
    before.dropTables();
    chunks.seal();
    return { length: bytes.length, digest, extents: chunks.extents(), chunks };
  }
}
