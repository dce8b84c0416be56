/** What may change when a job goes on from a checkpoint, and what would silently give other results. */

import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '#base/errors.ts';
import type { JobSpec } from '#runtime/messages.ts';

/** Parameters that say how the job runs, not what it gives. */
const FREE = new Set(['parallelism', 'state', 'console', 'live', 'rollIntervalMs', 'alignmentMs']);

/** Flags by the parameter that they end up in. */
const FLAGS: Readonly<Record<string, string>> = {
  source: '--input, --simulate and their options',
  time: '--time',
  window: '--window or --session',
  outOfOrdernessMs: '--out-of-orderness',
  allowedLatenessMs: '--allowed-lateness',
  idleTimeoutMs: '--idle-timeout',
  watermarkEmit: '--watermark-emit',
  output: '--output',
  postgres: '--postgres, --postgres-table or --postgres-mode',
  gapMs: '--gap',
  silenceMs: '--silence',
  thresholds: '--thresholds',
};

/** Throws a `UsageError` that names the flags whose values were others when `before` was written. */
export function refuseOtherResults(before: JobSpec, now: JobSpec): void {
  const [was, is] = [before.params, now.params] as [Record<string, unknown>, Record<string, unknown>];
  const changed = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter(
    (name) => !FREE.has(name) && !isDeepStrictEqual(plain(was[name]), plain(is[name])),
  );
  if (changed.length === 0) return;
  const said = changed.map((name) => {
    const flag = FLAGS[name] ?? name;
    return `${flag} (was ${words(was[name])}, is ${words(is[name])})`;
  });
  throw new UsageError(
    `The checkpoint was taken with other settings, which would give other results: ${said.join('; ')}. Give the same, or begin anew without --resume.`,
  );
}

/** As it is written down and read back. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function words(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
