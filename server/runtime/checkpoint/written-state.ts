/**
 * What a subtask has written for a checkpoint and where it is, so that the next one writes only what has changed since: sections whose bytes are
 * the same stay where they are, of others those chunks that are the same.
 *
 * Files fill with what nobody needs any more. A file of which half is needed no more, or one too many, is left: what is still needed of it is
 * written again, and with that the file can go.
 */

import { chunkEnd, hashChunk, hashed } from './chunks.ts';
import type { Pieces } from './pieces.ts';
import { digestOf, type Extent, sameBytes } from './state-file.ts';
import type { StateFile } from './state-handle.ts';
import { NONE, StoredChunks } from './stored-chunks.ts';

/** A file is left when less than this share of it is needed. */
const NEEDED_SHARE = 0.5;
/** With more files than this, those that are least needed are left until half as many remain. */
const MAX_FILES = 32;
/** Bytes worked through between two pauses. */
export const PORTION_BYTES = 512 << 10;

interface WrittenSection {
  readonly length: number;
  readonly digest: Uint8Array;
  /** `file`: number of the checkpoint that wrote it. */
  readonly extents: readonly Extent[];
  readonly chunks: StoredChunks;
}

/** All that one checkpoint needs. Unchanged once it is sealed. */
export class WrittenState {
  readonly checkpoint: number;
  readonly #sections = new Map<string, WrittenSection>();
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

  /** Puts what is new of a section into the file, and gives where all of it is. */
  async add(key: string, bytes: Uint8Array, to: Pieces, pause: () => Promise<void>): Promise<WrittenSection> {
    const digest = digestOf(bytes);
    const before = this.#base === null ? undefined : this.#base.#sections.get(key);
    const same = before !== undefined && before.length === bytes.length && sameBytes(before.digest, digest);
    const stays = same && !before.extents.some(({ file }) => this.#left.has(file));
    const section = stays ? before : await this.#compare(bytes, digest, before?.chunks ?? null, to, pause);
    this.#sections.set(key, section);
    for (const { file } of section.extents) {
      const known = this.#base?.files.get(file);
      if (known !== undefined) this.files.set(file, known);
    }
    return section;
  }

  /** It is written. What it was compared with is forgotten. */
  seal(file: StateFile): void {
    this.files.set(this.checkpoint, file);
    this.#base = null;
  }

  filesToLeave(): ReadonlySet<number> {
    const needed = new Map([...this.files.keys()].map((file) => [file, 0]));
    for (const { extents } of this.#sections.values()) {
      for (const { file, length } of extents) needed.set(file, (needed.get(file) ?? 0) + length);
    }
    const left = new Set<number>();
    for (const [number, { bytes }] of this.files) {
      if ((needed.get(number) as number) < bytes * NEEDED_SHARE) left.add(number);
    }
    const rest = [...needed].filter(([file]) => !left.has(file)).sort((a, b) => a[1] - b[1]);
    if (rest.length > MAX_FILES) for (const [file] of rest.slice(0, rest.length - MAX_FILES / 2)) left.add(file);
    return left;
  }

  async #compare(
    bytes: Uint8Array,
    digest: Uint8Array,
    before: StoredChunks | null,
    to: Pieces,
    pause: () => Promise<void>,
  ): Promise<WrittenSection> {
    const chunks = new StoredChunks();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    /** Where the run begins that is to be written. */
    let run = 0;
    let runOffset = to.length;
    /** The chunk of before that would come next. */
    let likely = 0;
    let paused = 0;
    for (let from = 0; from < bytes.length; ) {
      // What follows is mostly what followed before: then there is no border to be looked for.
      let end = from + (before?.lengthOf(likely) ?? 0);
      const guess = end > from && end <= bytes.length;
      if (guess) hashChunk(view, from, end, this.#seed);
      let found = NONE;
      if (guess && before?.is(likely, hashed.a, hashed.b, end - from)) found = likely;
      else {
        end = chunkEnd(bytes, from);
        hashChunk(view, from, end, this.#seed);
        found = before?.find(hashed.a, hashed.b, end - from) ?? NONE;
      }
      const { a, b } = hashed;
      if (found !== NONE) likely = found + 1;
      if (found !== NONE && before !== null && !this.#left.has(before.fileOf(found))) {
        to.add(bytes.subarray(run, from));
        run = end;
        runOffset = to.length;
        chunks.add(a, b, before.fileOf(found), before.offsetOf(found), end - from);
      } else chunks.add(a, b, this.checkpoint, runOffset + from - run, end - from);
      from = end;
      if (from - paused >= PORTION_BYTES) {
        paused = from;
        await pause();
      }
    }
    to.add(bytes.subarray(run));
    before?.dropTable();
    chunks.seal();
    return { length: bytes.length, digest, extents: chunks.extents(), chunks };
  }
}
