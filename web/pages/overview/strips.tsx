import { useRange } from '../../app/range.ts';
import { TimeChart, type TimeSeries } from '../../charts/time-chart.tsx';
import { useShown } from '../../live/live.ts';
import { formatDuration, formatRate } from '../../ui/format.ts';

const EVENTS: TimeSeries[] = [{ name: 'eventsPerSecond', label: 'Events', color: 'series-1' }];
const LAG: TimeSeries[] = [{ name: 'watermarkLagMs', label: 'Lag', color: 'series-3' }];
const WINDOWS: TimeSeries[] = [{ name: 'windowsPerSecond', label: 'Windows', color: 'series-1' }];
const REFUSED: TimeSeries[] = [
  { name: 'errorsPerSecond', label: 'Errors', color: 'series-2' },
  { name: 'latePerSecond', label: 'Late', color: 'series-4', dash: [5, 3] },
];

/** The pulse of the job in four charts that share their time axis, cursor and marks. */
export function Strips() {
  const { seconds } = useRange();
  const processing = useShown('job')?.timeMode === 'processing';
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3 @2xl:grid-cols-2 @min-[90rem]:grid-cols-4">
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
