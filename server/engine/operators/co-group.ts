/**
 * Rows of two streams in the windows of a key (Flink's CoGroupedStreams, and JoinedStreams on top of it): when a window fires, a function gets
 * the rows of both. Lateness, firing and late firing are those of windows over one stream (`flink-reference` §1.4-§1.6).
 */

import { WeirError } from '#base/errors.ts';
import type { Cursor } from '../batch/cursor.ts';
import type { Fields, Row } from '../batch/schema.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { listState } from '../state/descriptors.ts';
import type { ListState, StateScope } from '../state/keyed-state.ts';
import type { Key } from '../state/state-keys.ts';
import { type AlignedWindows, windowsOf } from '../window/assigners.ts';
import type { TimeWindow } from '../window/contents.ts';
import type { FunctionCall } from './function-call.ts';
import type { FunctionOpenContext, OperatorFunction } from './function-operator.ts';
import type { Collector } from './process.ts';

/** What a function may ask about the window whose rows it gets. */
export interface GroupContext {
  readonly key: Key;
  readonly window: TimeWindow;
}

/** Called when a window fires; one of the lists may be empty. Rows are in order of arrival, and not to be changed. */
export type CoGroupFunction<A extends Fields, B extends Fields, Out extends Fields> = (
  left: readonly Row<A>[],
  right: readonly Row<B>[],
  ctx: GroupContext,
  out: Pick<Collector<Out>, 'collect'>,
) => void;

export interface CoGroupSettings {
  readonly name: string;
  readonly windows: AlignedWindows;
  readonly allowedLatenessMs: number;
  readonly fn: CoGroupFunction<Fields, Fields, Fields>;
}

type PlainRow = Record<string, unknown>;

export class WindowedCoGroupFunction implements OperatorFunction {
  /** Windows in processing time that are open at the end are emitted. */
  readonly closesAtEnd = true;
  readonly #settings: CoGroupSettings;
  readonly #eventTime: boolean;
  /** How long after its last instant a window stays, ms. */
  readonly #stays: number;
  /** Latest time of the clock: it may step back, windows that were emitted may not come again. */
  #clock = Number.NEGATIVE_INFINITY;
  #cells!: Float64Array;
  #scope!: StateScope;
  #lefts!: ListState<PlainRow>;
  #rights!: ListState<PlainRow>;

  constructor(settings: CoGroupSettings) {
    this.#settings = settings;
    this.#eventTime = settings.windows.time === 'event';
    this.#stays = this.#eventTime ? settings.allowedLatenessMs : 0;
  }

  open(ctx: FunctionOpenContext): void {
    this.#cells = ctx.cells;
    this.#scope = ctx.scope;
    this.#lefts = ctx.getState(listState<PlainRow>('left'));
    this.#rights = ctx.getState(listState<PlainRow>('right'));
  }

  processElement1(row: Cursor, call: FunctionCall): void {
    this.#add(row, call, this.#lefts);
  }

  processElement2(row: Cursor, call: FunctionCall): void {
    this.#add(row, call, this.#rights);
  }

  onTimer(time: number, call: FunctionCall): void {
    this.#clock = Math.max(this.#clock, call.currentProcessingTime);
    const window = windowNamed(this.#scope.namespace);
    const due = this.#dueAt(window);
    if (time === due) this.#fire(window, call);
    if (time !== due + this.#stays) return;
    this.#lefts.clear();
    this.#rights.clear();
  }

  #add(row: Cursor, call: FunctionCall, own: ListState<PlainRow>): void {
    this.#clock = Math.max(this.#clock, call.currentProcessingTime);
    const watermark = this.#eventTime ? call.currentWatermark : Number.NEGATIVE_INFINITY;
    const time = this.#eventTime ? call.timestamp : this.#clock;
    if (time === null) {
      throw new WeirError('JOIN_TIMESTAMP', `${this.#settings.name}: event-time windows need rows with timestamps.`);
    }
    let late = time + this.#stays <= watermark;
    const kept = row.$copy();
    for (const window of windowsOf(this.#settings.windows, time)) {
      const last = window.end - 1;
      if (last + this.#stays <= watermark) continue;
      late = false;
      this.#scope.namespace = nameOf(window);
      own.add(kept);
      const due = this.#dueAt(window);
      if (last <= watermark) this.#fire(window, call);
      else this.#callAt(due, call);
      if (this.#stays > 0) this.#callAt(due + this.#stays, call);
    }
    this.#scope.namespace = '';
    if (late) this.#cells[OperatorCell.LATE_DROPPED] = (this.#cells[OperatorCell.LATE_DROPPED] as number) + 1;
  }

  /** The watermark has to reach a window's last instant; the clock has to pass it, as rows come within it too. */
  #dueAt({ end }: TimeWindow): number {
    return this.#eventTime ? end - 1 : end;
  }

  #callAt(time: number, { timerService }: FunctionCall): void {
    if (this.#eventTime) timerService.registerEventTimeTimer(time);
    else timerService.registerProcessingTimeTimer(time);
  }

  /** Results have the window's last instant as timestamp. */
  #fire(window: TimeWindow, call: FunctionCall): void {
    const rows = (state: ListState<PlainRow>) => state.get() as unknown as readonly Row<Fields>[];
    this.#settings.fn(
      rows(this.#lefts),
      rows(this.#rights),
      { key: call.currentKey, window },
      { collect: (row) => call.collectAt(row, window.end - 1) },
    );
  }
}

/** Namespace of a window's state and timers. */
function nameOf({ start, end }: TimeWindow): string {
  return `${start}/${end}`;
}

function windowNamed(namespace: string): TimeWindow {
  const [start, end] = namespace.split('/').map(Number) as [number, number];
  return { start, end };
}
