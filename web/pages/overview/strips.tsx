import { useRange } from '../../app/range.ts';
import { TimeChart, type TimeSeries } from '../../charts/time-chart.tsx';
import { useShown } from '../../live/live.ts';
import { formatDuration, formatLatency, formatRate } from '../../ui/format.ts';

const EVENTS: TimeSeries[] = [{ name: 'eventsPerSecond', label: 'Events', color: 'series-1' }];
const LAG: TimeSeries[] = [{ name: 'watermarkLagMs', label: 'Lag', color: 'series-3' }];
const LATENCY: TimeSeries[] = [
  { name: 'latencyP50Ms', label: 'p50', color: 'series-1' },
  { name: 'latencyP95Ms', label: 'p95', color: 'series-2', dash: [5, 3] },
  { name: 'latencyP99Ms', label: 'p99', color: 'series-4', dash: [2, 2] },
];
const WINDOWS: TimeSeries[] = [{ name: 'windowsPerSecond', label: 'Windows', color: 'series-1' }];
const REFUSED: TimeSeries[] = [
  { name: 'errorsPerSecond', label: 'Errors', color: 'series-2' },
  { name: 'latePerSecond', label: 'Late', color: 'series-4', dash: [5, 3] },
];

/** The pulse of the job in five charts that share their time axis, cursor and marks. */
export function Strips() {
  const { seconds } = useRange();
  const processing = useShown('job')?.timeMode === 'processing';
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3 @2xl:grid-cols-2 @2xl:*:last:col-span-2 @min-[90rem]:grid-cols-6 @min-[90rem]:*:col-span-2 @min-[90rem]:*:nth-[n+4]:col-span-3">
      <TimeChart
        id="events"
        title="Events"
        unit="per second"
        series={EVENTS}
        rangeSeconds={seconds}
        least={10}
        format={formatRate}
      />
      <TimeChart
        id="lag"
        title="Watermark lag"
        unit=""
        series={LAG}
        rangeSeconds={seconds}
        least={1000}
        format={formatDuration}
        {...(processing ? { whyEmpty: 'Processing time has no watermark' } : {})}
      />
      <TimeChart
        id="latency"
        title="Latency"
        unit="event in to result out"
        series={LATENCY}
        rangeSeconds={seconds}
        least={10}
        format={formatLatency}
        whyEmpty="No window results yet"
      />
      <TimeChart
        id="windows"
        title="Windows"
        unit="per second"
        series={WINDOWS}
        rangeSeconds={seconds}
        least={4}
        format={formatRate}
      />
      <TimeChart
        id="errors"
        title="Errors & late"
        unit="per second"
        series={REFUSED}
        rangeSeconds={seconds}
        least={4}
        format={formatRate}
      />
    </div>
  );
}
