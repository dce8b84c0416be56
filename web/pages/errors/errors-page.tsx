import { useRange } from '../../app/range.ts';
import { RangePicker } from '../../app/range-picker.tsx';
import { TimeChart, type TimeSeries } from '../../charts/time-chart.tsx';
import { useShown, useView } from '../../live/live.ts';
import { formatRate } from '../../ui/format.ts';
import { Panel, Skeleton } from '../../ui/panel.tsx';
import { ErrorsPanel } from './errors-panel.tsx';
import { HistogramPanel } from './histogram-panel.tsx';
import { LatePanel } from './late-panel.tsx';
import { ReasonsPanel } from './reasons-panel.tsx';
import { useErrorFilter } from './use-error-filter.ts';

const REFUSED: TimeSeries[] = [
  { name: 'errorsPerSecond', label: 'Errors', color: 'series-2' },
  { name: 'latePerSecond', label: 'Late', color: 'series-4', dash: [5, 3] },
];

/** What was refused, and why? */
export function ErrorsPage() {
  useView('errors');
  const job = useShown('job');
  const totals = useShown('totals');
  const errors = useShown('errors');
  const connecting = useShown('link').state === 'connecting';
  const { seconds } = useRange();
  const { filter, setFilter } = useErrorFilter();
  const chart = (
    <TimeChart
      id="refused"
      title="Errors and late events"
      unit="per second"
      series={REFUSED}
      rangeSeconds={seconds}
      least={4}
      format={formatRate}
      height={190}
    />
  );
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <div>
          <h1 className="font-semibold text-xl">Errors & late events</h1>
          <p className="text-muted">Refused events go to the side outputs errors and late; the job goes on.</p>
        </div>
        <RangePicker />
      </div>
      {connecting ? (
        <Panel title="Errors by reason">
          <Skeleton height={420} label="Waiting for the first frame" />
        </Panel>
      ) : (
        <>
          <div className="grid grid-cols-[minmax(0,1fr)] gap-3 @5xl:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
            <ReasonsPanel
              counts={errors.counts}
              total={totals?.errors ?? null}
              chosen={filter.reason}
              onChoose={(reason) => setFilter({ reason })}
            />
            {chart}
          </div>
          <ErrorsPanel rows={errors.recent} counts={errors.counts} filter={filter} onFilter={setFilter} />
          <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 @5xl:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
            <HistogramPanel
              lateBy={errors.late.map((row) => row.lateByMs)}
              allowedLatenessMs={job?.allowedLatenessMs ?? 0}
            />
            <LatePanel rows={errors.late} total={totals?.late ?? null} />
          </div>
        </>
      )}
    </div>
  );
}
