import { useState } from 'react';
import type { CheckpointSettingsView, CheckpointStatistics } from '#shared/checkpoints.ts';
import { useShown, useView } from '../../live/live.ts';
import { formatBytes, formatDuration, formatExact, formatTime } from '../../ui/format.ts';
import { Empty, Panel, Skeleton, TableScroll } from '../../ui/panel.tsx';
import { ActionsPanel } from './actions-panel.tsx';
import { HistoryPanel } from './history-panel.tsx';
import { StatePanel } from './state-panel.tsx';
import { SubtasksPanel } from './subtasks-panel.tsx';
import { TimelinePanel } from './timeline-panel.tsx';

/** What survives a failure, how old it is, and what it costs to keep it so. */
export default function CheckpointsPage() {
  const [pinned, setPinned] = useState<number | null>(null);
  useView('checkpoints', [], pinned);
  const job = useShown('job');
  const checkpoints = useShown('checkpoints');
  const connecting = useShown('link').state === 'connecting';
  const now = useShown('viewTime');
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div>
        <h1 className="font-semibold text-xl">Checkpoints</h1>
        <p className="text-muted">
          A job that fails goes on from its last completed checkpoint, as if nothing had happened.
        </p>
      </div>
      {connecting || (job?.checkpointing && checkpoints === null) ? (
        <Panel title="Timeline">
          <Skeleton height={420} label="Waiting for the first frame" />
        </Panel>
      ) : job === null ? (
        <Panel title="Timeline">
          <Empty>No job runs on this server, so there is nothing to keep.</Empty>
        </Panel>
      ) : job.checkpointing === null || checkpoints === null ? (
        <Panel title="Timeline">
          <Empty>
            This job takes no checkpoints: after a failure it would begin anew. Start it with{' '}
            <code>--checkpoint-interval 10s</code>.
          </Empty>
        </Panel>
      ) : (
        <>
          <TimelinePanel
            history={checkpoints.statistics.history}
            shown={checkpoints.details?.id ?? null}
            pinned={pinned}
            onPin={setPinned}
          />
          <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 @7xl:grid-cols-[minmax(0,3fr)_minmax(0,1fr)]">
            <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
              <SubtasksPanel details={checkpoints.details} pinned={pinned} vertices={job.vertices} />
              <StatePanel completed={newest(checkpoints.statistics)} />
            </div>
            <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 @3xl:grid-cols-2 @7xl:grid-cols-[minmax(0,1fr)]">
              <ActionsPanel />
              <LatestPanel statistics={checkpoints.statistics} now={now} />
            </div>
          </div>
          <HistoryPanel history={checkpoints.statistics.history} onShow={setPinned} />
          <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 @5xl:grid-cols-2">
            <SpreadPanel statistics={checkpoints.statistics} />
            <SettingsPanel settings={job.checkpointing} />
          </div>
        </>
      )}
    </div>
  );
}

/** Number of the last one that was completed, checkpoint or savepoint. */
function newest({ latest: { completed, savepoint } }: CheckpointStatistics): number | null {
  return completed === null && savepoint === null ? null : Math.max(completed?.id ?? 0, savepoint?.id ?? 0);
}

function nextWords(nextAt: number | null, now: number): string {
  if (nextAt === null) return 'when somebody asks';
  return nextAt <= now ? 'now' : `in ${formatDuration(nextAt - now)}`;
}

function Facts({ facts }: { facts: readonly (readonly [string, string])[] }) {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1.5 text-sm">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="wrap-anywhere">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function LatestPanel({ statistics, now }: { statistics: CheckpointStatistics; now: number }) {
  const { counts, latest, nextAt } = statistics;
  const ago = (at: number | null | undefined): string =>
    at == null ? '–' : `${formatTime(at)}, ${formatDuration(Math.max(0, now - at))} ago`;
  const facts: [string, string][] = [
    ['Completed', `${formatExact(counts.completed)} of ${formatExact(counts.triggered)}`],
    ['Failed', formatExact(counts.failed)],
    ['In progress', formatExact(counts.inProgress)],
    ['Restored', formatExact(counts.restored)],
    ['Latest completed', latest.completed ? `#${latest.completed.id} at ${ago(latest.completed.endedAt)}` : 'none yet'],
    ['Latest savepoint', latest.savepoint ? `#${latest.savepoint.id} in ${latest.savepoint.path}` : 'none yet'],
    ['Latest failed', latest.failed ? `#${latest.failed.id} at ${ago(latest.failed.endedAt)}` : 'none'],
    ['Gone on from', latest.restored ? `#${latest.restored.id} at ${ago(latest.restored.restoredAt)}` : 'never'],
    ['Next', nextWords(nextAt, now)],
  ];
  return (
    <Panel title="So far">
      <Facts facts={facts} />
    </Panel>
  );
}

const SPREADS = [
  ['Duration', 'durationMs', formatDuration],
  ['Written', 'bytes', formatBytes],
  ['Full size', 'fullBytes', formatBytes],
  ['Processed in flight', 'processedBytes', formatBytes],
  ['Persisted in flight', 'persistedBytes', formatBytes],
] as const;
const COLUMNS = ['min', 'avg', 'p50', 'p90', 'p99', 'max'] as const;

function SpreadPanel({ statistics: { summary } }: { statistics: CheckpointStatistics }) {
  return (
    <Panel title="Completed checkpoints" note="the last 1 000" flush>
      {summary === null ? (
        <Empty>None has been completed yet.</Empty>
      ) : (
        <TableScroll label="Quantiles, scrolls">
          <table className="table">
            <thead>
              <tr>
                <th className="stick">Of</th>
                {COLUMNS.map((column) => (
                  <th key={column} className="num">
                    {column}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {SPREADS.map(([name, key, format]) => (
                <tr key={key}>
                  <td className="stick">{name}</td>
                  {COLUMNS.map((column) => (
                    <td key={column} className="num">
                      {format(Math.round(summary[key][column]))}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </Panel>
  );
}

function SettingsPanel({ settings }: { settings: CheckpointSettingsView }) {
  const facts: [string, string][] = [
    ['Interval', settings.intervalMs === null ? 'when somebody asks' : formatDuration(settings.intervalMs)],
    ['Mode', settings.mode],
    ['Barriers', barrierWords(settings)],
    ['Writes', settings.incremental ? 'what has changed' : 'all state'],
    ['Timeout', formatDuration(settings.timeoutMs)],
    ['Pause between two', formatDuration(settings.minPauseMs)],
    ['At a time', formatExact(settings.maxConcurrent)],
    [
      'Failures in a row',
      settings.tolerableFailures === null ? 'any number' : `${settings.tolerableFailures} tolerated`,
    ],
    ['Kept', formatExact(settings.retained)],
    ['Directory', settings.directory],
  ];
  return (
    <Panel title="Settings">
      <Facts facts={facts} />
    </Panel>
  );
}

function barrierWords({ unaligned, alignedTimeoutMs }: CheckpointSettingsView): string {
  if (!unaligned) return 'aligned';
  return alignedTimeoutMs === 0 ? 'unaligned' : `aligned, after ${formatDuration(alignedTimeoutMs)} unaligned`;
}
