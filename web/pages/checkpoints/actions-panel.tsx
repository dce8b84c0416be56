import { useState } from 'react';
import type { CommandBody } from '#shared/live.ts';
import { useLive, useShown } from '../../live/live.ts';
import { Panel } from '../../ui/panel.tsx';
import { Segmented } from '../../ui/segmented.tsx';

const STOPS = [
  { value: 'stop', label: 'Keep windows open' },
  { value: 'drain', label: 'Drain' },
] as const;
type Stop = (typeof STOPS)[number]['value'];

/** What one can ask for. How it went is an event, a row of the history, or both. */
export function ActionsPanel() {
  const { connection } = useLive();
  const job = useShown('job');
  const link = useShown('link');
  const [stopping, setStopping] = useState(false);
  const [how, setHow] = useState<Stop>('stop');
  const [said, setSaid] = useState('');
  const blocked =
    link.blocked ??
    (job === null ? 'No job is running' : job.state === 'RUNNING' ? null : `The job is ${job.state.toLowerCase()}`);
  const send = async (body: CommandBody, done: string): Promise<void> => {
    const result = await connection.send(body);
    setSaid(result.ok ? done : result.error);
  };
  const title = (words: string): string => (blocked === null ? words : `${blocked}.`);
  return (
    <Panel title="Take one">
      <div className="grid gap-3">
        <div className="flex flex-wrap gap-2">
          <button
            type="button"
            className="btn"
            disabled={blocked !== null}
            title={title('Take a checkpoint now')}
            onClick={() => void send({ type: 'take-checkpoint' }, 'A checkpoint was triggered.')}
          >
            Take a checkpoint
          </button>
          <button
            type="button"
            className="btn"
            disabled={blocked !== null}
            title={title('Take a savepoint now: it stays until somebody removes it')}
            onClick={() => void send({ type: 'take-savepoint' }, 'A savepoint was triggered.')}
          >
            Take a savepoint
          </button>
          <button
            type="button"
            className="btn"
            disabled={blocked !== null}
            title={title('Take a savepoint and end the job')}
            aria-expanded={stopping}
            onClick={() => setStopping(!stopping)}
          >
            Stop with savepoint …
          </button>
        </div>
        {stopping ? (
          <div className="grid justify-items-start gap-2 rounded-md border border-line bg-sunken p-3 text-sm">
            <Segmented<Stop> label="How to stop" options={STOPS} value={how} onChange={setHow} />
            <p className="text-muted">
              {how === 'stop'
                ? 'Ends the job behind a savepoint. Windows stay open in it: a job that goes on from it fires them as if it had never stopped.'
                : 'All windows fire now, then the job ends behind a savepoint. Nobody should go on from it: their rows would be missing.'}
            </p>
            <button
              type="button"
              className="btn btn-primary"
              disabled={blocked !== null}
              onClick={() => {
                setStopping(false);
                void send(
                  { type: 'stop-with-savepoint', drain: how === 'drain' },
                  'The job ends when its savepoint is complete.',
                );
              }}
            >
              {how === 'stop' ? 'Stop the job' : 'Drain and stop the job'}
            </button>
          </div>
        ) : null}
        <p role="status" className="min-h-5 text-muted text-sm" data-testid="checkpoint-answer">
          {blocked ?? said}
        </p>
      </div>
    </Panel>
  );
}
