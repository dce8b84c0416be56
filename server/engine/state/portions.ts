/**
 * Work in portions of about a millisecond each, so that whoever does it can do other things between them: what a snapshot does once it has
 * fixed the moment it shows. The engine only says where it may be interrupted; when it goes on is for others to say.
 */

/** A promise that is yielded has to be waited for before the work goes on. */
export type Portions<T> = Generator<Promise<unknown> | undefined, T, void>;

/** Entries of state, or whatever else takes about a microsecond, that make a portion. */
export const PORTION = 1024;

/** What somebody else answers later, as a part of work in portions. */
export function* settled<T>(work: Promise<T>): Portions<T> {
  let result: { readonly value: T } | null = null;
  yield work.then((value) => {
    result = { value };
  });
  return (result as unknown as { readonly value: T }).value;
}
