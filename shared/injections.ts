/** What one can do to the simulator's stream from the page, as server and dashboard type it. */

/** `strength` means what `INJECTIONS` says. */
export type InjectionKind = 'malformed' | 'late' | 'disorder' | 'burst' | 'offline';

/** Every way in which an event of the IoT job can be malformed (`contract` of the event: reason, then field). */
export const MALFORMED_KINDS = [
  'malformed_json',
  'missing_field:device_id',
  'missing_field:event_timestamp',
  'missing_field:temperature',
  'missing_field:humidity',
  'missing_field:pressure',
  'wrong_type:device_id',
  'wrong_type:event_timestamp',
  'wrong_type:temperature',
  'wrong_type:humidity',
  'wrong_type:pressure',
  'out_of_range:event_timestamp',
  'out_of_range:temperature',
  'out_of_range:humidity',
  'out_of_range:pressure',
] as const;
export type MalformedKind = (typeof MALFORMED_KINDS)[number];

export interface InjectionSpec {
  kind: InjectionKind;
  /** See `INJECTIONS[kind].unit`. */
  strength: number;
  /** How long the server keeps it up; 0 means all at once (`malformed`, `late` only: `strength` events). */
  durationMs: number;
  /** `malformed` only: which kind; null for all kinds in turn. */
  malformed: MalformedKind | null;
}

export interface Injection extends InjectionSpec {
  id: number;
  startedAt: number;
  /** Planned end while running, real end afterwards. */
  endsAt: number;
  running: boolean;
  /** Events made or touched so far. */
  affected: number;
}

export const INJECTIONS: Record<
  InjectionKind,
  {
    title: string;
    unit: string;
    min: number;
    max: number;
    default: number;
    once: boolean;
    says: string;
  }
> = {
  malformed: {
    title: 'Malformed events',
    unit: 'events/s',
    min: 1,
    max: 10000,
    default: 20,
    once: true,
    says: 'Adds events that cannot be read or break a rule. They go to the side output errors.',
  },
  late: {
    title: 'Late events',
    unit: 'events/s',
    min: 1,
    max: 10000,
    default: 20,
    once: true,
    says: 'Adds events far behind the watermark. Beyond the allowed lateness they go to the late side output.',
  },
  disorder: {
    title: 'Out-of-order burst',
    unit: '% of events',
    min: 1,
    max: 100,
    default: 30,
    once: false,
    says: 'Holds back this share of events by up to the out-of-orderness bound: order is lost, nothing is late.',
  },
  burst: {
    title: 'Traffic burst',
    unit: '× rate',
    min: 2,
    max: 100,
    default: 5,
    once: false,
    says: 'Multiplies the rate.',
  },
  offline: {
    title: 'Offline devices',
    unit: 'devices',
    min: 1,
    max: 1000,
    default: 3,
    once: false,
    says: 'These devices fall silent, then send their backlog at once when they are back.',
  },
};
