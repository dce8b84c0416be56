import type { JobView, WatermarkHolders } from '#shared/live.ts';
import { Panel, TableScroll } from '../../ui/panel.tsx';
import { Status } from '../../ui/status.tsx';
import { alignmentNote, alignmentRows } from './alignment-words.ts';

interface AlignmentPanelProps {
  job: JobView;
  holders: WatermarkHolders | null;
}

/** Who waits for whom where sources keep near each other in event time; other jobs have no such panel. */
export function AlignmentPanel({ job, holders }: AlignmentPanelProps) {
  const aligned = holders?.aligned ?? [];
  if (aligned.length === 0) return null;
  return (
    <Panel title="Watermark alignment" note={alignmentNote(aligned)} flush>
      <TableScroll label="Watermark alignment" maxHeight={300}>
        <table className="table">
          <thead>
            <tr>
              <th className="stick">Source subtask</th>
              <th>Split</th>
              <th>State</th>
              <th className="num">Against the slowest other</th>
              <th className="min-w-28">Drift used</th>
            </tr>
          </thead>
          <tbody>
            {alignmentRows(job, aligned).map(({ key, subtask, split, ahead, share, look, state }) => (
              <tr key={key}>
                <td className="stick whitespace-nowrap font-semibold">{subtask}</td>
                <td className="whitespace-nowrap">{split}</td>
                <td data-state={state}>{state === '' ? null : <Status {...look}>{state}</Status>}</td>
                <td className="num whitespace-nowrap">{ahead}</td>
                <td className="align-middle!">{share === null ? null : <DriftBar share={share} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </Panel>
  );
}

/** The numbers stand beside it. */
function DriftBar({ share }: { share: number }) {
  const full = share >= 1;
  return (
    <div className="flex h-2 overflow-hidden rounded-sm bg-[color-mix(in_oklab,var(--idle)_30%,transparent)]">
      <div className={`bar-fill ${full ? 'bar-backpressured' : 'bg-busy'}`} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
