import { useLive, useShown } from '../../live/live.ts';
import { judge } from './verdict.ts';

const TEXT = {
  ok: 'text-ok',
  idle: 'text-idle',
  busy: 'text-busy',
  backpressured: 'text-backpressured',
  warning: 'text-warning',
  critical: 'text-critical',
  mark: 'text-mark',
};

export function VerdictLine() {
  const { store } = useLive();
  const link = useShown('link');
  const job = useShown('job');
  const totals = useShown('totals');
  const vertices = useShown('vertices');
  const holders = useShown('holders');
  const now = useShown('frameTime');
  const injections = useShown('injections');
  const newest = useShown('newestSecond');
  if (link.state === 'connecting') {
    return (
      <div>
        <h1 className="font-semibold text-xl">Overview</h1>
        <p className="text-muted">Connecting to the server</p>
      </div>
    );
  }
  const newestOf = (name: 'errorsPerSecond' | 'latePerSecond'): number | null =>
    newest === null ? null : (store.history.read(name, newest, newest)[0] ?? null);
  const errorsPerSecond = newestOf('errorsPerSecond');
  const latePerSecond = newestOf('latePerSecond');
  const verdict = judge({ link, job, totals, vertices, holders, now, injections, errorsPerSecond, latePerSecond });
  return (
    <div className="min-w-0">
      <h1 className="flex items-center gap-2 font-semibold text-xl">
        <span aria-hidden="true" className={`${TEXT[verdict.tone]} text-lg leading-none`}>
          {verdict.shape}
        </span>
        {verdict.headline}
      </h1>
      <p className="text-muted" data-testid="verdict">
        {verdict.details}
      </p>
    </div>
  );
}
