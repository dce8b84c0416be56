import type { CheckpointRow } from '#shared/checkpoints.ts';
import { formatBytes, formatDuration, formatTime } from '../../ui/format.ts';
import { Panel, TableScroll } from '../../ui/panel.tsx';
import { Status } from '../../ui/status.tsx';
import { checkpointLook, kindWords } from './checkpoint-words.ts';

interface HistoryPanelProps {
  history: readonly CheckpointRow[];
  onShow(id: number): void;
}

/** Every checkpoint that the server still knows: what it cost, where it lies, why it failed. */
export function HistoryPanel({ history, onShow }: HistoryPanelProps) {
  return (
    <Panel title="History" note={`the last ${history.length}`} flush>
      <TableScroll label="History, scrolls" maxHeight={360}>
        <table className="table">
          <thead>
            <tr>
              <th className="stick">Number</th>
              <th>What</th>
              <th>Status</th>
              <th>Triggered</th>
              <th className="num">Duration</th>
              <th className="num">Acknowledged</th>
              <th className="num">Written</th>
              <th className="num">Full size</th>
              <th>Where it lies, or why it failed</th>
            </tr>
          </thead>
          <tbody>
            {history.map((row) => {
              const look = checkpointLook(row);
              return (
                <tr key={`${row.id} ${row.triggeredAt}`} data-row={row.id}>
                  <td className="stick py-1!">
                    {row.id === 0 ? (
                      '–'
                    ) : (
                      <button
                        type="button"
                        className="min-h-6 min-w-6 rounded font-semibold underline decoration-control underline-offset-3 hover:decoration-text"
                        aria-label={`Show the subtasks of checkpoint ${row.id}`}
                        onClick={() => onShow(row.id)}
                      >
                        #{row.id}
                      </button>
                    )}
                  </td>
                  <td className="whitespace-nowrap">{kindWords(row.kind)}</td>
                  <td>
                    <Status shape={look.shape} tone={look.tone}>
                      {look.word}
                    </Status>
                  </td>
                  <td>{formatTime(row.triggeredAt)}</td>
                  <td className="num">{formatDuration(row.durationMs)}</td>
                  <td className="num">
                    {row.acknowledged} of {row.subtasks}
                  </td>
                  <td className="num">{formatBytes(row.bytes)}</td>
                  <td className="num">{formatBytes(row.fullBytes)}</td>
                  <td className="min-w-60 wrap-anywhere">{row.failure?.text ?? row.path ?? '–'}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </TableScroll>
    </Panel>
  );
}
