/** What happens to a job, as lines for a terminal. */

import type { JobNews } from '#runtime/job/job-news.ts';
import { formatDuration } from '#shared/quantities.ts';

/** Lines without line breaks; none for what goes as it should. */
export function newsLines(news: JobNews): string[] {
  switch (news.type) {
    case 'checkpoint': {
      const { type, text } = news.change;
      return type === 'failed' || type === 'cleanup-failed' ? [text] : [];
    }
    case 'failure': {
      const next = news.restartInMs === null ? 'the job ends' : `restarting in ${formatDuration(news.restartInMs)}`;
      return [`${news.message} (${next})`];
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
