import { INJECTIONS, type InjectionKind, type InjectionSpec, type MalformedKind } from '#shared/injections.ts';
import type { JobView } from '#shared/live.ts';
import { compact, formatCount, formatDuration, formatExact, formatRate, formatSeconds, plural } from '../ui/format.ts';

/** What the form holds while it is filled in: text where people type. */
export interface Draft {
  kind: InjectionKind;
  malformed: MalformedKind | null;
  strength: string;
  once: boolean;
  seconds: string;
}

export const MAX_SECONDS = 3600;

export function draftFor(kind: InjectionKind): Draft {
  return { kind, malformed: null, strength: String(INJECTIONS[kind].default), once: false, seconds: '30' };
}

export function draftOf(spec: InjectionSpec): Draft {
  return {
    kind: spec.kind,
    malformed: spec.malformed,
    strength: String(spec.strength),
    once: spec.durationMs === 0,
    seconds: spec.durationMs === 0 ? '30' : String(spec.durationMs / 1000),
  };
}

export type Checked = { spec: InjectionSpec } | { wrong: 'strength' | 'seconds'; error: string };

export function checkDraft(draft: Draft): Checked {
  const { min, max } = INJECTIONS[draft.kind];
  const strength = Number(draft.strength);
  if (draft.strength.trim() === '' || !Number.isInteger(strength) || strength < min || strength > max) {
    return { wrong: 'strength', error: `Enter a whole number from ${formatExact(min)} to ${formatExact(max)}.` };
  }
  const once = draft.once && INJECTIONS[draft.kind].once;
  const seconds = Number(draft.seconds);
  if (!once && (draft.seconds.trim() === '' || !(seconds >= 1 && seconds <= MAX_SECONDS))) {
    return { wrong: 'seconds', error: `Enter 1 to ${MAX_SECONDS} seconds.` };
  }
  const malformed = draft.kind === 'malformed' ? draft.malformed : null;
  return { spec: { kind: draft.kind, strength, durationMs: once ? 0 : Math.round(seconds * 1000), malformed } };
}

/** Unit of the strength field; what is sent all at once is a number of events, not a rate. */
export function strengthUnit(draft: Draft): string {
  return draft.once && INJECTIONS[draft.kind].once ? 'events' : INJECTIONS[draft.kind].unit;
}

/** `wrong_type:pressure` reads "wrong type: pressure". */
export function malformedName(kind: MalformedKind | null): string {
  return kind === null ? 'all kinds in turn' : kind.replace('_', ' ').replace(':', ': ');
}

/** One sentence that says what will happen, before it happens. */
export function preview(spec: InjectionSpec, job: JobView | null): string {
  const { kind, strength, durationMs } = spec;
  const time = formatSeconds(durationMs);
  const total = Math.round((strength * durationMs) / 1000);
  const which = kind === 'malformed' ? ` (${malformedName(spec.malformed)})` : '';
  switch (kind) {
    case 'malformed':
    case 'late':
      return durationMs === 0
        ? `Adds ${plural(strength, `${kind} event`)} at once${which}.`
        : `Adds ${plural(strength, `${kind} event`)} a second for ${time}${which}: about ${formatCount(total)} in all.`;
    case 'disorder': {
      const bound = job ? ` of ${compact(formatDuration(job.outOfOrdernessMs))}` : '';
      return `Holds back ${strength} % of all events by up to the out-of-orderness bound${bound}, for ${time}. Nothing gets late.`;
    }
    case 'burst': {
      const rate = job?.simulator?.rate;
      const from =
        rate == null ? '' : `, from ${compact(formatRate(rate))} to ${compact(formatRate(rate * strength))} events/s`;
      return `Multiplies the rate by ${strength} for ${time}${from}.`;
    }
    case 'offline':
      return `${plural(strength, 'device')} ${strength === 1 ? 'falls' : 'fall'} silent for ${time}, then ${strength === 1 ? 'sends its' : 'send their'} backlog at once.`;
  }
}

/** What a running or ended injection is, in a few words. */
export function describeSpec(spec: InjectionSpec): string {
  const { kind, strength, durationMs } = spec;
  const amount = {
    malformed: durationMs === 0 ? `${formatCount(strength)} events at once` : `${formatCount(strength)} events/s`,
    late: durationMs === 0 ? `${formatCount(strength)} events at once` : `${formatCount(strength)} events/s`,
    disorder: `${strength} % of events`,
    burst: `rate × ${strength}`,
    offline: plural(strength, 'device'),
  }[kind];
  return kind === 'malformed' ? `${amount}, ${malformedName(spec.malformed)}` : amount;
}
