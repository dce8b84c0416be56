/**
 * Names and life of part files.
 *
 *   .part-2-7.csv.inprogress ── committed ──> part-2-7.csv ── its checkpoint is lost ──> .part-2-7.csv.withdrawn
 *
 * (part 7 of subtask 2). A visible part is never changed, and a number is never used twice: whoever has read a part knows it by its name.
 */

/** A part that is written, synced and closed, and waits for its rename. Plain data; the directory may move meanwhile. */
export interface StagedPart {
  /** That it will have when it is visible. */
  readonly name: string;
  /** Its length. */
  readonly bytes: number;
  /** CRC-32 of its contents. */
  readonly checksum: number;
}

/** A file in an output directory that is ours. */
export interface Part {
  readonly state: 'staged' | 'visible' | 'withdrawn';
  /** That it has, will have or had when visible. */
  readonly name: string;
  readonly prefix: string;
  readonly subtask: number;
  readonly n: number;
  readonly extension: string;
}

const VISIBLE = /^([^.].*)-(0|[1-9]\d*)-(0|[1-9]\d*)\.([a-z0-9]+)$/;
const HIDDEN = /^\.(.+)\.(inprogress|withdrawn)$/;

export const partName = (prefix: string, subtask: number, n: number, extension: string): string =>
  `${prefix}-${subtask}-${n}.${extension}`;
export const stagedName = (name: string): string => `.${name}.inprogress`;
export const withdrawnName = (name: string): string => `.${name}.withdrawn`;

/** What a file in an output directory is; null: nothing of ours. */
export function partOf(fileName: string): Part | null {
  const hidden = HIDDEN.exec(fileName);
  const name = hidden?.[1] ?? fileName;
  const match = VISIBLE.exec(name);
  if (match === null) return null;
  const [, prefix, subtask, n, extension] = match as unknown as [string, string, string, string, string];
  const state = hidden === null ? 'visible' : hidden[2] === 'inprogress' ? 'staged' : 'withdrawn';
  return { state, name, prefix, subtask: Number(subtask), n: Number(n), extension };
}

/** Number behind any that a subtask has a file of, in whatever state. */
export function nextPart(fileNames: readonly string[], prefix: string, subtask: number): number {
  let next = 0;
  for (const name of fileNames) {
    const part = partOf(name);
    if (part !== null && part.prefix === prefix && part.subtask === subtask) next = Math.max(next, part.n + 1);
  }
  return next;
}
