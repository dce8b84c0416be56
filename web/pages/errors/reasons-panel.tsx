import { Sparkline } from '../../charts/sparkline.tsx';
import { useBreakIt } from '../../inject/break-it.ts';
import type { ReasonCount } from '../../live/errors-book.ts';
import { formatExact, formatRate } from '../../ui/format.ts';
import { Empty, Panel, TableScroll } from '../../ui/panel.tsx';
import { useHold } from '../../ui/use-hold.ts';
import { reasonWords } from './filter-errors.ts';

interface ReasonsPanelProps {
  counts: readonly ReasonCount[];
  total: number | null;
  chosen: string | null;
  onChoose(key: string | null): void;
}

/** How many events were refused and why. A row filters the list below. */
export function ReasonsPanel({ counts, total, chosen, onChoose }: ReasonsPanelProps) {
  const { setOpen } = useBreakIt();
  const table = useHold(counts.map(({ key }) => key));
  const shown = inOrder(counts, table.value);
  return (
    <Panel
      title="Errors by reason"
      note={
        <span data-testid="errors-total" data-count={total ?? ''}>
          {formatExact(total)} since the job began
        </span>
      }
      flush
      className="flex flex-col"
    >
      {counts.length === 0 ? (
        <Empty
          action={
            <button type="button" className="btn" onClick={() => setOpen(true)}>
              Inject malformed events
            </button>
          }
        >
          No event was refused so far.
        </Empty>
      ) : (
        <div {...table.handlers}>
          <TableScroll label="Reasons, scrolls" maxHeight={213}>
            <table className="table">
              <thead>
                <tr>
                  <th>Reason, field</th>
                  <th className="num">Count</th>
                  <th className="num">Per second</th>
                  <th>Last minute</th>
                </tr>
              </thead>
              <tbody>
                {shown.map((count) => (
                  <tr key={count.key} data-reason={count.key}>
                    <td className="py-1!">
                      <button
                        type="button"
                        aria-pressed={chosen === count.key}
                        className="min-h-6 rounded text-left underline decoration-control underline-offset-3 hover:decoration-text aria-pressed:font-semibold aria-pressed:decoration-2 aria-pressed:decoration-accent"
                        onClick={() => onChoose(chosen === count.key ? null : count.key)}
                      >
                        {reasonWords(count.reason, count.field)}
                      </button>
                    </td>
                    <td className="num" data-count={count.count}>
                      {formatExact(count.count)}
                    </td>
                    <td className="num">{formatRate(count.perSecond)}</td>
                    <td className="py-1!">
                      <Sparkline
                        values={count.spark}
                        color="series-2"
                        label={`${reasonWords(count.reason, count.field)}: ${formatRate(count.perSecond)} per second now`}
                      />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </TableScroll>
        </div>
      )}
    </Panel>
  );
}

/** Numbers go on while rows keep their places; reasons that are new come last. */
function inOrder(counts: readonly ReasonCount[], keys: readonly string[]): ReasonCount[] {
  const place = new Map(keys.map((key, i) => [key, i]));
  return [...counts].sort((a, b) => (place.get(a.key) ?? keys.length) - (place.get(b.key) ?? keys.length));
}
