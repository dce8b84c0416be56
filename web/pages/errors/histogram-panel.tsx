import { useState } from 'react';
import { compact, formatDuration, plural } from '../../ui/format.ts';
import { Empty, Panel, TableScroll } from '../../ui/panel.tsx';
import { lateHistogram } from './late-histogram.ts';

interface HistogramPanelProps {
  lateBy: readonly number[];
  allowedLatenessMs: number;
}

const WIDTH = 600;
const HEIGHT = 190;
const LEFT = 8;
const BASE = 160;
const TOP = 26;

/** How late the recent late events were, with the borders that decide: the watermark and the allowed lateness. */
export function HistogramPanel({ lateBy, allowedLatenessMs }: HistogramPanelProps) {
  const [asTable, setAsTable] = useState(false);
  const histogram = lateHistogram(lateBy, allowedLatenessMs * 1.2);
  const toggle = (
    <button
      type="button"
      className="btn btn-quiet btn-small"
      aria-pressed={asTable}
      aria-label="Show lateness as table"
      onClick={() => setAsTable(!asTable)}
    >
      Table
    </button>
  );
  return (
    <Panel title="How late" note="behind the watermark, recent late events" actions={histogram ? toggle : null}>
      {!histogram ? (
        <Empty>No late events to measure.</Empty>
      ) : asTable ? (
        <TableScroll label="Lateness" maxHeight={HEIGHT}>
          <table className="table">
            <thead>
              <tr>
                <th>Late by</th>
                <th className="num">Events</th>
              </tr>
            </thead>
            <tbody>
              {histogram.bins.map((bin) => (
                <tr key={bin.from}>
                  <td>
                    {compact(formatDuration(bin.from))} to {compact(formatDuration(bin.to))}
                  </td>
                  <td className="num">{bin.count}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      ) : (
        <Bars histogram={histogram} allowed={allowedLatenessMs} events={lateBy.length} />
      )}
    </Panel>
  );
}

interface BarsProps {
  histogram: NonNullable<ReturnType<typeof lateHistogram>>;
  allowed: number;
  events: number;
}

function Bars({ histogram, allowed, events }: BarsProps) {
  const { bins, top, highest } = histogram;
  const x = (ms: number): number => LEFT + (ms / top) * (WIDTH - 2 * LEFT);
  const barWidth = (WIDTH - 2 * LEFT) / bins.length;
  const fullest = bins.reduce((most, bin) => (bin.count > most.count ? bin : most));
  const label = `${plural(events, 'late event')}, most of them ${compact(formatDuration(fullest.from))} to ${compact(formatDuration(fullest.to))} late; allowed lateness ${compact(formatDuration(allowed))}`;
  return (
    <svg role="img" aria-label={label} className="drawing h-auto w-full" viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
      <line x1={LEFT} x2={WIDTH - LEFT} y1={BASE} y2={BASE} stroke="var(--control)" />
      {bins.map((bin) => {
        const height = (bin.count / highest) * (BASE - TOP - 4);
        return (
          <rect
            key={bin.from}
            className="bar-fill"
            x={x(bin.from) + 1}
            y={BASE - height}
            width={Math.max(1, barWidth - 2)}
            height={height}
            fill="var(--series-4)"
          >
            <title>{`${compact(formatDuration(bin.from))} to ${compact(formatDuration(bin.to))}: ${plural(bin.count, 'event')}`}</title>
          </rect>
        );
      })}
      <line
        x1={x(allowed)}
        x2={x(allowed)}
        y1={TOP - 8}
        y2={BASE}
        stroke="var(--text)"
        strokeWidth="1.5"
        strokeDasharray="4 3"
      />
      <text x={x(allowed) + 5} y={TOP - 8} fontSize="13" fill="var(--text)">
        {allowed === 0 ? 'watermark; no lateness is allowed' : `allowed lateness ${compact(formatDuration(allowed))}`}
      </text>
      {[0, 0.25, 0.5, 0.75, 1].map((share) => (
        <text
          key={share}
          x={x(share * top)}
          y={BASE + 20}
          fontSize="13"
          fill="var(--muted)"
          textAnchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}
        >
          {compact(formatDuration(share * top))}
        </text>
      ))}
    </svg>
  );
}
