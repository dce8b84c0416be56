import { useState } from 'react';
import type { ScalableTask, ScalingView } from '#shared/scaling.ts';
import { useLive, useShown } from '../../live/live.ts';
import { formatPercent, plural } from '../../ui/format.ts';
import { Panel, TableScroll } from '../../ui/panel.tsx';
import { checkStaged, costWords, type Staged, wishOf } from './staged.ts';

/** What each task has, and what it is to have: staged here, applied at once. */
export function TasksPanel({ view }: { readonly view: ScalingView }) {
  const { connection } = useLive();
  const vertices = useShown('vertices');
  const blocked = useShown('link').blocked;
  const [staged, setStaged] = useState<Staged>({});
  const [sending, setSending] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const { changes, wrong } = checkStaged(staged, view);
  const invalid = Object.keys(wrong).length > 0;
  const cannot = blocked ?? view.blocked;
  const why = cannot === null ? null : `${cannot.charAt(0).toLowerCase()}${cannot.slice(1)}`;
  const stage = (task: ScalableTask, text: string): void => {
    setRefused(null);
    setStaged({ ...staged, [task.id]: text });
  };
  const apply = async (): Promise<void> => {
    setSending(true);
    const result = await connection.send({ type: 'rescale', parallelism: wishOf(changes) });
    setSending(false);
    if (result.ok) setStaged({});
    else setRefused(result.error);
  };
  return (
    <Panel
      title="Subtasks"
      note={`${plural(view.taskManagers, 'task manager')} with ${plural(view.slots, 'slot')} each; more are started where they are needed`}
      flush
    >
      <TableScroll label="Tasks and how many subtasks they have">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Task</th>
              {/* What one came for stands where a phone shows it. */}
              <th scope="col">To be</th>
              <th scope="col" className="num">
                Now
              </th>
              <th scope="col" className="num">
                Busy, worst
              </th>
              <th scope="col" className="num">
                Most
              </th>
            </tr>
          </thead>
          <tbody>
            {view.tasks.map((task, index) => {
              const busy = vertices?.busy[index] ?? [];
              const text = staged[task.id] ?? String(task.parallelism);
              const to = Number(text);
              return (
                <tr key={task.id} data-task={task.id} className="[&>td]:align-middle">
                  <td className="min-w-28 wrap-anywhere">{task.name}</td>
                  <td>
                    <div className="flex items-center gap-1">
                      <button
                        type="button"
                        className="btn btn-small"
                        aria-label={`One subtask fewer for ${task.name}`}
                        disabled={!(to > 1)}
                        onClick={() => stage(task, String(to - 1))}
                      >
                        −
                      </button>
                      <input
                        className="field w-14 text-right"
                        inputMode="numeric"
                        aria-label={`Subtasks of ${task.name}`}
                        aria-invalid={wrong[task.id] !== undefined}
                        value={text}
                        onChange={(event) => stage(task, event.target.value)}
                        onKeyDown={(event) => {
                          const step = event.key === '+' ? 1 : event.key === '-' ? -1 : 0;
                          if (step === 0 || !Number.isInteger(to)) return;
                          event.preventDefault();
                          stage(task, String(Math.max(1, to + step)));
                        }}
                      />
                      <button
                        type="button"
                        className="btn btn-small"
                        aria-label={`One subtask more for ${task.name}`}
                        disabled={!(to < task.maxParallelism)}
                        onClick={() => stage(task, String(to + 1))}
                      >
                        +
                      </button>
                    </div>
                    {wrong[task.id] ? <p className="pt-1 text-xs">{wrong[task.id]}</p> : null}
                  </td>
                  <td className="num" data-parallelism={task.parallelism}>
                    {task.parallelism}
                  </td>
                  <td className="num">{busy.length === 0 ? formatPercent(null) : formatPercent(Math.max(...busy))}</td>
                  <td className="num">{task.maxParallelism}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </TableScroll>
      <div className="grid gap-3 border-line border-t p-3 text-sm">
        <p className="rounded-md bg-sunken px-3 py-2" data-testid="scaling-cost">
          {changes.length === 0
            ? 'Change a number, then apply all changes at once: one restart for all of them.'
            : costWords(view.estimate)}
        </p>
        {changes.length > 0 ? (
          <ul className="grid gap-0.5" data-testid="staged">
            {changes.map(({ task, to }) => (
              <li key={task.id} className="wrap-anywhere">
                {task.name}: <strong className="font-semibold">{`${task.parallelism} → ${to}`}</strong>
              </li>
            ))}
          </ul>
        ) : null}
        <div className="flex flex-wrap items-center gap-2">
          <button
            type="button"
            className="btn btn-primary whitespace-normal"
            disabled={changes.length === 0 || invalid || why !== null || sending}
            onClick={apply}
          >
            {why ? `Cannot apply: ${why}` : sending ? 'Waiting for the server' : applyWords(changes.length)}
          </button>
          <button
            type="button"
            className="btn"
            disabled={Object.keys(staged).length === 0}
            onClick={() => {
              setStaged({});
              setRefused(null);
            }}
          >
            Discard
          </button>
          <p role="alert" className="empty:hidden">
            {refused ? `Refused: ${refused}` : ''}
          </p>
        </div>
      </div>
    </Panel>
  );
}

function applyWords(changes: number): string {
  return changes === 0 ? 'Nothing to apply' : `Apply ${plural(changes, 'change')} (1 restart)`;
}
