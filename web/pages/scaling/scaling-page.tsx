import { useRange } from '../../app/range.ts';
import { RangePicker } from '../../app/range-picker.tsx';
import { TimeChart, type TimeSeries } from '../../charts/time-chart.tsx';
import { useShown, useView } from '../../live/live.ts';
import { formatRate } from '../../ui/format.ts';
import { Empty, Panel, Skeleton } from '../../ui/panel.tsx';
import { HistoryPanel } from './history-panel.tsx';
import { TasksPanel } from './tasks-panel.tsx';

const EVENTS: TimeSeries[] = [{ name: 'eventsPerSecond', label: 'Events', color: 'series-1' }];

/** Change parallelism, and see whether it helped. */
export function ScalingPage() {
  useView('other');
  const view = useShown('scaling');
  const connecting = useShown('link').state === 'connecting';
  const { seconds } = useRange();
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <div>
          <h1 className="font-semibold text-xl">Scaling</h1>
          <p className="text-muted">More or fewer subtasks while the job runs, from a checkpoint: nothing is lost.</p>
        </div>
        <RangePicker />
      </div>
      {connecting ? (
        <Panel title="Subtasks">
          <Skeleton height={260} label="Waiting for the first frame" />
        </Panel>
      ) : view === null ? (
        <Panel title="Subtasks">
          <Empty>No job runs here that could be rescaled.</Empty>
        </Panel>
      ) : (
        <>
          <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 @5xl:grid-cols-[minmax(0,7fr)_minmax(0,5fr)]">
            <TasksPanel view={view} />
            <TimeChart
              id="scaling-events"
              title="Events"
              unit="per second"
              series={EVENTS}
              rangeSeconds={seconds}
              least={4}
              format={formatRate}
              height={220}
            />
          </div>
          <HistoryPanel history={view.history} />
        </>
      )}
    </div>
  );
}
