import type { Injection, InjectionKind } from '#shared/injections.ts';
import type { LiveEvent } from '#shared/live.ts';

/** What every time chart draws on top of its data: an injection or a fault is a band, a state or settings change a line. */
export interface Band {
  type: 'band';
  of: 'injection' | 'fault';
  /** Number of the injection or fault. */
  id: number;
  from: number;
  /** Null while it goes on. */
  to: number | null;
  label: string;
  text: string;
}

export interface Line {
  type: 'line';
  /** Sequence number of the event. */
  id: number;
  at: number;
  kind: 'job-state' | 'settings-changed' | NewsKind;
  label: string;
  text: string;
}

export type Mark = Band | Line;

const SHORT: Record<InjectionKind, string> = {
  malformed: 'malformed',
  late: 'late',
  disorder: 'disorder',
  burst: 'burst',
  offline: 'offline',
};

/** A shape and a word each, as on the page Checkpoints. */
const LABELS = {
  'checkpoint-failed': '✖ checkpoint',
  savepoint: '⚑ savepoint',
  failure: '✖ failure',
  restored: '⟲ restored',
  rescaled: '⇅ rescaled',
  'state-size': '▲ state',
} as const;

type NewsKind = keyof typeof LABELS;

function isNews(kind: LiveEvent['kind']): kind is NewsKind {
  return Object.hasOwn(LABELS, kind);
}

/** Marks in the order in which they began. Only the server's events make one, never a click. */
export function marksOf(events: readonly LiveEvent[], injections: readonly Injection[]): Mark[] {
  const known = new Map(injections.map((injection) => [injection.id, injection]));
  const bands = new Map<number, Band>();
  const faults = new Map<number, Band>();
  const marks: Mark[] = [];
  for (const event of events) {
    if (event.kind === 'job-state') {
      const label = event.state ? event.state.toLowerCase() : 'job';
      marks.push({ type: 'line', id: event.seq, at: event.at, kind: event.kind, label, text: event.text });
    } else if (event.kind === 'settings-changed') {
      marks.push({ type: 'line', id: event.seq, at: event.at, kind: event.kind, label: 'settings', text: event.text });
    } else if (isNews(event.kind)) {
      const label = LABELS[event.kind];
      marks.push({ type: 'line', id: event.seq, at: event.at, kind: event.kind, label, text: event.text });
    } else if (event.fault !== null) {
      const band = faults.get(event.fault);
      if (event.kind === 'fault-started') {
        const label = `fault #${event.fault}`;
        const added: Band = {
          type: 'band',
          of: 'fault',
          id: event.fault,
          from: event.at,
          to: null,
          label,
          text: event.text,
        };
        faults.set(event.fault, added);
        marks.push(added);
      } else if (band) {
        band.to ??= event.at;
        // The verdict says more than the start did.
        if (event.kind === 'fault-verdict') band.text = event.text;
      }
    } else if (event.injection !== null) {
      const band = bands.get(event.injection);
      if (event.kind === 'injection-stopped') {
        if (band) band.to = event.at;
        continue;
      }
      const injection = known.get(event.injection);
      const to = injection && !injection.running ? injection.endsAt : null;
      const label = injection ? SHORT[injection.kind] : `injection ${event.injection}`;
      const added: Band = {
        type: 'band',
        of: 'injection',
        id: event.injection,
        from: event.at,
        to,
        label,
        text: event.text,
      };
      bands.set(event.injection, added);
      marks.push(added);
    }
  }
  return marks;
}

/** Those of which something lies between `from` and `to`; for an open band the right edge is its end for now. */
export function marksWithin(marks: readonly Mark[], from: number, to: number): Mark[] {
  return marks.filter((mark) =>
    mark.type === 'band' ? mark.from <= to && (mark.to ?? to) >= from : mark.at >= from && mark.at <= to,
  );
}
