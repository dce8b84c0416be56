import { memo, useState } from 'react';
import type { WindowRow } from '../../live/windows-book.ts';
import { DeviceName } from '../../ui/device-name.tsx';
import { formatExact, formatMoment, formatTimeMs } from '../../ui/format.ts';
import { lineKey } from '../../ui/line-key.ts';
import { MoreRows } from '../../ui/more-rows.tsx';
import { TableScroll } from '../../ui/panel.tsx';
import { formatValue, type Sensor, sensorTitle } from './sensors.ts';

const STEP = 60;
/** A late update flashes while it is younger than this. */
const FRESH_MS = 1600;

interface WindowsTableProps {
  rows: readonly WindowRow[];
  sensors: readonly Sensor[];
  countColumn: number;
  now: number;
}

export function WindowsTable({ rows, sensors, countColumn, now }: WindowsTableProps) {
  const [shown, setShown] = useState(STEP);
  const today = new Date(now).setHours(0, 0, 0, 0);
  return (
    <>
      <TableScroll label="Window results, scrolls" maxHeight={560}>
        <table className="table">
          <thead>
            <tr>
              <th className="stick">Device</th>
              <th>Window</th>
              <th className="num">Count</th>
              {sensors.map((sensor) => (
                <th key={sensor.name} className="num">
                  {sensorTitle(sensor)} {sensor.unit ? <span className="font-normal">{sensor.unit}, </span> : ''}
                  <span className="font-normal">min / avg / max</span>
                </th>
              ))}
              <th>Pane</th>
              <th>Emitted</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row, place) => (
              <Row
                key={lineKey(place)}
                row={row}
                sensors={sensors}
                countColumn={countColumn}
                today={today}
                fresh={row.result.pane === 'late-update' && now - row.result.at < FRESH_MS}
              />
            ))}
          </tbody>
        </table>
      </TableScroll>
      <MoreRows all={rows.length} shown={shown} onMore={() => setShown(shown + STEP)} />
    </>
  );
}

interface RowProps {
  fresh: boolean;
  row: WindowRow;
  sensors: readonly Sensor[];
  countColumn: number;
  /** Midnight of the day on screen, so that a row renders once and not with every tick. */
  today: number;
}

const Row = memo(function Row({ row, sensors, countColumn, today, fresh }: RowProps) {
  const { result, was } = row;
  const updated = result.pane === 'late-update';
  return (
    <tr className={fresh ? 'flash' : ''}>
      <td className="stick font-semibold">
        <DeviceName device={result.device} />
      </td>
      <td className="whitespace-nowrap">
        [{formatMoment(result.start, today).replace('.000', '')}, {formatMoment(result.end, today).replace('.000', '')})
      </td>
      <td className="num" title={wasText(was, [countColumn], formatExact)}>
        {formatExact(result.values[countColumn])}
      </td>
      {sensors.map((sensor) => (
        <td key={sensor.name} className="num" title={wasText(was, [sensor.min, sensor.avg, sensor.max], formatValue)}>
          <span className="text-muted">{formatValue(result.values[sensor.min])} / </span>
          <strong className="font-semibold">{formatValue(result.values[sensor.avg])}</strong>
          <span className="text-muted"> / {formatValue(result.values[sensor.max])}</span>
        </td>
      ))}
      <td className="whitespace-nowrap">
        {updated ? (
          <span title={wasText(was, [countColumn], formatExact)}>
            <span aria-hidden="true" className="text-warning">
              ▲{' '}
            </span>
            late update
            {was ? <span className="sr-only">, count was {formatExact(was[countColumn])}</span> : null}
          </span>
        ) : (
          'on time'
        )}
      </td>
      <td className="whitespace-nowrap">{formatTimeMs(result.at)}</td>
    </tr>
  );
});

function wasText(
  was: number[] | null,
  columns: number[],
  format: (value: number | undefined) => string,
): string | undefined {
  return was ? `was ${columns.map((column) => format(was[column])).join(' / ')}` : undefined;
}
