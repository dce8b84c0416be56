import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import type { JobWindows } from '#shared/live.ts';
import { Icon } from '../../app/icons.tsx';
import { type Mark, marksWithin } from '../../charts/marks.ts';
import { fittedAxis } from '../../charts/scale.ts';
import { useLive } from '../../live/live.ts';
import type { WindowRow } from '../../live/windows-book.ts';
import { DeviceName, deviceLabel } from '../../ui/device-name.tsx';
import { formatCount, formatTime } from '../../ui/format.ts';
import { Panel, Skeleton } from '../../ui/panel.tsx';
import { everyMs } from '../../ui/windows.ts';
import { chartPoints, type Filling } from './chart-points.ts';
import type { DeviceChartProps } from './device-chart.tsx';
import { placeFilling } from './place-filling.ts';
import { formatValue, type Sensor, sensorTitle } from './sensors.ts';

const DeviceChart = lazy(() => import('./device-chart.tsx').then((module) => ({ default: module.DeviceChart })));

const HEIGHT = 150;
/** A chart with a handful of windows still shows this many, so that the first ones are not blown up. */
const LEAST_WINDOWS = 24;

interface DevicePanelProps {
  device: string;
  rows: readonly WindowRow[];
  filling: Filling | null;
  sensor: Sensor;
  windows: JobWindows;
  marks: readonly Mark[];
  pinned: boolean;
  onPin(device: string): void;
}

export function DevicePanel({ device, rows, filling, sensor, windows, marks, pinned, onPin }: DevicePanelProps) {
  const host = useRef<HTMLDivElement>(null);
  const width = useWidth(host);
  const every = everyMs(windows);
  // Between sessions there always is a gap.
  const points = chartPoints(rows, sensor, windows.kind === 'session' ? Number.POSITIVE_INFINITY : every);
  const last = points.at(-1);
  const to = filling?.end ?? last?.t ?? 0;
  const from = Math.min(points[0]?.t ?? to, to - LEAST_WINDOWS * every);
  const values = [...points.flatMap((point) => point.band ?? []), ...(filling ? [filling.min, filling.max] : [])];
  const title = sensorTitle(sensor);
  const label = last
    ? `${title} of ${deviceLabel(device)} over ${points.length} windows, last average ${formatValue(last.avg)} ${sensor.unit}`
    : `${title} of ${deviceLabel(device)}, no closed window yet`;
  const wanted: DeviceChartProps = {
    label,
    points,
    marks: marksWithin(marks, from, to),
    domainX: [from, to + every / 2],
    axisY: fittedAxis(values),
    unit: sensor.unit,
    width,
    height: HEIGHT,
  };
  const drawn = useTurn(wanted);
  return (
    <Panel
      title={<DeviceName device={device} longest={40} />}
      actions={
        <>
          <span className="text-sm">
            <strong className="font-semibold">{formatValue(last?.avg)}</strong>{' '}
            <span className="text-muted text-xs">{sensor.unit} avg</span>
          </span>
          <button
            type="button"
            className={`btn btn-small ${pinned ? 'btn-primary' : 'btn-quiet'}`}
            aria-pressed={pinned}
            aria-label={`Pin ${deviceLabel(device)}`}
            title={pinned ? 'Unpin' : 'Pin'}
            onClick={() => onPin(device)}
          >
            <Icon name="pin" size={14} />
          </button>
        </>
      }
    >
      <div ref={host} className="relative" style={{ height: HEIGHT }}>
        <Suspense fallback={<Skeleton height={HEIGHT} label="Loading the chart" />}>
          {drawn.width > 0 ? <DeviceChart {...drawn} /> : null}
        </Suspense>
        {filling && drawn.width > 0 ? <FillingBar filling={filling} size={drawn} /> : null}
      </div>
      <Progress filling={filling} />
    </Panel>
  );
}

/** The window that closes next, as far as the watermark has come through it. */
function Progress({ filling }: { filling: Filling | null }) {
  const percent = Math.round((filling?.progress ?? 0) * 100);
  return (
    <div className="grid gap-1 pt-2">
      <div
        role="progressbar"
        aria-label="Time through the open window"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        className="h-1.5 overflow-hidden rounded-full bg-sunken"
      >
        <div className="bar-fill h-full bg-series-1 opacity-60" style={{ width: `${percent}%` }} />
      </div>
      <p className="flex justify-between text-muted text-xs">
        <span>{filling ? `[${formatTime(filling.start)}, ${formatTime(filling.end)}) open` : 'no open window'}</span>
        <span>
          {filling ? `${filling.count === null ? '' : `${formatCount(filling.count)} events, `}${percent} %` : ''}
        </span>
      </p>
    </div>
  );
}

/** What a chart shows waits for its turn: one chart per animation frame keeps the page fluent. */
function useTurn(wanted: DeviceChartProps): DeviceChartProps {
  const { painter } = useLive();
  const [drawn, setDrawn] = useState(wanted);
  const owner = useRef({});
  const latest = useRef(wanted);
  const text = JSON.stringify(wanted);
  useEffect(() => {
    latest.current = wanted;
  });
  useEffect(() => {
    if (text !== '') painter.inTurn(owner.current, () => setDrawn(latest.current));
  }, [painter, text]);
  useEffect(() => {
    const me = owner.current;
    return () => painter.leave(me);
  }, [painter]);
  return drawn;
}

/** The window that still fills, lighter than what is final; its average is the dot. */
function FillingBar({ filling, size }: { filling: Filling; size: DeviceChartProps }) {
  const { domainX, axisY, width, height } = size;
  const place = placeFilling(filling, { domainX, domainY: axisY.domain, width, height });
  return (
    <div
      aria-hidden="true"
      className="pointer-events-none absolute border border-series-1 border-dashed bg-[color-mix(in_oklab,var(--series-1)_14%,transparent)]"
      style={{ left: place.left, top: place.top, width: place.width, height: place.height }}
    >
      <span
        className="-translate-x-1/2 -translate-y-1/2 absolute left-1/2 size-2 rounded-full border-2 border-series-1 bg-card"
        style={{ top: place.avg }}
      />
    </div>
  );
}

function useWidth(host: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [host]);
  return width;
}
