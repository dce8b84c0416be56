import type { Dictionary } from '../batch/dictionary.ts';

/** Which entries of a column's dictionary the other side has. */
export class SentCodes {
  dictionary: Dictionary | null = null;
  sent = new Uint8Array(1024);
  /** Codes mean other strings from now on: the other side is to forget what it has, so that neither side grows without bound. */
  forget = false;
  readonly #listening = new WeakSet<Dictionary>();

  use(dictionary: Dictionary): void {
    if (dictionary !== this.dictionary) {
      this.forget = this.dictionary !== null;
      this.dictionary = dictionary;
      this.sent.fill(0);
      if (!this.#listening.has(dictionary)) {
        this.#listening.add(dictionary);
        dictionary.onSwept(() => {
          if (this.dictionary !== dictionary) return;
          this.sent.fill(0);
          this.forget = true;
        });
      }
    }
    if (this.sent.length < dictionary.capacity) {
      const grown = new Uint8Array(Math.max(dictionary.capacity, this.sent.length * 2));
      grown.set(this.sent);
      this.sent = grown;
    }
  }
}
