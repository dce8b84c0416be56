import { type JobView, LATENCY_WINDOW_MS, type LatencyNumbers } from '#shared/live.ts';
import { compact, formatDuration, formatLatency } from '../../ui/format.ts';

/** How long latency markers took to an operator, short for its node and in full for whoever asks; index = index of `JobView.operators`. */
export function latencyWords(
  job: Pick<JobView, 'operators'>,
  latencies: readonly (LatencyNumbers | null)[] | undefined,
  emitted?: readonly (LatencyNumbers | null)[],
): { short: string; full: string }[] {
  const back = compact(formatDuration(LATENCY_WINDOW_MS));
  return job.operators.map(({ kind }, operator) => {
    if (kind === 'source') {
      return { short: 'latency from here', full: 'Latency markers start here and travel with the records.' };
    }
    const latency = latencies?.[operator];
    const out = emitted?.[operator];
    const all = out ? ` From event in to result out: ${quantiles(out)}.` : '';
    if (!latency) return { short: 'no latency yet', full: `No latency marker came by in the last ${back}.${all}` };
    const [p50, p99] = [latency.p50, latency.p99].map(formatLatency);
    return {
      // One unit is enough where it is the same.
      short: `p50 ${p99?.endsWith(' ms') ? p50?.replace(/ ms$/, '') : p50} · p99 ${p99}`,
      full: `Latency from the source, markers of the last ${back}: ${quantiles(latency)}.${all}`,
    };
  });
}

function quantiles(latency: LatencyNumbers): string {
  const [p50, p95, p99, max] = [latency.p50, latency.p95, latency.p99, latency.max].map(formatLatency);
  return `p50 ${p50}, p95 ${p95}, p99 ${p99}, longest ${max}`;
}
