/**
 * What happens to one row, and to one timer, where windows and triggers may be of any kind: Flink's WindowOperator (`flink-reference` §1.4-§1.7).
 *
 *   element ──> windows ──> contents += row ──> trigger ──> FIRE: elements ──> function ──> results
 *                                                  │
 *   timers (of triggers, of cleanup) ──────────────┘        PURGE: contents are dropped
 *
 * State of a key: contents by window, state of the trigger by window, the windows in flight where they merge, and what the function keeps. The
 * namespace of a window is its start and end; contents of merged windows stay where they were first (`MergingWindows`).
 *
 * Flink fails a job when windows merge into one that ends behind the watermark. Here timers run before each row, so that every window in
 * flight, and with it whatever it becomes part of, is cleaned up later than the watermark: the case cannot come.
 */

import { WeirError } from '#base/errors.ts';
import type { Fields, Row } from '../batch/schema.ts';
import { NO_WATERMARK } from '../operators/operator.ts';
import type { OutputTag } from '../operators/process.ts';
import { valueState } from '../state/descriptors.ts';
import type { KeyedState, KeyedStateBackend, ValueState } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import type { Timer, TimerQueue } from '../state/timer-queue.ts';
import { type Assign, assignOf, GLOBAL_WINDOW, isMerging, type Windows } from './assign.ts';
import type { Collected, IncomingRow } from './collected.ts';
import type { TimeWindow } from './contents.ts';
import { MergingWindows, type WindowInFlight } from './merging-windows.ts';
import { ScopedStates } from './scoped-state.ts';
import { type MergeContext, maxTimestamp, type Trigger, type TriggerResult } from './trigger.ts';
import type { WindowContext, WindowFunction } from './window-function.ts';

export interface MachineSettings {
  readonly windows: Windows<unknown>;
  readonly trigger: Trigger;
  readonly allowedLatenessMs: number;
  readonly collected: Collected;
  /** A window goes when no row has come into it for so much processing time, ms; Infinity: only in its own time. */
  readonly timeToLiveMs: number;
}

/** Where the machine stands. */
export interface MachineHost {
  readonly backend: KeyedStateBackend;
  readonly eventTimers: TimerQueue;
  readonly processingTimers: TimerQueue;
  /** When to look whether a window has outlived its time to live. */
  readonly expiryTimers: TimerQueue;
  /** A window has. */
  expired(): void;
  /** Null: what the windows collect comes out as it is. */
  readonly fn: WindowFunction<unknown, Fields> | null;
  keyOf(id: number): Key;
  emit(row: Row<Fields>, time: number): void;
  emitSide(tag: OutputTag, row: Row<Fields>, time: number): void;
}

/** Names of windows that were asked for lately: making text of two large numbers costs more than most of the rest. */
const RECENT = 1024;
const recent: { start: number; end: number; name: string }[] = Array.from({ length: RECENT }, () => ({
  start: Number.NaN,
  end: Number.NaN,
  name: '',
}));

function namespaceOf({ start, end }: TimeWindow): string {
  const known = recent[(start + end * 31) & (RECENT - 1)] as (typeof recent)[number];
  if (known.start !== start || known.end !== end) {
    known.start = start;
    known.end = end;
    known.name = `${start} ${end}`;
  }
  return known.name;
}

/** The same the other way round. */
const named = new Map<string, TimeWindow>();

function windowOf(namespace: string): TimeWindow {
  const known = named.get(namespace);
  if (known !== undefined) return known;
  const [start, end] = namespace.split(' ').map(Number) as [number, number];
  const window = end === Number.POSITIVE_INFINITY ? GLOBAL_WINDOW : { start, end };
  if (named.size === RECENT) named.clear();
  named.set(namespace, window);
  return window;
}

export class WindowMachine {
  /** In force. */
  watermark = NO_WATERMARK;
  /** The last millisecond of processing time that has passed; the clock shows the one behind it. */
  passed = NO_WATERMARK;
  readonly #settings: MachineSettings;
  readonly #host: MachineHost;
  readonly #assign: Assign;
  readonly #time: 'event' | 'processing' | 'none';
  readonly #contents: KeyedState;
  /** Null: windows do not merge. */
  readonly #inFlight: ValueState<readonly WindowInFlight[]> | null;
  /** By window, where they have a time to live: when the last row came, and the time of the expiry timer. */
  readonly #touched: ValueState<readonly [touched: number, timer: number]> | null;
  readonly #trigger: MergeContext;
  /** Windows that are being merged, for `mergeState`. */
  #merged: readonly TimeWindow[] = [];
  /** Window that trigger or function are called for. */
  #window: TimeWindow = GLOBAL_WINDOW;
  readonly #context: WindowContext;
  readonly #out: { collect(row: Row<Fields>): void };

  constructor(settings: MachineSettings, host: MachineHost) {
    this.#settings = settings;
    this.#host = host;
    const { windows, collected, timeToLiveMs } = settings;
    this.#assign = assignOf(windows);
    this.#time = windows.kind === 'global' ? 'none' : windows.time;
    this.#contents = host.backend.state(collected.descriptor);
    this.#inFlight = isMerging(windows)
      ? host.backend.state(valueState<readonly WindowInFlight[]>('windows-in-flight'))
      : null;
    this.#touched =
      timeToLiveMs < Number.POSITIVE_INFINITY
        ? host.backend.state(valueState<readonly [number, number]>('window-touched'))
        : null;
    this.#trigger = this.#triggerContext();
    this.#context = this.#functionContext();
    this.#out = { collect: (row) => host.emit(row, maxTimestamp(this.#window)) };
  }

  /** Returns false for a row that came too late for all its windows. */
  element(key: number, incoming: IncomingRow, timestamp: number): boolean {
    const { trigger, collected, allowedLatenessMs } = this.#settings;
    const { scope } = this.#host.backend;
    scope.key = key;
    const flying = this.#flying();
    let skipped = true;
    for (const assigned of this.#assign(incoming.element, timestamp)) {
      const window = flying === null ? assigned : flying.add(assigned, (...merge) => this.#merge(...merge));
      if (this.#time === 'event' && this.#cleanupTime(window) <= this.watermark) {
        flying?.retire(window);
        continue;
      }
      skipped = false;
      const contents = this.#contentsOf(window, flying);
      scope.namespace = namespaceOf(contents);
      collected.add(this.#contents, incoming);
      this.#enter(window);
      this.#act(trigger.onElement(incoming.element, timestamp, window, this.#trigger), window, contents);
      this.#touch(window);
      const cleanup = this.#cleanupTime(window);
      if (cleanup < Number.POSITIVE_INFINITY) this.#timers(this.#time)?.add(key, namespaceOf(window), cleanup);
    }
    this.#keep(flying);
    return !(skipped && this.#time === 'event' && timestamp + allowedLatenessMs <= this.watermark);
  }

  /** `time`: which kind of timer it is. Fires first, then cleans up. */
  onTimer(timer: Timer, time: 'event' | 'processing'): void {
    const { trigger } = this.#settings;
    this.#host.backend.scope.key = timer.key;
    const window = windowOf(timer.namespace);
    const flying = this.#flying();
    // Of a window that has become part of another one, or has expired.
    if (flying !== null && flying.contentsOf(window) === null) return;
    const contents = this.#contentsOf(window, flying);
    this.#enter(window);
    const result =
      time === 'event'
        ? trigger.onEventTime(timer.time, window, this.#trigger)
        : trigger.onProcessingTime(timer.time, window, this.#trigger);
    this.#act(result, window, contents);
    if (time === this.#time && timer.time === this.#cleanupTime(window)) this.#cleanUp(window, contents, flying);
  }

  /** No row may have come for long: then the window goes, and nothing comes out. */
  onExpiry(timer: Timer): void {
    const { backend, expiryTimers, expired } = this.#host;
    backend.scope.key = timer.key;
    const window = windowOf(timer.namespace);
    this.#enter(window);
    const touched = this.#touched?.value() ?? null;
    if (touched === null) return;
    const due = touched[0] + this.#settings.timeToLiveMs;
    if (due > this.passed + 1) {
      this.#touched?.update([touched[0], due]);
      expiryTimers.add(timer.key, timer.namespace, due);
      return;
    }
    const flying = this.#flying();
    this.#cleanUp(window, this.#contentsOf(window, flying), flying);
    expired();
  }

  /** Windows that have yet to end, in no order: those with a timer for their cleanup; global ones of keys in memory that hold something. */
  open(): { readonly key: number; readonly window: TimeWindow }[] {
    const timers = this.#timers(this.#time);
    if (timers === null) return this.#openGlobal();
    const reached = this.#time === 'event' ? this.watermark : this.passed;
    const open: { key: number; window: TimeWindow }[] = [];
    for (const { key, namespace, time } of timers.all()) {
      const window = windowOf(namespace);
      if (maxTimestamp(window) > reached && time === this.#cleanupTime(window)) open.push({ key, window });
    }
    return open;
  }

  #openGlobal(): { readonly key: number; readonly window: TimeWindow }[] {
    const { backend } = this.#host;
    const { scope } = backend;
    const before = { key: scope.key, namespace: scope.namespace };
    const open = new Set<number>();
    backend.hold((key) => {
      if (!backend.prepared(key)) return;
      scope.key = key;
      scope.namespace = namespaceOf(GLOBAL_WINDOW);
      if (backend.stored(this.#settings.collected.descriptor)) open.add(key);
    });
    Object.assign(scope, before);
    return [...open].map((key) => ({ key, window: GLOBAL_WINDOW }));
  }

  /** Results of a window in flight as they are now; empty where there are none, or the key's state is not in memory. */
  peek(key: number, window: TimeWindow): number[] {
    const { backend } = this.#host;
    if (!backend.prepared(key)) return [];
    const { scope } = backend;
    const before = { key: scope.key, namespace: scope.namespace };
    scope.key = key;
    const contents = this.#contentsOf(window, this.#flying());
    scope.namespace = namespaceOf(contents);
    const values = this.#settings.collected.peek(this.#contents);
    Object.assign(scope, before);
    return values;
  }

  /** A row has come into the window. */
  #touch(window: TimeWindow): void {
    if (this.#touched === null) return;
    const { backend, expiryTimers } = this.#host;
    this.#enter(window);
    const now = this.passed + 1;
    let timer = this.#touched.value()?.[1];
    if (timer === undefined) {
      timer = now + this.#settings.timeToLiveMs;
      expiryTimers.add(backend.scope.key, namespaceOf(window), timer);
    }
    this.#touched.update([now, timer]);
  }

  /** The window is gone, or part of another one. */
  #untouch(window: TimeWindow): void {
    if (this.#touched === null) return;
    const { backend, expiryTimers } = this.#host;
    this.#enter(window);
    const timer = this.#touched.value()?.[1];
    if (timer !== undefined) expiryTimers.delete(backend.scope.key, namespaceOf(window), timer);
    this.#touched.clear();
  }

  #act(result: TriggerResult, window: TimeWindow, contents: TimeWindow): void {
    if (result === 'CONTINUE') return;
    const { backend, keyOf } = this.#host;
    if (result !== 'PURGE') {
      backend.scope.namespace = namespaceOf(contents);
      const elements = this.#settings.collected.elements(this.#contents, keyOf(backend.scope.key), window);
      if (elements !== null) this.#emit(window, elements);
    }
    if (result !== 'FIRE') {
      backend.scope.namespace = namespaceOf(contents);
      this.#contents.clear();
    }
  }

  #emit(window: TimeWindow, elements: readonly unknown[]): void {
    const { fn, keyOf, backend, emit } = this.#host;
    this.#enter(window);
    if (fn !== null) fn.process(keyOf(backend.scope.key), this.#context, elements, this.#out);
    else for (const row of elements) emit(row as Row<Fields>, maxTimestamp(window));
  }

  #cleanUp(window: TimeWindow, contents: TimeWindow, flying: MergingWindows | null): void {
    const { backend, fn } = this.#host;
    backend.scope.namespace = namespaceOf(contents);
    this.#contents.clear();
    this.#enter(window);
    this.#settings.trigger.clear(window, this.#trigger);
    this.#enter(window);
    fn?.clear?.(this.#context);
    this.#untouch(window);
    this.#deleteCleanup(window);
    this.#enter(window);
    backend.clearNamespace();
    flying?.retire(window);
    this.#keep(flying);
  }

  /** `result` takes the place of `merged`: trigger first, then contents. */
  #merge(result: TimeWindow, merged: readonly TimeWindow[], target: TimeWindow, sources: readonly TimeWindow[]): void {
    const { backend } = this.#host;
    const { trigger, collected } = this.#settings;
    this.#merged = merged;
    this.#enter(result);
    trigger.onMerge?.(result, this.#trigger);
    for (const window of merged) {
      this.#enter(window);
      trigger.clear(window, this.#trigger);
      this.#deleteCleanup(window);
      this.#untouch(window);
    }
    if (sources.length > 0)
      backend.mergeNamespaces(collected.descriptor, namespaceOf(target), sources.map(namespaceOf));
  }

  /** Trigger and function see this window from here on. */
  #enter(window: TimeWindow): void {
    this.#window = window;
    this.#host.backend.scope.namespace = namespaceOf(window);
  }

  /** Windows of the current key where they merge. */
  #flying(): MergingWindows | null {
    if (this.#inFlight === null) return null;
    this.#host.backend.scope.namespace = '';
    return new MergingWindows(this.#inFlight.value() ?? []);
  }

  #keep(flying: MergingWindows | null): void {
    if (flying?.changed !== true) return;
    this.#host.backend.scope.namespace = '';
    this.#inFlight?.update(flying.inFlight.length === 0 ? null : flying.inFlight);
  }

  #contentsOf(window: TimeWindow, flying: MergingWindows | null): TimeWindow {
    return flying?.contentsOf(window) ?? window;
  }

  /** Infinity: never. In processing time there is no lateness. */
  #cleanupTime(window: TimeWindow): number {
    const lateness = this.#time === 'event' ? this.#settings.allowedLatenessMs : 0;
    return maxTimestamp(window) + lateness;
  }

  #deleteCleanup(window: TimeWindow): void {
    const { key } = this.#host.backend.scope;
    this.#timers(this.#time)?.delete(key, namespaceOf(window), this.#cleanupTime(window));
  }

  #timers(time: 'event' | 'processing' | 'none'): TimerQueue | null {
    if (time === 'none') return null;
    return time === 'event' ? this.#host.eventTimers : this.#host.processingTimers;
  }

  #triggerContext(): MergeContext {
    const { backend, eventTimers, processingTimers } = this.#host;
    const { scope } = backend;
    const here = (time: number): string => {
      if (Number.isNaN(time)) {
        throw new WeirError('TIMER_TIME', 'A trigger asked for a timer at no time: does the row have a timestamp?');
      }
      return namespaceOf(this.#window);
    };
    return {
      currentWatermark: () => this.watermark,
      currentProcessingTime: () => this.passed + 1,
      registerEventTimeTimer: (time) => eventTimers.add(scope.key, here(time), time),
      deleteEventTimeTimer: (time) => eventTimers.delete(scope.key, here(time), time),
      registerProcessingTimeTimer: (time) => processingTimers.add(scope.key, here(time), time),
      deleteProcessingTimeTimer: (time) => processingTimers.delete(scope.key, here(time), time),
      getState: (descriptor) => backend.state(descriptor),
      mergeState: (descriptor) => {
        const target = namespaceOf(this.#window);
        const sources = this.#merged.map(namespaceOf).filter((namespace) => namespace !== target);
        backend.mergeNamespaces(descriptor, target, sources);
      },
    };
  }

  #functionContext(): WindowContext {
    const machine = this;
    const { backend, emitSide } = this.#host;
    const perWindow = new ScopedStates(() => {
      backend.scope.namespace = namespaceOf(machine.#window);
    });
    const perKey = new ScopedStates(() => {
      backend.scope.namespace = '';
    });
    return {
      get window() {
        return machine.#window;
      },
      get currentWatermark() {
        return machine.watermark;
      },
      get currentProcessingTime() {
        return machine.passed + 1;
      },
      windowState: (descriptor) => {
        if (machine.#inFlight !== null) {
          throw new WeirError(
            'MERGING_WINDOW_STATE',
            `State "${descriptor.name}": windows that merge have no state of their own; use globalState.`,
          );
        }
        return perWindow.of(backend.state(descriptor));
      },
      globalState: (descriptor) => perKey.of(backend.state(descriptor)),
      output: (tag, row) =>
        emitSide(tag as unknown as OutputTag, row as unknown as Row<Fields>, maxTimestamp(machine.#window)),
    };
  }
}
