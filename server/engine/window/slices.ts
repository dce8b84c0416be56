/**
 * Aligned windows as runs of slices. A slice is the longest stretch of time that no window's border cuts, so a row is added to one slice,
 * however many windows it is in, and a window is made of its slices when it fires.
 *
 *   sliding 6/2:     slices │ 0 │ 1 │ 2 │ 3 │ 4 │        cumulating 6/2:   │ 0 │ 1 │ 2 │ 3 │ 4 │
 *   window 0               └───────────┘                window 0, 1, 2    └───┘   ╵   ╵
 *   window 1                   └───────────┘                              └───────┘   ╵
 *   window 2                       └───────────┘                          └───────────┘
 *
 * Slices and windows have numbers; windows are numbered in the order of their ends, no two of which are equal, and both ends of the range of
 * windows that a slice is in never decrease with its number. Everything here is arithmetic on numbers that a double holds exactly.
 */

import type { AlignedWindows } from './assigners.ts';

export class Slices {
  /** Length of a slice, ms. */
  readonly sliceMs: number;
  readonly offsetMs: number;
  /** Slices of the longest window. */
  readonly perWindow: number;
  /** From one window's first slice to the next one's; 0: windows begin together and grow by a slice each. */
  readonly #stride: number;

  constructor(windows: AlignedWindows) {
    const { sizeMs, offsetMs } = windows;
    this.offsetMs = offsetMs;
    if (windows.kind === 'sliding') {
      this.sliceMs = greatestCommonDivisor(sizeMs, windows.slideMs);
      this.#stride = windows.slideMs / this.sliceMs;
    } else if (windows.kind === 'cumulative') {
      this.sliceMs = windows.stepMs;
      this.#stride = 0;
    } else {
      this.sliceMs = sizeMs;
      this.#stride = 1;
    }
    this.perWindow = sizeMs / this.sliceMs;
  }

  /** First slice of a window. */
  first(window: number): number {
    return this.#stride > 0 ? window * this.#stride : this.#base(window);
  }

  /** Slice behind the last one of a window. */
  end(window: number): number {
    return this.#stride > 0 ? window * this.#stride + this.perWindow : window + 1;
  }

  /** First window that a slice is in; behind the last one if it is in none. */
  firstWindow(slice: number): number {
    return this.#stride > 0 ? Math.ceil((slice - this.perWindow + 1) / this.#stride) : slice;
  }

  /** Last window that a slice is in. */
  lastWindow(slice: number): number {
    return this.#stride > 0 ? Math.floor(slice / this.#stride) : this.#base(slice) + this.perWindow - 1;
  }

  /** Last window whose end a watermark has reached. */
  lastEnded(watermark: number): number {
    const slices = Math.floor((watermark + 1 - this.offsetMs) / this.sliceMs);
    return this.#stride > 0 ? Math.floor((slices - this.perWindow) / this.#stride) : slices - 1;
  }

  /** Windows are half-open `[start, end)`. */
  window(window: number): { readonly start: number; readonly end: number } {
    return { start: this.first(window) * this.sliceMs + this.offsetMs, end: this.#endMs(window) };
  }

  /** Last instant of a window: the timestamp of its results. */
  maxTimestamp(window: number): number {
    return this.#endMs(window) - 1;
  }

  #endMs(window: number): number {
    return this.end(window) * this.sliceMs + this.offsetMs;
  }

  /** Where the windows begin that a slice of a growing one is in. */
  #base(slice: number): number {
    return Math.floor(slice / this.perWindow) * this.perWindow;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
