/** What happens to a job, as lines for a terminal. */

import type { JobNews } from '#runtime/job/job-news.ts';
import { formatDuration, formatSize } from '#shared/quantities.ts';

/** Lines without line breaks; none for what goes as it should. */
export function newsLines(news: JobNews): string[] {
  switch (news.type) {
    case 'checkpoint': {
      const { type, text } = news.change;
      return type === 'failed' || type === 'cleanup-failed' ? [text] : [];
    }
    case 'failure': {
      const what = news.scope === null ? '' : `${news.scope} `;
      const next =
        news.restartInMs === null ? 'the job ends' : `restarting ${what}in ${formatDuration(news.restartInMs)}`;
      return [`${news.message} (${next})`];
    }
    case 'regions-restarted': {
      const { regions, of, gapMs } = news;
      return [`${regions} of ${of} regions restarted, after ${formatDuration(Math.round(gapMs))}`];
    }
    case 'state-size': {
      const { operator, bytes, limit, large } = news;
      const what = large ? 'has grown beyond' : 'is back below';
      return [`state of ${operator} ${what} ${formatSize(limit)}: ${formatSize(bytes)}`];
    }
    case 'rescaled': {
      const changes = news.vertices.map(({ vertex, from, to }) => `${vertex} from ${from} to ${to}`);
      return [`rescaled ${changes.join(', ')}, after a gap of ${formatDuration(Math.round(news.gapMs))}`];
    }
    case 'restored': {
      const from =
        news.checkpoint === null
          ? 'starting from the beginning: there is no checkpoint'
          : `going on from checkpoint ${news.checkpoint}`;
      const skipped = news.skipped.map(({ id, reason }) => `checkpoint ${id} cannot be used: ${reason}`);
      return [...skipped, from, ...news.notes];
    }
  }
}
