import type { Rescale, RescalePhase } from '#shared/scaling.ts';
import { formatDuration, formatRate, formatTime } from '../../ui/format.ts';
import { Empty, Panel, TableScroll } from '../../ui/panel.tsx';
import { Status, type Tone } from '../../ui/status.tsx';
import { rateChange } from './staged.ts';

const PHASES: Readonly<Record<RescalePhase, { shape: string; tone: Tone; word: string }>> = {
  checkpoint: { shape: '◌', tone: 'warning', word: 'Checkpoint is taken' },
  restarting: { shape: '⟲', tone: 'warning', word: 'Restarting' },
  measuring: { shape: '◐', tone: 'ok', word: 'Running, speed is measured' },
  done: { shape: '✓', tone: 'ok', word: 'Done' },
  failed: { shape: '✖', tone: 'critical', word: 'Nothing changed' },
};

/** What changes did cost, and what they brought. */
export function HistoryPanel({ history }: { readonly history: readonly Rescale[] }) {
  return (
    <Panel title="Changes so far" note={history.length === 0 ? null : 'rates over 5 s before and behind'} flush>
      {history.length === 0 ? (
        <Empty>Nothing has been rescaled yet.</Empty>
      ) : (
        <TableScroll label="Changes of parallelism" maxHeight={420}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Begun</th>
                <th scope="col">State</th>
                <th scope="col">Change</th>
                <th scope="col" className="num">
                  Checkpoint
                </th>
                <th scope="col" className="num">
                  Gap
                </th>
                <th scope="col" className="num">
                  Foretold
                </th>
                <th scope="col" className="num">
                  Rows/s before
                </th>
                <th scope="col" className="num">
                  after
                </th>
                <th scope="col" className="num">
                  Lag before
                </th>
                <th scope="col" className="num">
                  after
                </th>
              </tr>
            </thead>
            <tbody>
              {history.map((rescale) => {
                const { shape, tone, word } = PHASES[rescale.phase];
                return (
                  <tr key={rescale.id} data-rescale={rescale.id} data-phase={rescale.phase}>
                    <td className="whitespace-nowrap">
                      {formatTime(rescale.startedAt)} <span className="text-muted">#{rescale.id}</span>
                    </td>
                    <td className="whitespace-nowrap">
                      <Status shape={shape} tone={tone}>
                        {word}
                      </Status>
                    </td>
                    <td className="min-w-48 wrap-anywhere">
                      {rescale.changes.map(({ task, from, to }) => (
                        <p key={task}>{`${task}: ${from} → ${to}`}</p>
                      ))}
                      {rescale.error === null ? null : <p className="text-xs">{rescale.error}</p>}
                    </td>
                    <td className="num">{formatDuration(rescale.checkpointMs)}</td>
                    <td className="num" data-gap={rescale.gapMs ?? ''}>
                      {formatDuration(rescale.gapMs)}
                    </td>
                    <td className="num">{formatDuration(rescale.estimate.gapMs)}</td>
                    <td className="num">{formatRate(rescale.rateBefore)}</td>
                    <td className="num">
                      {formatRate(rescale.rateAfter)} <span className="text-muted">{rateChange(rescale)}</span>
                    </td>
                    <td className="num">{formatDuration(rescale.lagBeforeMs)}</td>
                    <td className="num">{formatDuration(rescale.lagAfterMs)}</td>
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
