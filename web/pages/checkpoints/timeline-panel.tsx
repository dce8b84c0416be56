import type { CheckpointRow } from '#shared/checkpoints.ts';
import { formatDuration, formatTime } from '../../ui/format.ts';
import { Empty, Panel } from '../../ui/panel.tsx';
import { TONES } from '../../ui/status.tsx';
import { checkpointLook, kindWords } from './checkpoint-words.ts';

interface TimelinePanelProps {
  /** Newest first. */
  history: readonly CheckpointRow[];
  /** Whose subtasks are shown. */
  shown: number | null;
  pinned: number | null;
  onPin(id: number | null): void;
}

/** The last checkpoints side by side, the newest on the right and in view; one of them is looked into. */
export function TimelinePanel({ history, shown, pinned, onPin }: TimelinePanelProps) {
  const numbered = history.filter(({ id }) => id > 0);
  const longest = Math.max(1, ...numbered.map(({ durationMs }) => durationMs));
  return (
    <Panel
      title="Timeline"
      note="height: duration"
      actions={
        <button
          type="button"
          className="btn btn-small"
          aria-pressed={pinned === null}
          onClick={() => onPin(pinned === null ? shown : null)}
        >
          {pinned === null ? 'Following the newest' : `Pinned to #${pinned}: follow the newest`}
        </button>
      }
    >
      {numbered.length === 0 ? (
        <Empty>No checkpoint has been triggered yet.</Empty>
      ) : (
        <ol
          className="flex flex-row-reverse items-end justify-end gap-0.5 overflow-x-auto p-1 pb-2"
          aria-label="Checkpoints, newest first"
        >
          {numbered.map((row) => {
            const look = checkpointLook(row);
            return (
              <li key={row.id}>
                <button
                  type="button"
                  className="flex w-6 flex-col items-center justify-end gap-0.5 rounded hover:bg-sunken aria-pressed:bg-sunken aria-pressed:shadow-[inset_0_-2px_0_var(--accent)]"
                  style={{ height: 84 }}
                  aria-pressed={row.id === shown}
                  aria-label={`${kindWords(row.kind)} ${row.id}, ${look.word}, ${formatTime(row.triggeredAt)}, ${formatDuration(row.durationMs)}`}
                  title={`#${row.id} ${kindWords(row.kind)}, ${look.word} after ${formatDuration(row.durationMs)}`}
                  data-checkpoint={row.id}
                  data-status={row.status}
                  onClick={() => onPin(row.id)}
                >
                  <span
                    aria-hidden="true"
                    className={`w-3 rounded-t-sm bg-current ${TONES[look.tone]}`}
                    style={{ height: Math.max(2, Math.round((row.durationMs / longest) * 52)) }}
                  />
                  <span aria-hidden="true" className={`text-xs leading-4 ${TONES[look.tone]}`}>
                    {look.shape}
                  </span>
                </button>
              </li>
            );
          })}
        </ol>
      )}
    </Panel>
  );
}
