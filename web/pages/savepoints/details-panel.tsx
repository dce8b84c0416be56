import { useState } from 'react';
import type { ResumeWish, SavepointDetails } from '#shared/savepoints.ts';
import { useAsked } from '../../live/use-asked.ts';
import { formatBytes } from '../../ui/format.ts';
import { Panel, Skeleton, TableScroll } from '../../ui/panel.tsx';
import { Failure } from './failure.tsx';
import { disposeSavepoint, inspectSavepoint, resumeFrom } from './requests.ts';
import { confirmation, fitWords, parallelismWords } from './savepoint-words.ts';

interface DetailsPanelProps {
  name: string;
  /** Asked again when it changes; null: not now. */
  version: string | null;
  blocked: string | null;
  /** It stands in the list. */
  kept: boolean;
  /** A job runs, and would be ended by a resume. */
  running: boolean;
  onTell(words: string): void;
  onGone(): void;
}

/** What is in one, whether the job can go on from it, and what one can do with it. */
export function DetailsPanel({ name, version, blocked, kept, running, onTell, onGone }: DetailsPanelProps) {
  const { data, error, failedAt, again } = useAsked(version, () => inspectSavepoint(name));
  return (
    <Panel title={<span className="font-mono">{name}</span>} note={data ? 'every byte is as it was written' : null}>
      {error !== null ? <Failure error={error} at={failedAt} onAgain={again} /> : null}
      {data ? (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
          <Tasks details={data} />
          <Resume details={data} blocked={blocked} running={running} onTell={onTell} />
          <Dispose details={data} blocked={blocked} onTell={onTell} onGone={onGone} />
        </div>
      ) : error === null ? (
        <Skeleton height={240} label="Looking into it" />
      ) : !kept ? null : (
        <Dispose details={{ name, bytes: null }} blocked={blocked} onTell={onTell} onGone={onGone} />
      )}
    </Panel>
  );
}

function Tasks({ details }: { details: SavepointDetails }) {
  return (
    <TableScroll label="Tasks of the savepoint, scrolls">
      <table className="table">
        <thead>
          <tr>
            <th>Task, its operators by uid</th>
            <th>Subtasks</th>
            <th className="num">Max parallelism</th>
            <th className="num">State</th>
          </tr>
        </thead>
        <tbody>
          {details.tasks.map((task) => (
            <tr key={task.name} data-task={task.name}>
              <td className="min-w-56">
                <span className="font-medium">{task.name}</span>
                <ul className="text-muted">
                  {task.operators.map(({ id, keyed, stateful }) => (
                    <li key={id}>
                      <span className="font-mono">{id}</span>
                      {keyed ? ': state per key' : stateful ? ': state' : ': no state'}
                    </li>
                  ))}
                </ul>
              </td>
              <td>{parallelismWords(task)}</td>
              <td className="num">{task.maxParallelism}</td>
              <td className="num" data-bytes={task.bytes}>
                {formatBytes(task.bytes)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

interface ActionProps {
  blocked: string | null;
  onTell(words: string): void;
}

function Resume({ details, blocked, running, onTell }: ActionProps & { details: SavepointDetails; running: boolean }) {
  const [wish, setWish] = useState<ResumeWish>({ claim: false, allowNonRestoredState: false });
  const [busy, setBusy] = useState(false);
  const { name, obstacle, dropped } = details;
  const missing =
    dropped.length > 0 && !wish.allowNonRestoredState ? 'its state must be allowed to be left behind' : null;
  const why = blocked ?? obstacle ?? missing;
  const go = async (): Promise<void> => {
    setBusy(true);
    try {
      await resumeFrom(name, wish);
      onTell(`The job goes on from ${name}. The server begins anew, the page follows by itself.`);
    } catch (error) {
      onTell(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  };
  return (
    <section aria-labelledby="resume-title" className="grid justify-items-start gap-2 border-line border-t pt-3">
      <h3 id="resume-title" className="font-semibold">
        Go on from it
      </h3>
      {fitWords(details).map((words) => (
        <p key={words} className="max-w-prose text-sm wrap-anywhere">
          {words}
        </p>
      ))}
      <p className="max-w-prose text-muted text-sm">
        {running
          ? 'Ends the running job at once; what it has done since the savepoint was taken is done again from there.'
          : 'Starts the job, with the settings of this server.'}
      </p>
      <Choice checked={wish.claim} onChange={(claim) => setWish({ ...wish, claim })}>
        Claim it: the job removes it when it has enough checkpoints of its own
      </Choice>
      {dropped.length > 0 ? (
        <Choice
          checked={wish.allowNonRestoredState}
          onChange={(allowNonRestoredState) => setWish({ ...wish, allowNonRestoredState })}
        >
          Leave state behind that no operator takes: {dropped.join(', ')}
        </Choice>
      ) : null}
      <button
        type="button"
        className="btn btn-primary"
        disabled={why !== null || busy}
        title={why ?? ''}
        onClick={() => void go()}
      >
        {running ? 'End the job and go on from it' : 'Resume from it'}
      </button>
    </section>
  );
}

function Choice({
  checked,
  onChange,
  children,
}: {
  checked: boolean;
  onChange(on: boolean): void;
  children: React.ReactNode;
}) {
  return (
    <label className="flex min-h-6 items-center gap-2.5 text-sm">
      <input
        type="checkbox"
        className="size-4.5 shrink-0 accent-accent"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span>{children}</span>
    </label>
  );
}

interface DisposeProps extends ActionProps {
  details: { name: string; bytes: number | null };
  onGone(): void;
}

function Dispose({ details: { name, bytes }, blocked, onTell, onGone }: DisposeProps) {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const wanted = confirmation(name);
  const go = async (): Promise<void> => {
    try {
      await disposeSavepoint(name);
      onGone();
      onTell(`Disposed of ${name}.`);
    } catch (error) {
      onTell(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <section aria-labelledby="dispose-title" className="grid justify-items-start gap-2 border-line border-t pt-3">
      <h3 id="dispose-title" className="font-semibold">
        Dispose of it
      </h3>
      {open ? (
        <form
          className="grid justify-items-start gap-2 text-sm"
          onSubmit={(event) => {
            event.preventDefault();
            if (typed === wanted && blocked === null) void go();
          }}
        >
          <p className="max-w-prose">
            Removes {bytes === null ? 'it' : `its ${formatBytes(bytes)}`} from the disk for good: no job can go on from
            it any more.
          </p>
          <label className="grid gap-1">
            <span>
              Type the end of its name, <strong className="font-mono">{wanted}</strong>
            </span>
            <input
              className="field w-32 font-mono"
              value={typed}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
          <div className="flex flex-wrap gap-2">
            <button type="submit" className="btn" disabled={typed !== wanted || blocked !== null} title={blocked ?? ''}>
              Dispose of it for good
            </button>
            <button type="button" className="btn btn-quiet" onClick={() => setOpen(false)}>
              Keep it
            </button>
          </div>
        </form>
      ) : (
        <button
          type="button"
          className="btn"
          disabled={blocked !== null}
          title={blocked ?? ''}
          onClick={() => setOpen(true)}
        >
          Dispose …
        </button>
      )}
    </section>
  );
}
