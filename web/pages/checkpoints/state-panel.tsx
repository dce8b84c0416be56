import { type StateSizes, skewOf } from '#shared/state-sizes.ts';
import { useShown } from '../../live/live.ts';
import { useAsked } from '../../live/use-asked.ts';
import { formatBytes, formatExact } from '../../ui/format.ts';
import { Empty, Panel, Skeleton, TableScroll } from '../../ui/panel.tsx';

interface StatePanelProps {
  /** Number of the last completed checkpoint or savepoint; null: none yet. */
  completed: number | null;
}

/** Key groups that are named. */
const NAMED = 3;

/** How much state there is per operator and key group, and whether it grows. */
export function StatePanel({ completed }: StatePanelProps) {
  const job = useShown('job');
  const { data, error } = useAsked(`${job?.startedAt} ${completed}`, askSizes);
  const live = useShown('operators');
  const note =
    data === null
      ? null
      : [
          data.checkpoint === null ? null : `key groups as of #${data.checkpoint}`,
          data.alertBytes === null ? null : `told from ${formatBytes(data.alertBytes)} on`,
        ]
          .filter((part) => part !== null)
          .join(', ');
  return (
    <Panel title="State" note={note} flush>
      {data === null && error === null ? (
        <Skeleton height={120} label="Asking for the sizes" />
      ) : data === null || data.operators.length === 0 ? (
        <Empty>{error ?? (data?.checkpoint == null ? 'No checkpoint yet.' : 'No operator holds state per key.')}</Empty>
      ) : (
        <TableScroll label="State by operator, scrolls">
          <table className="table">
            <thead>
              <tr>
                <th className="stick">Operator</th>
                <th className="num">In memory</th>
                <th className="num">Growth/s</th>
                <th className="num">Written</th>
                <th className="num">Key groups</th>
                <th>Largest</th>
                <th className="num">Skew</th>
              </tr>
            </thead>
            <tbody>
              {data.operators.map((operator) => {
                const i = job?.operators.findIndex((one) => one.id === operator.id) ?? -1;
                const bytes = live?.stateBytes[i];
                const large = data.alertBytes !== null && (bytes ?? 0) >= data.alertBytes;
                return (
                  <tr key={operator.id} data-state={operator.id}>
                    <td className="stick font-semibold">{operator.name}</td>
                    <td className="num whitespace-nowrap">
                      {large ? <span title="Beyond --state-alert">▲ </span> : null}
                      {formatBytes(bytes)}
                    </td>
                    <td className="num whitespace-nowrap">{growthWords(live?.stateGrowth[i])}</td>
                    <td className="num whitespace-nowrap" data-bytes={operator.bytes}>
                      {formatBytes(operator.bytes)}
                    </td>
                    <td className="num whitespace-nowrap" title="With state, of as many as there could be">
                      {formatExact(operator.groups.length)} of {formatExact(operator.maxParallelism)}
                    </td>
                    <td className="min-w-48">
                      {operator.groups
                        .slice(0, NAMED)
                        .map(({ group, bytes }) => `${group}: ${formatBytes(bytes)}`)
                        .join(', ')}
                    </td>
                    <td className="num" title="The largest key group against the average one">
                      {skewOf(operator).toFixed(1)}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </TableScroll>
      )}
    </Panel>
  );
}

function growthWords(perSecond: number | null | undefined): string {
  if (perSecond == null) return '–';
  return perSecond === 0 ? 'none' : `${perSecond < 0 ? '−' : '+'}${formatBytes(Math.abs(perSecond))}`;
}

/** Of the job that the server runs now. */
async function askSizes(): Promise<StateSizes> {
  const { jobs } = await get<{ jobs: readonly { id: string }[] }>('/api/jobs');
  return get(`/api/jobs/${jobs[0]?.id}/state`);
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path).catch(() => {
    throw new Error('The server does not answer.');
  });
  const answer = (await response.json().catch(() => ({}))) as T & { errors?: readonly string[] };
  if (response.ok) return answer;
  throw new Error(answer.errors?.join(' ') ?? `The server answered with status ${response.status}.`);
}
