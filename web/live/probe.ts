import type { Mark } from '../charts/marks.ts';
import type { LinkState } from './link.ts';
import type { LiveStore } from './store.ts';

/** What browser tests (and curious people at the console) may ask the page instead of looking at pixels. */
export interface Probe {
  /** Newest frame received. */
  readonly seq: number;
  /** Frame that the canvases were last painted with. */
  paintedSeq: number;
  readonly dataAgeMs: number;
  readonly state: LinkState;
  readonly epoch: string;
  readonly eventSeq: number;
  readonly paused: boolean;
  readonly runningInjections: number;
  /** Held up by the server at the moment. */
  readonly activeFaults: number;
  /** Newest second of history held, or null. */
  readonly newestSecond: number | null;
  /** What each time chart drew on top of its data when it was last painted, by chart id. */
  readonly marks: Record<string, readonly Mark[]>;
  /** Another one after every page load. */
  readonly loadId: string;
}

declare global {
  interface Window {
    __weir?: Probe;
  }
}

export function makeProbe(store: LiveStore): Probe {
  return {
    get seq() {
      return store.seq;
    },
    paintedSeq: 0,
    get dataAgeMs() {
      return store.ageMs(Date.now());
    },
    get state() {
      return store.shown.link.state;
    },
    get epoch() {
      return store.epoch;
    },
    get eventSeq() {
      return store.eventSeq;
    },
    get paused() {
      return store.shown.paused;
    },
    get runningInjections() {
      return store.shown.injections.filter((injection) => injection.running).length;
    },
    get activeFaults() {
      return store.shown.faults?.open.filter(({ fault }) => fault.phase === 'active').length ?? 0;
    },
    get newestSecond() {
      return store.history.newest;
    },
    marks: {},
    loadId: Math.random().toString(36).slice(2),
  };
}
