/** What is to happen to a subtask between two elements, in order (Flink's mailbox). */
export class Mailbox {
  #mail: { readonly run: () => void; readonly waits: boolean }[] = [];
  readonly #wake: () => void;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** `waits`: only in a moment in which nothing is half-done; what is behind it waits with it. Callable from I/O callbacks. */
  post(run: () => void, waits = false): void {
    this.#mail.push({ run, waits });
    this.#wake();
  }

  /** What has waited until now is not done any more, and nothing behind it waits for it. */
  dropWaiting(): void {
    this.#mail = this.#mail.filter(({ waits }) => !waits);
  }

  /** Does what may be done. Whether something was done that had waited. */
  read(ready: () => boolean): boolean {
    let worked = false;
    for (let next = this.#mail[0]; next !== undefined; next = this.#mail[0]) {
      if (next.waits && !ready()) break;
      this.#mail.shift();
      next.run();
      if (next.waits) worked = true;
    }
    return worked;
  }
}
