/** What happens to a job, as numbered events for pages: one line each. */

import type { JobNews } from '#runtime/job/job-news.ts';
import type { LiveEvent } from '#shared/live.ts';
import { formatDuration, formatSize } from '#shared/quantities.ts';

/** Null: not worth a line. Checkpoints that succeed are many; the page Checkpoints shows them. */
export function newsEvent(news: JobNews): Pick<LiveEvent, 'kind' | 'text'> | null {
  switch (news.type) {
    case 'checkpoint': {
      const { type, id, kind, text } = news.change;
      if (type === 'failed') {
        const what = kind === 'checkpoint' ? 'Checkpoint' : 'Savepoint';
        return { kind: 'checkpoint-failed', text: `${what}${id === 0 ? '' : ` ${id}`} failed: ${text}` };
      }
      if (type === 'cleanup-failed') return { kind: 'checkpoint-failed', text };
      if (type === 'completed' && kind !== 'checkpoint')
        return { kind: 'savepoint', text: `Savepoint ${id} is in ${text}.` };
      return null;
    }
    case 'failure': {
      const what = news.scope === null ? '' : `${news.scope} `;
      const next =
        news.restartInMs === null ? 'The job ends.' : `Restarting ${what}in ${formatDuration(news.restartInMs)}.`;
      return { kind: 'failure', text: `${news.message} ${next}` };
    }
    case 'regions-restarted': {
      const { regions, of, gapMs } = news;
      return {
        kind: 'restored',
        text: `${regions} of ${of} regions run again, after ${formatDuration(Math.round(gapMs))}.`,
      };
    }
    case 'state-size': {
      const { operator, bytes, limit, large } = news;
      const what = large ? 'has grown beyond' : 'is back below';
      return { kind: 'state-size', text: `State of ${operator} ${what} ${formatSize(limit)}: ${formatSize(bytes)}.` };
    }
    case 'rescaled': {
      const changes = news.vertices.map(({ vertex, from, to }) => `${vertex} from ${from} to ${to}`);
      return {
        kind: 'rescaled',
        text: `Rescaled ${changes.join(', ')}, after a gap of ${formatDuration(Math.round(news.gapMs))}.`,
      };
    }
    case 'restored': {
      const skipped = news.skipped.map(({ id, reason }) => `Checkpoint ${id} cannot be used: ${reason}`);
      const from =
        news.checkpoint === null
          ? 'Starting from the beginning: there is no checkpoint.'
          : `Going on from checkpoint ${news.checkpoint}.`;
      return { kind: 'restored', text: [...skipped, from, ...news.notes].join(' ') };
    }
  }
}
