import { formatTime } from '../../ui/format.ts';
import { Empty } from '../../ui/panel.tsx';

/** What failed, since when, and one more try. */
export function Failure({ error, at, onAgain }: { error: string; at: number | null; onAgain(): void }) {
  return (
    <Empty
      action={
        <button type="button" className="btn" onClick={onAgain}>
          Try again
        </button>
      }
    >
      {error} {at === null ? '' : `Since ${formatTime(at)}.`}
    </Empty>
  );
}
