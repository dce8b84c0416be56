import { useLive, useShown } from '../live/live.ts';
import { formatTime } from '../ui/format.ts';
import { TableScroll } from '../ui/panel.tsx';
import type { TimeSeries } from './time-chart.tsx';

const SECONDS = 60;

interface RecentTableProps {
  series: readonly TimeSeries[];
  format(value: number | null): string;
  height: number;
  title: string;
}

/** The last minute of a chart in numbers, newest first. */
export function RecentTable({ series, format, height, title }: RecentTableProps) {
  const { store } = useLive();
  const newest = useShown('newestSecond');
  if (newest === null) return <p className="text-muted text-sm">No data yet.</p>;
  const columns = series.map(({ name }) => store.history.read(name, newest - SECONDS + 1, newest).reverse());
  return (
    <TableScroll label={`${title}, last minute`} maxHeight={height}>
      <table className="table">
        <thead>
          <tr>
            <th>Time</th>
            {series.map((line) => (
              <th key={line.name} className="num">
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: SECONDS }, (_, i) => newest - i).map((second, i) => (
            <tr key={second}>
              <td>{formatTime(second * 1000)}</td>
              {series.map((line, column) => (
                <td key={line.name} className="num">
                  {format(columns[column]?.[i] ?? null)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
