/** The triggers that come with Weir, as Flink's (`flink-reference` §1.3). */

import { UsageError } from '#base/errors.ts';
import { reducingState, type StateDescriptor } from '../state/descriptors.ts';
import type { ReducingState } from '../state/keyed-state.ts';
import type { TimeWindow } from './contents.ts';
import { maxTimestamp, type Trigger, type TriggerContext, type TriggerResult } from './trigger.ts';

const onlyContinue = (): TriggerResult => 'CONTINUE';

/** Fires when the watermark reaches the last instant, and at once for every late row that is allowed. */
export const EventTimeTrigger = {
  create: (): Trigger => ({
    onElement(_row, _timestamp, window, ctx) {
      if (maxTimestamp(window) <= ctx.currentWatermark()) return 'FIRE';
      ctx.registerEventTimeTimer(maxTimestamp(window));
      return 'CONTINUE';
    },
    onEventTime: (time, window) => (time === maxTimestamp(window) ? 'FIRE' : 'CONTINUE'),
    onProcessingTime: onlyContinue,
    onMerge(window, ctx) {
      // Otherwise the row that brings the windows together makes it fire.
      if (maxTimestamp(window) > ctx.currentWatermark()) ctx.registerEventTimeTimer(maxTimestamp(window));
    },
    clear: (window, ctx) => ctx.deleteEventTimeTimer(maxTimestamp(window)),
  }),
};

/** Fires when the clock has passed the last millisecond. */
export const ProcessingTimeTrigger = {
  create: (): Trigger => ({
    onElement(_row, _timestamp, window, ctx) {
      ctx.registerProcessingTimeTimer(maxTimestamp(window));
      return 'CONTINUE';
    },
    onEventTime: onlyContinue,
    onProcessingTime: () => 'FIRE',
    onMerge(window, ctx) {
      if (maxTimestamp(window) >= ctx.currentProcessingTime()) ctx.registerProcessingTimeTimer(maxTimestamp(window));
    },
    clear: (window, ctx) => ctx.deleteProcessingTimeTimer(maxTimestamp(window)),
  }),
};

/** Instant at which a continuous trigger fires next; of merged windows the earlier one. */
const fireTime: StateDescriptor<ReducingState<number>> = reducingState<number>('trigger-fire-time', (a, b) =>
  Math.min(a, b),
);

function interval(ms: number): number {
  if (!(ms > 0)) throw new UsageError(`A continuous trigger needs an interval of more than 0 ms, not ${ms}.`);
  return ms;
}

/** Schedules the firing behind `time`. */
function scheduleNext(time: number, every: number, window: TimeWindow, ctx: TriggerContext): number {
  const next = Math.min(time + every, maxTimestamp(window));
  ctx.getState(fireTime).add(next);
  return next;
}

/** Fires at every multiple of the interval that the watermark passes, and at the end of the window. Contents stay. */
export const ContinuousEventTimeTrigger = {
  of: (intervalMs: number): Trigger => {
    const every = interval(intervalMs);
    return {
      onElement(_row, timestamp, window, ctx) {
        if (maxTimestamp(window) <= ctx.currentWatermark()) return 'FIRE';
        ctx.registerEventTimeTimer(maxTimestamp(window));
        if (ctx.getState(fireTime).get() === null) {
          ctx.registerEventTimeTimer(scheduleNext(timestamp - (timestamp % every), every, window, ctx));
        }
        return 'CONTINUE';
      },
      onEventTime(time, window, ctx) {
        if (time === maxTimestamp(window)) return 'FIRE';
        if (ctx.getState(fireTime).get() !== time) return 'CONTINUE';
        ctx.getState(fireTime).clear();
        ctx.registerEventTimeTimer(scheduleNext(time, every, window, ctx));
        return 'FIRE';
      },
      onProcessingTime: onlyContinue,
      onMerge(_window, ctx) {
        ctx.mergeState(fireTime);
        const next = ctx.getState(fireTime).get();
        if (next !== null) ctx.registerEventTimeTimer(next);
      },
      clear(window, ctx) {
        ctx.deleteEventTimeTimer(maxTimestamp(window));
        const next = ctx.getState(fireTime).get();
        if (next !== null) ctx.deleteEventTimeTimer(next);
        ctx.getState(fireTime).clear();
      },
    };
  },
};

/** Fires at every multiple of the interval that the clock passes while there are rows, and at the end of the window. Contents stay. */
export const ContinuousProcessingTimeTrigger = {
  of: (intervalMs: number): Trigger => {
    const every = interval(intervalMs);
    return {
      onElement(_row, _timestamp, window, ctx) {
        if (ctx.getState(fireTime).get() === null) {
          const now = ctx.currentProcessingTime();
          ctx.registerProcessingTimeTimer(scheduleNext(now - (now % every), every, window, ctx));
        }
        return 'CONTINUE';
      },
      onEventTime: onlyContinue,
      onProcessingTime(time, window, ctx) {
        if (ctx.getState(fireTime).get() !== time) return 'CONTINUE';
        ctx.getState(fireTime).clear();
        if (time < maxTimestamp(window)) {
          ctx.registerProcessingTimeTimer(scheduleNext(time, every, window, ctx));
        }
        return 'FIRE';
      },
      onMerge(_window, ctx) {
        ctx.mergeState(fireTime);
        const next = ctx.getState(fireTime).get();
        if (next !== null) ctx.registerProcessingTimeTimer(next);
      },
      clear(_window, ctx) {
        const next = ctx.getState(fireTime).get();
        if (next !== null) ctx.deleteProcessingTimeTimer(next);
        ctx.getState(fireTime).clear();
      },
    };
  },
};

const rowCount: StateDescriptor<ReducingState<number>> = reducingState<number>('trigger-count', (a, b) => a + b);

/** Fires with every n-th row of a key and window, and never else. */
export const CountTrigger = {
  of: (n: number): Trigger => {
    if (!Number.isInteger(n) || n < 1) throw new UsageError(`A count trigger needs a whole number of rows, not ${n}.`);
    return {
      onElement(_row, _timestamp, _window, ctx) {
        const count = ctx.getState(rowCount);
        count.add(1);
        if ((count.get() ?? 0) < n) return 'CONTINUE';
        count.clear();
        return 'FIRE';
      },
      onEventTime: onlyContinue,
      onProcessingTime: onlyContinue,
      onMerge: (_window, ctx) => ctx.mergeState(rowCount),
      clear: (_window, ctx) => ctx.getState(rowCount).clear(),
    };
  },
};

/** Never fires: the default of global windows. */
export const NeverTrigger = {
  create: (): Trigger => ({
    onElement: onlyContinue,
    onEventTime: onlyContinue,
    onProcessingTime: onlyContinue,
    onMerge: () => {},
    clear: () => {},
  }),
};

/** Fires once, at the end of the input. */
export const EndOfStreamTrigger = {
  create: (): Trigger => ({
    onElement(_row, _timestamp, _window, ctx) {
      ctx.registerEventTimeTimer(Number.POSITIVE_INFINITY);
      return 'CONTINUE';
    },
    onEventTime: (time) => (time === Number.POSITIVE_INFINITY ? 'FIRE' : 'CONTINUE'),
    onProcessingTime: onlyContinue,
    onMerge: (_window, ctx) => ctx.registerEventTimeTimer(Number.POSITIVE_INFINITY),
    clear: (_window, ctx) => ctx.deleteEventTimeTimer(Number.POSITIVE_INFINITY),
  }),
};

const purging = (result: TriggerResult): TriggerResult => (result === 'FIRE' ? 'FIRE_AND_PURGE' : result);

/** Whenever the inner trigger fires, the window starts anew with nothing in it. */
export const PurgingTrigger = {
  of: <E>(inner: Trigger<E>): Trigger<E> => {
    const trigger: Trigger<E> = {
      onElement: (row, timestamp, window, ctx) => purging(inner.onElement(row, timestamp, window, ctx)),
      onEventTime: (time, window, ctx) => purging(inner.onEventTime(time, window, ctx)),
      onProcessingTime: (time, window, ctx) => purging(inner.onProcessingTime(time, window, ctx)),
      clear: (window, ctx) => inner.clear(window, ctx),
    };
    const { onMerge } = inner;
    return onMerge === undefined ? trigger : { ...trigger, onMerge: (window, ctx) => onMerge.call(inner, window, ctx) };
  },
};
