/** What a painter is given: one moment for all canvases of a frame, so that their time axes agree to the pixel. */
export interface Frame {
  /** Right edge of every time axis, server time. */
  viewTime: number;
}

/**
 * One animation frame for the whole page: canvases first, then at most one waiting chart, because six charts in one frame
 * block the page and six frames with one chart each do not. Nothing is scheduled while nothing changed.
 */
export class Painter {
  readonly #canvases = new Set<(frame: Frame) => void>();
  readonly #queue = new Map<object, () => void>();
  readonly #viewTime: () => number;
  readonly #painted: () => void;
  #requested = false;
  #canvasesDue = false;

  constructor(viewTime: () => number, painted: () => void) {
    this.#viewTime = viewTime;
    this.#painted = painted;
  }

  /** Calls `paint` in every frame that follows a change, until the returned function is called. */
  add(paint: (frame: Frame) => void): () => void {
    this.#canvases.add(paint);
    this.repaint();
    return () => void this.#canvases.delete(paint);
  }

  /** Runs `work` in a frame of its own; a later call of the same owner replaces one that still waits. */
  inTurn(owner: object, work: () => void): void {
    this.#queue.set(owner, work);
    this.#request();
  }

  leave(owner: object): void {
    this.#queue.delete(owner);
  }

  repaint(): void {
    this.#canvasesDue = true;
    this.#request();
  }

  #request(): void {
    if (this.#requested) return;
    this.#requested = true;
    requestAnimationFrame(() => this.#frame());
  }

  #frame(): void {
    this.#requested = false;
    if (this.#canvasesDue) {
      this.#canvasesDue = false;
      const frame: Frame = { viewTime: this.#viewTime() };
      for (const paint of this.#canvases) paint(frame);
      this.#painted();
    }
    const [owner] = this.#queue.keys();
    if (owner) {
      const work = this.#queue.get(owner);
      this.#queue.delete(owner);
      work?.();
    }
    if (this.#queue.size > 0) this.#request();
  }
}
