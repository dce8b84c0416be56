import type { CheckpointDetails } from '#shared/checkpoints.ts';
import type { VertexView } from '#shared/live.ts';
import { formatBytes, formatLatency, formatTimeMs } from '../../ui/format.ts';
import { Empty, Panel, TableScroll } from '../../ui/panel.tsx';
import { Status } from '../../ui/status.tsx';
import { barsOf, checkpointLook, kindWords, PARTS, spanOf } from './checkpoint-words.ts';

interface SubtasksPanelProps {
  details: CheckpointDetails | null;
  pinned: number | null;
  vertices: readonly VertexView[];
}

/** Where the time of one checkpoint went, subtask by subtask, the slowest first. */
export function SubtasksPanel({ details, pinned, vertices }: SubtasksPanelProps) {
  if (details === null)
    return (
      <Panel title="Subtasks">
        <Empty>
          {pinned === null
            ? 'No checkpoint has been triggered yet.'
            : `Checkpoint ${pinned} is no longer in the history that the server keeps.`}
        </Empty>
      </Panel>
    );
  const look = checkpointLook(details);
  const rows = details.tasks
    .flatMap((task) =>
      task.acknowledgements.map((subtask) => ({ vertex: task.vertex, subtask, span: spanOf(subtask) })),
    )
    .sort((a, b) => b.span - a.span);
  const longest = Math.max(0, ...rows.map(({ span }) => span));
  const missing = details.subtasks - rows.length;
  return (
    <Panel
      title={
        <span data-testid="checkpoint-shown" data-id={details.id}>
          #{details.id} {kindWords(details.kind)}
        </span>
      }
      note={
        <Status shape={look.shape} tone={look.tone}>
          {look.word}, triggered {formatTimeMs(details.triggeredAt)}
        </Status>
      }
      flush
    >
      {details.failure ? (
        <p className="border-line border-b px-3 py-2 text-sm" data-testid="checkpoint-cause">
          <Status shape="✖" tone="critical">
            {details.failure.reason}
          </Status>{' '}
          {details.failure.text}
        </p>
      ) : null}
      <ul
        className="flex flex-wrap gap-x-4 gap-y-1 border-line border-b px-3 py-2 text-muted text-xs"
        aria-label="Legend"
      >
        {PARTS.map(({ name, color }) => (
          <li key={name} className="flex items-center gap-1.5">
            <span aria-hidden="true" className="size-2.5 rounded-sm" style={{ background: color }} />
            {name}
          </li>
        ))}
        <li className="ml-auto">
          {details.acknowledged} of {details.subtasks} subtasks have acknowledged
        </li>
      </ul>
      {rows.length === 0 ? (
        <Empty>No subtask has acknowledged it{missing > 0 ? ' yet' : ''}.</Empty>
      ) : (
        <TableScroll label="Subtasks of the checkpoint, scrolls" maxHeight={420}>
          <table className="table">
            <thead>
              <tr>
                <th className="stick">Subtask</th>
                <th className="min-w-40">Time</th>
                {PARTS.map(({ key, name }) => (
                  <th key={key} className="num">
                    {name}
                  </th>
                ))}
                <th className="num">Written</th>
                <th className="num">Full size</th>
                <th className="num">In flight</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ vertex, subtask }) => (
                <tr key={`${vertex} ${subtask.index}`}>
                  <td className="stick font-semibold" title={vertices[vertex]?.name}>
                    #{subtask.index + 1} {vertices[vertex]?.name ?? `task ${vertex + 1}`}
                  </td>
                  <td className="align-middle!">
                    <div aria-hidden="true" className="relative h-3.5 rounded-sm bg-sunken">
                      {barsOf(subtask, longest).map(({ name, color, left, width }) => (
                        <span
                          key={name}
                          className="absolute inset-y-0"
                          style={{
                            left: `${left}%`,
                            width: `${width}%`,
                            minWidth: width > 0 ? 1 : 0,
                            background: color,
                          }}
                        />
                      ))}
                    </div>
                  </td>
                  {PARTS.map(({ key }) => (
                    <td key={key} className="num">
                      {formatLatency(subtask[key])}
                    </td>
                  ))}
                  <td className="num">{formatBytes(subtask.bytes)}</td>
                  <td className="num">{formatBytes(subtask.fullBytes)}</td>
                  <td
                    className="num"
                    title={
                      subtask.unaligned ? 'Barriers overtook rows, which were written too' : 'Barriers were aligned'
                    }
                  >
                    {subtask.unaligned ? formatBytes(subtask.persistedBytes) : 'aligned'}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </Panel>
  );
}
