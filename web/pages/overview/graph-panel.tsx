import { useMemo, useState } from 'react';
import type { JobView } from '#shared/live.ts';
import { useShown } from '../../live/live.ts';
import { compact, formatDuration } from '../../ui/format.ts';
import { Panel } from '../../ui/panel.tsx';
import { windowWords } from '../../ui/windows.ts';
import { Graph } from './graph.tsx';
import { layoutGraph } from './graph-layout.ts';
import { GraphTable } from './graph-table.tsx';
import { HolderLine } from './holder-line.tsx';
import { LoadLegend } from './load-bar.tsx';

/** The job as it runs. Phones get the table first, because it reads from top to bottom. */
export function GraphPanel({ job }: { job: JobView }) {
  const operators = useShown('operators');
  const vertices = useShown('vertices');
  const holders = useShown('holders');
  const frameTime = useShown('frameTime');
  const [asTable, setAsTable] = useState(() => matchMedia('(max-width: 767px)').matches);
  const { vertices: tasks, operators: nodes, edges } = job;
  const layout = useMemo(() => layoutGraph({ vertices: tasks, operators: nodes, edges }), [tasks, nodes, edges]);
  const time =
    job.timeMode === 'event'
      ? `event time, ${compact(formatDuration(job.outOfOrdernessMs))} out-of-orderness bound`
      : 'processing time';
  return (
    <Panel
      title="Job graph"
      note={`${windowWords(job.window)}, ${time}, parallelism ${job.parallelism}`}
      flush
      actions={
        <>
          <LoadLegend />
          <button
            id="graph-as-table"
            type="button"
            className="btn btn-small"
            aria-pressed={asTable}
            title="Switch between graph and table (t)"
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? 'Show as graph' : 'Show as table'}
          </button>
        </>
      }
    >
      {asTable ? (
        <GraphTable job={job} operators={operators} vertices={vertices} holders={holders} now={frameTime} />
      ) : (
        <Graph job={job} layout={layout} operators={operators} vertices={vertices} holders={holders} now={frameTime} />
      )}
      <HolderLine job={job} holders={holders} now={frameTime} />
    </Panel>
  );
}
