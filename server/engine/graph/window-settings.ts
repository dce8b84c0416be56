/** What windows may be told wherever rows come into them, of one stream or of two: when they fire, and how long they stay. */

import { UsageError } from '#base/errors.ts';
import { isMerging, type Windows } from '../window/assign.ts';
import type { Trigger } from '../window/trigger.ts';
import { EventTimeTrigger, NeverTrigger, ProcessingTimeTrigger } from '../window/triggers.ts';
import type { MachineSettings } from '../window/window-machine.ts';

/** `E`: what windows and triggers of one's own are shown of a row. */
export abstract class WindowSettings<E> {
  readonly #windows: Windows<unknown>;
  #trigger: Trigger | null = null;
  #allowedLatenessMs = 0;
  #timeToLiveMs = Number.POSITIVE_INFINITY;

  constructor(windows: Windows<E>) {
    this.#windows = windows as Windows<unknown>;
  }

  /** Decides instead of the default trigger when windows give results. */
  trigger(trigger: Trigger<E>): this {
    if (trigger.onMerge === undefined && isMerging(this.#windows)) {
      throw new UsageError('Windows that merge need a trigger that says what becomes of its state then: onMerge.');
    }
    this.#trigger = trigger as Trigger;
    return this;
  }

  /** How long after its end a window still takes rows, ms; each makes it fire again. Does nothing in processing time. */
  allowedLateness(ms: number): this {
    if (!(ms >= 0)) throw new UsageError(`The allowed lateness must be 0 or more, not ${ms} ms.`);
    this.#allowedLatenessMs = ms;
    return this;
  }

  /**
   * Forgets a window, its trigger's state too, when no row has come into it for so much processing time: for windows that nothing else would
   * ever clean up (global ones, sessions whose time stands still). Nothing is emitted; windows that go are counted as `expired`.
   */
  contentsTimeToLive(ms: number): this {
    if (!(ms > 0)) throw new UsageError(`A time to live must be more than 0 ms, not ${ms}.`);
    this.#timeToLiveMs = ms;
    return this;
  }

  /** For the general operator. */
  protected get general(): Omit<MachineSettings, 'collected'> {
    return {
      windows: this.#windows,
      trigger: this.#trigger ?? defaultTrigger(this.#windows),
      allowedLatenessMs: this.#allowedLatenessMs,
      timeToLiveMs: this.#timeToLiveMs,
    };
  }

  /** Nothing but windows and lateness was set. */
  protected get plain(): boolean {
    return this.#trigger === null && this.#timeToLiveMs === Number.POSITIVE_INFINITY;
  }
}

function defaultTrigger(windows: Windows<unknown>): Trigger {
  if (windows.kind === 'global') return NeverTrigger.create();
  return windows.time === 'event' ? EventTimeTrigger.create() : ProcessingTimeTrigger.create();
}
