import { memo, useState } from 'react';
import type { LateRow } from '#shared/live.ts';
import { Icon } from '../../app/icons.tsx';
import { useBreakIt } from '../../inject/break-it.ts';
import { DeviceName } from '../../ui/device-name.tsx';
import { download, toNdjson } from '../../ui/export.ts';
import { formatDuration, formatExact, formatMoment, formatTimeMs, plural } from '../../ui/format.ts';
import { lineKey } from '../../ui/line-key.ts';
import { MoreRows } from '../../ui/more-rows.tsx';
import { Empty, Panel, TableScroll } from '../../ui/panel.tsx';
import { useHold } from '../../ui/use-hold.ts';

interface LatePanelProps {
  rows: readonly LateRow[];
  total: number | null;
}

const STEP = 40;

/** Events that came after their window was given up. */
export function LatePanel({ rows, total }: LatePanelProps) {
  const { setOpen } = useBreakIt();
  const table = useHold(rows);
  const shown = table.value;
  const [count, setCount] = useState(STEP);
  const names = Object.keys(shown[0]?.values ?? {}).join('\n');
  return (
    <Panel
      title="Late events"
      note={
        <span data-testid="late-total" data-count={total ?? ''}>
          {formatExact(total)} since the job began, last {plural(shown.length, 'row')}
        </span>
      }
      flush
      actions={
        <button
          type="button"
          className="btn"
          aria-label="Export late events as NDJSON"
          disabled={shown.length === 0}
          onClick={() => download('weir-late.ndjson', 'application/x-ndjson', toNdjson(shown))}
        >
          <Icon name="download" size={14} />
          NDJSON
        </button>
      }
    >
      <div {...table.handlers}>
        {shown.length === 0 ? (
          <Empty
            action={
              <button type="button" className="btn" onClick={() => setOpen(true)}>
                Inject late events
              </button>
            }
          >
            No late events. Everything arrived before the watermark and the allowed lateness had passed.
          </Empty>
        ) : (
          <TableScroll label="Late events, scrolls" maxHeight={420}>
            <table className="table">
              <thead>
                <tr>
                  <th className="stick">Device</th>
                  <th className="num">Late by</th>
                  <th>Event time</th>
                  <th>Watermark then</th>
                  <th>Arrived</th>
                  {columnsOf(names).map((name) => (
                    <th key={name} className="num">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {shown.slice(0, count).map((row, place) => (
                  <LateLine key={lineKey(place)} row={row} names={names} />
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

/** Names of measured values, joined so that a line can tell at a glance that nothing changed. */
function columnsOf(names: string): string[] {
  return names === '' ? [] : names.split('\n');
}

const LateLine = memo(function LateLine({ row, names }: { row: LateRow; names: string }) {
  return (
    <tr data-late={row.id}>
      <td className="stick font-semibold">
        <DeviceName device={row.device} />
      </td>
      <td className="num">{formatDuration(row.lateByMs)}</td>
      <td className="whitespace-nowrap">{formatMoment(row.eventTimestamp, row.at)}</td>
      <td className="whitespace-nowrap">{formatMoment(row.watermark, row.at)}</td>
      <td className="whitespace-nowrap">{formatTimeMs(row.at)}</td>
      {columnsOf(names).map((name) => (
        <td key={name} className="num">
          {row.values[name] ?? '–'}
        </td>
      ))}
    </tr>
  );
});
