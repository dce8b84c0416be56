import { useCallback, useRef, useState } from 'react';
import type { ErrorRow } from '#shared/live.ts';
import { Icon } from '../../app/icons.tsx';
import type { ReasonCount } from '../../live/errors-book.ts';
import { download, toNdjson } from '../../ui/export.ts';
import { formatCount, plural } from '../../ui/format.ts';
import { lineKey } from '../../ui/line-key.ts';
import { MoreRows } from '../../ui/more-rows.tsx';
import { Empty, Panel, TableScroll } from '../../ui/panel.tsx';
import { useHold } from '../../ui/use-hold.ts';
import { ErrorLine } from './error-line.tsx';
import { type ErrorFilter, filterErrors, reasonWords } from './filter-errors.ts';

interface ErrorsPanelProps {
  rows: readonly ErrorRow[];
  counts: readonly ReasonCount[];
  filter: ErrorFilter;
  onFilter(change: Partial<ErrorFilter>): void;
}

const STEP = 40;

/** The latest refused events with what they contained and where they came from. */
export function ErrorsPanel({ rows, counts, filter, onFilter }: ErrorsPanelProps) {
  const table = useHold(rows);
  const shown = filterErrors(table.value, filter);
  const [count, setCount] = useState(STEP);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const toggle = useCallback((id: number) => {
    setOpened((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  }, []);
  const change = useRef(onFilter);
  change.current = onFilter;
  const chooseInjection = useCallback((injection: number) => change.current({ injection }), []);
  const waiting = table.held ? rows.filter((row) => row.id > (table.value[0]?.id ?? 0)).length : 0;
  return (
    <Panel
      title="Recent errors"
      note={`${plural(shown.length, 'row')} of the last ${formatCount(table.value.length)}, newest first`}
      flush
      actions={
        <>
          {waiting > 0 ? (
            <span className="text-muted text-xs">{plural(waiting, 'new row')} when you leave the table</span>
          ) : null}
          <input
            className="field w-56"
            aria-label="Filter errors by payload or source"
            placeholder="Find in payload or source"
            value={filter.text}
            onChange={(event) => onFilter({ text: event.target.value })}
          />
          <button
            type="button"
            className="btn"
            aria-label="Export errors as NDJSON"
            disabled={shown.length === 0}
            onClick={() => download('weir-errors.ndjson', 'application/x-ndjson', toNdjson(shown))}
          >
            <Icon name="download" size={14} />
            NDJSON
          </button>
        </>
      }
    >
      <FilterChips counts={counts} filter={filter} onFilter={onFilter} />
      <div {...table.handlers}>
        {shown.length === 0 ? (
          <Empty>
            {table.value.length === 0 ? 'No refused event yet.' : 'None of the recent errors matches the filter.'}
          </Empty>
        ) : (
          <TableScroll label="Recent errors, scrolls" maxHeight={520}>
            <table className="table">
              <thead>
                <tr>
                  <th>Time</th>
                  <th>Reason</th>
                  <th className="w-full min-w-80">Payload</th>
                  <th>Source, offset</th>
                  <th>Injection</th>
                </tr>
              </thead>
              <tbody>
                {shown.slice(0, count).map((row, place) => (
                  <ErrorLine
                    key={lineKey(place)}
                    row={row}
                    open={opened.has(row.id)}
                    onToggle={toggle}
                    onInjection={chooseInjection}
                  />
                ))}
              </tbody>
            </table>
            <MoreRows all={shown.length} shown={count} onMore={() => setCount(count + STEP)} />
          </TableScroll>
        )}
      </div>
    </Panel>
  );
}

function FilterChips({ counts, filter, onFilter }: Omit<ErrorsPanelProps, 'rows'>) {
  if (counts.length === 0) return null;
  const none = filter.reason === null && filter.injection === null;
  const chip =
    'btn btn-small aria-pressed:border-accent aria-pressed:font-semibold aria-pressed:shadow-[inset_0_0_0_1px_var(--accent)]';
  return (
    <fieldset className="flex flex-wrap gap-1.5 border-line border-b p-2">
      <legend className="sr-only">Filter by reason</legend>
      <button
        type="button"
        className={chip}
        aria-pressed={none}
        onClick={() => onFilter({ reason: null, injection: null })}
      >
        All
      </button>
      {/* By name, not by count: a button must not move away from the pointer. */}
      {[...counts]
        .sort((a, b) => a.key.localeCompare(b.key))
        .map((count) => (
          <button
            key={count.key}
            type="button"
            className={chip}
            aria-pressed={filter.reason === count.key}
            onClick={() => onFilter({ reason: filter.reason === count.key ? null : count.key })}
          >
            {reasonWords(count.reason, count.field)}
          </button>
        ))}
      {filter.injection === null ? null : (
        <button type="button" className={chip} aria-pressed="true" onClick={() => onFilter({ injection: null })}>
          injection #{filter.injection}
          <Icon name="close" size={10} />
        </button>
      )}
    </fieldset>
  );
}
