/**
 * Text to a file descriptor that somebody else reads at their own pace. A full pipe makes the writer sleep, which holds back the job as any
 * slow sink does; a reader that has gone ends the output, not the job.
 */

import { writeSync } from 'node:fs';
import { messageOf, WeirError } from '#base/errors.ts';

/** Bytes held back before they are written. */
const CHUNK = 64 * 1024;
/** Sleep before a full pipe is tried again, ms. */
const PATIENCE = 5;

/** Writes bytes, as `fs.writeSync` does: how many, or an error with a `code`. */
export type WriteBytes = (bytes: Uint8Array) => number;

export class ConsoleWriter {
  readonly #write: WriteBytes;
  readonly #sleep: (ms: number) => void;
  #held: string[] = [];
  #size = 0;
  /** The reader has gone; everything further is dropped. */
  broken = false;

  constructor(write: WriteBytes = (bytes) => writeSync(1, bytes), sleep: (ms: number) => void = sleepThread) {
    this.#write = write;
    this.#sleep = sleep;
  }

  append(text: string): void {
    if (this.broken) return;
    this.#held.push(text);
    this.#size += text.length;
    if (this.#size >= CHUNK) this.flush();
  }

  /** Writes what is held back; whole lines stay together. */
  flush(): void {
    if (this.#size === 0) return;
    let rest: Uint8Array = Buffer.from(this.#held.join(''));
    this.#held = [];
    this.#size = 0;
    while (rest.length > 0 && !this.broken) {
      try {
        rest = rest.subarray(this.#write(rest));
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : null;
        if (code === 'EAGAIN') this.#sleep(PATIENCE);
        else if (code === 'EPIPE') this.broken = true;
        else
          throw new WeirError('CONSOLE_WRITE', `Standard output cannot be written: ${messageOf(error)}.`, {
            cause: error,
          });
      }
    }
  }
}

const nobodyWakesThis = new Int32Array(new SharedArrayBuffer(4));

function sleepThread(ms: number): void {
  Atomics.wait(nobodyWakesThis, 0, 0, ms);
}
