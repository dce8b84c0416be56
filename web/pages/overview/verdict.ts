import { INJECTIONS, type Injection } from '#shared/injections.ts';
import type { JobView, Totals, VertexNumbers, WatermarkHolders } from '#shared/live.ts';
import type { Link } from '../../live/link.ts';
import { compact, formatCount, formatDuration, formatPercent, formatRate, plural } from '../../ui/format.ts';
import type { Tone } from '../../ui/status.tsx';
import { openMs } from '../../ui/windows.ts';
import { holderWords, jobHolder, standsStill } from './holder-words.ts';
import { bottleneck, HIGH, loads, worst } from './vertex-load.ts';

/** The one sentence on top of the Overview: is it healthy, and if not, what is wrong. */
export interface Verdict {
  shape: string;
  tone: Tone;
  headline: string;
  details: string;
}

export interface Facts {
  link: Link;
  job: JobView | null;
  totals: Totals | null;
  vertices: VertexNumbers | null;
  holders: WatermarkHolders | null;
  /** Server time that the numbers belong to. */
  now: number;
  injections: readonly Injection[];
  /** Errors and late events of the newest second. */
  errorsPerSecond: number | null;
  latePerSecond: number | null;
}

const BAD_SHARE = 0.05;
/** Beyond bound and window a watermark may trail this far before it counts as trouble. */
const LAG_ALLOWANCE_MS = 10_000;

/** A real input whose events are older than this is history that is read again; it does not lag. */
const HISTORY_MS = 86_400_000;

export function judge(facts: Facts): Verdict {
  const { link, job, totals, vertices } = facts;
  if (link.stale) {
    return trouble('The page shows old data', `${link.blocked ?? link.words}. What you see is the last that arrived.`);
  }
  if (!job) {
    return { shape: '○', tone: 'idle', headline: 'No job is running', details: 'Start one with: weir serve --job iot' };
  }
  if (job.state === 'FAILED' || job.state === 'FAILING') {
    return { shape: '✖', tone: 'critical', headline: 'The job failed', details: job.failure ?? 'No cause was given.' };
  }
  if (job.state === 'FINISHED') {
    return { shape: '✓', tone: 'ok', headline: 'The job finished', details: countsOf(totals) };
  }
  if (job.state !== 'RUNNING') {
    return { shape: '◌', tone: 'idle', headline: `The job is ${job.state.toLowerCase()}`, details: countsOf(totals) };
  }
  return pressure(job, vertices) ?? lagging(job, facts) ?? refused(facts) ?? healthy(facts);
}

function pressure(job: JobView, vertices: VertexNumbers | null): Verdict | null {
  if (!vertices) return null;
  const found = job.vertices
    .map((vertex, i) => ({ name: vertex.name, load: worst(loads(vertices, i)) }))
    .sort((a, b) => (b.load?.backpressured ?? 0) - (a.load?.backpressured ?? 0))[0];
  if (!found?.load || found.load.backpressured < HIGH) return null;
  const share = formatPercent(found.load.backpressured);
  const to = bottleneck(job, vertices);
  const busy = to === null ? null : worst(loads(vertices, to));
  const cause = to === null ? '' : ` It waits for ${job.vertices[to]?.name}, ${formatPercent(busy?.busy)} busy.`;
  return {
    shape: '▤',
    tone: 'backpressured',
    headline: `${found.name} is held back`,
    details: `Subtask ${found.load.subtask + 1} is ${share} backpressured.${cause}`,
  };
}

function lagging(job: JobView, { totals, holders, now }: Facts): Verdict | null {
  const lag = totals?.watermarkLagMs;
  if (job.timeMode !== 'event' || lag == null) return null;
  if (lag <= job.outOfOrdernessMs + openMs(job.window) + LAG_ALLOWANCE_MS) return null;
  if (job.simulator === null && lag > HISTORY_MS) return null;
  const bound = compact(formatDuration(job.outOfOrdernessMs));
  const holder = jobHolder(job, holders);
  const cause =
    holder !== null && standsStill(holder, now) ? ` Held back by ${holderWords({ job, now }, holder)}.` : '';
  return trouble(
    'The watermark lags behind',
    `It is ${formatDuration(lag)} behind, with an out-of-orderness bound of ${bound}. Windows close that much later.${cause}`,
  );
}

function refused(facts: Facts): Verdict | null {
  const rate = facts.totals?.eventsPerSecond ?? 0;
  const errors = facts.errorsPerSecond ?? 0;
  if (rate <= 0 || errors / rate < BAD_SHARE) return null;
  const because = underTest(facts.injections);
  return trouble(
    'Many events are refused',
    `${formatPercent(errors / rate)} are malformed, ${formatRate(errors)} a second.${because}`,
  );
}

function healthy({ job, totals, injections }: Facts): Verdict {
  const parts = [`${formatRate(totals?.eventsPerSecond)} events/s`];
  const lag = totals?.watermarkLagMs;
  if (job?.timeMode === 'event')
    parts.push(lag == null ? 'no watermark yet' : `watermark ${formatDuration(lag)} behind`);
  parts.push(`${formatRate(totals?.windowsPerSecond)} windows/s`);
  const details = `${parts.join(', ')}.${underTest(injections)}`;
  return { shape: '●', tone: 'ok', headline: 'Healthy', details };
}

function underTest(injections: readonly Injection[]): string {
  const running = injections.filter((injection) => injection.running);
  const [only] = running;
  if (!only) return '';
  return running.length === 1
    ? ` Injected right now: ${INJECTIONS[only.kind].title.toLowerCase()}.`
    : ` ${plural(running.length, 'injection')} running right now.`;
}

function countsOf(totals: Totals | null): string {
  if (!totals) return '';
  return `${plural(totals.events, 'event')}, ${plural(totals.windows, 'window')}, ${formatCount(totals.errors)} errors, ${formatCount(totals.late)} late.`;
}

function trouble(headline: string, details: string): Verdict {
  return { shape: '▲', tone: 'warning', headline, details };
}
