import { RangePicker } from '../../app/range-picker.tsx';
import { useShown, useView } from '../../live/live.ts';
import { Empty, Panel, Skeleton } from '../../ui/panel.tsx';
import { AlignmentPanel } from './alignment-panel.tsx';
import { GraphPanel } from './graph-panel.tsx';
import { SimulatorPanel } from './simulator-panel.tsx';
import { Strips } from './strips.tsx';
import { VerdictLine } from './verdict-line.tsx';

/** Of the graph of the job that `weir serve` starts, so that nothing moves when it arrives. */
const GRAPH_HEIGHT = 345;

/** Is it healthy, and if not, where? */
export function OverviewPage() {
  useView('overview');
  const job = useShown('job');
  const holders = useShown('holders');
  const connecting = useShown('link').state === 'connecting';
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <VerdictLine />
        <RangePicker />
      </div>
      {job ? (
        <GraphPanel job={job} />
      ) : (
        <Panel title="Job graph">
          {connecting ? (
            <Skeleton height={GRAPH_HEIGHT} label="Waiting for the first frame" />
          ) : (
            <Empty>
              No job was started. Run <code className="font-mono">weir serve</code> with a job, and its graph shows up
              here.
            </Empty>
          )}
        </Panel>
      )}
      {job ? <AlignmentPanel job={job} holders={holders} /> : null}
      <Strips />
      <SimulatorPanel />
    </div>
  );
}
