/** Ctrl-C: the first asks to stop, the second does not ask. SIGTERM likewise. */

/** Exit code of a program that a signal ended before it was done, as shells have it. */
export const INTERRUPTED = 130;

/** Calls `stop` on the first signal; the second ends the process at once. Returns how to stop listening. */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): () => void {
  let asked = false;
  const listener = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(INTERRUPTED);
    asked = true;
    stop(signal);
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}
