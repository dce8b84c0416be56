import type { JobWindows } from '#shared/live.ts';
import { compact, formatDuration, formatTime } from './format.ts';

/** `5 s`, `1 m`. */
const length = (ms: number): string => compact(formatDuration(ms)).replace(/ 00 \w$/, '');

/** The windows of a job in words. */
export function windowWords(windows: JobWindows): string {
  switch (windows.kind) {
    case 'tumbling':
      return `${length(windows.sizeMs)} tumbling windows`;
    case 'sliding':
      return `${length(windows.sizeMs)} windows every ${length(windows.slideMs)}`;
    case 'session':
      return `sessions with a gap of ${length(windows.gapMs)}`;
  }
}

/** From one result of a device to the next, ms; of sessions, at least. */
export function everyMs(windows: JobWindows): number {
  return windows.kind === 'sliding' ? windows.slideMs : windows.kind === 'session' ? windows.gapMs : windows.sizeMs;
}

/** How long after its first event a window may end, ms; of sessions that go on and on, after its last. */
export function openMs(windows: JobWindows): number {
  return windows.kind === 'session' ? windows.gapMs : windows.sizeMs;
}

/** When the next window closes behind `time`; `what` is the time that closes it. */
export function nextClosing(windows: JobWindows, time: number, what: string): { says: string; inMs: number } {
  if (windows.kind === 'session') {
    const says = `A session closes when ${what} is ${length(windows.gapMs)} past the last event of its device.`;
    return { says, inMs: windows.gapMs };
  }
  const every = everyMs(windows);
  const end = (Math.floor((time - windows.sizeMs) / every) + 1) * every + windows.sizeMs;
  return { says: `First window closes when ${what} passes ${formatTime(end)}`, inMs: end - time };
}
