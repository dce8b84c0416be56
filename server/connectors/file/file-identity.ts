/**
 * Whether a file is still the one that was being read when a checkpoint was taken: a run goes on in the middle of it only if what lies before
 * cannot have changed. A file that has grown is still the same one, as is what a run reads that is appended meanwhile.
 */

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { messageOf, UsageError } from '#base/errors.ts';

/** Plain data: it travels with splits and lies in checkpoints. */
export interface FileIdentity {
  /** Bytes. */
  readonly size: number;
  /** When it was last written, ms since the epoch. */
  readonly modifiedAt: number;
  /** Digest of the first and last bytes of those. */
  readonly sample: string;
}

/** Bytes that are looked at, at either end. */
const SAMPLE = 4096;

/** Of an open file. */
export function identify(fd: number): FileIdentity {
  const { size, mtimeMs } = fstatSync(fd);
  return { size, modifiedAt: mtimeMs, sample: sampleOf(fd, size) };
}

/** Throws a `UsageError` that says what is different: the file was written anew, was cut, or is gone. */
export function checkUnchanged(path: string, was: FileIdentity): void {
  const refusal = (what: string, cause?: unknown): UsageError =>
    new UsageError(
      `${path}: ${what}, so the run cannot go on in the middle of it; put the file back as it was, or start from the beginning.`,
      { cause },
    );
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw refusal(`cannot be read any more since the checkpoint (${messageOf(error)})`, error);
  }
  try {
    const { size, mtimeMs } = fstatSync(fd);
    if (size < was.size) throw refusal(`has ${size} bytes and had ${was.size} at the checkpoint`);
    if (sampleOf(fd, was.size) !== was.sample) throw refusal('has other content than at the checkpoint');
    if (size === was.size && mtimeMs !== was.modifiedAt) {
      throw refusal(`was written at ${iso(mtimeMs)}, at the checkpoint it was of ${iso(was.modifiedAt)}`);
    }
  } finally {
    closeSync(fd);
  }
}

function sampleOf(fd: number, size: number): string {
  const hash = createHash('sha1');
  const bytes = Buffer.alloc(SAMPLE);
  const take = (from: number, to: number): void => {
    for (let at = from; at < to; ) {
      const count = readSync(fd, bytes, 0, Math.min(SAMPLE, to - at), at);
      if (count === 0) break;
      hash.update(bytes.subarray(0, count));
      at += count;
    }
  };
  take(0, Math.min(SAMPLE, size));
  take(Math.max(0, size - SAMPLE), size);
  return hash.digest('base64');
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
