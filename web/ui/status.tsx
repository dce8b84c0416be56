import type { JobState } from '#shared/live.ts';
import type { LinkState } from '../live/link.ts';

export type Tone = 'ok' | 'idle' | 'busy' | 'backpressured' | 'warning' | 'critical' | 'mark';

interface Look {
  shape: string;
  tone: Tone;
}

const JOB_LOOKS: Record<JobState, Look> = {
  CREATED: { shape: '◌', tone: 'idle' },
  RUNNING: { shape: '●', tone: 'ok' },
  RESTARTING: { shape: '⟲', tone: 'warning' },
  FAILING: { shape: '✖', tone: 'critical' },
  FAILED: { shape: '✖', tone: 'critical' },
  CANCELLING: { shape: '◌', tone: 'warning' },
  CANCELED: { shape: '■', tone: 'idle' },
  FINISHED: { shape: '✓', tone: 'ok' },
};

const LINK_LOOKS: Record<LinkState, Look> = {
  connecting: { shape: '◌', tone: 'idle' },
  live: { shape: '●', tone: 'ok' },
  slow: { shape: '▲', tone: 'warning' },
  reduced: { shape: '◐', tone: 'warning' },
  restarted: { shape: '⟲', tone: 'ok' },
  reconnecting: { shape: '◌', tone: 'warning' },
  offline: { shape: '✖', tone: 'critical' },
};

export function jobLook(state: JobState): Look {
  return JOB_LOOKS[state];
}

export function linkLook(state: LinkState): Look {
  return LINK_LOOKS[state];
}

export const TONES: Record<Tone, string> = {
  ok: 'text-ok',
  idle: 'text-idle',
  busy: 'text-busy',
  backpressured: 'text-backpressured',
  warning: 'text-warning',
  critical: 'text-critical',
  mark: 'text-mark',
};

/** The only way a status is shown: a shape in the status colour and a word in the text colour. */
export function Status({ shape, tone, children }: Look & { children: React.ReactNode }) {
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
      <span aria-hidden="true" className={`${TONES[tone]} w-3.5 text-center text-sm leading-none`}>
        {shape}
      </span>
      <span>{children}</span>
    </span>
  );
}
