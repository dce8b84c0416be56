import type { SavepointsView } from '#shared/savepoints.ts';
import { useShown } from '../../live/live.ts';
import { formatBytes, formatMoment, plural } from '../../ui/format.ts';
import { Empty, Panel, TableScroll } from '../../ui/panel.tsx';
import { kindWords } from './savepoint-words.ts';

interface ListPanelProps {
  view: SavepointsView;
  chosen: string | null;
  onChoose(name: string | null): void;
}

/** Those in the server's directory, newest first. One is opened by its name. */
export function ListPanel({ view, chosen, onChoose }: ListPanelProps) {
  const now = useShown('serverNow');
  const { savepoints, directory, temporary } = view;
  const where = `${plural(savepoints.length, 'savepoint')} in ${directory}${temporary ? ', a temporary directory: give --checkpoint-dir to choose another' : ''}`;
  return (
    <Panel title="Kept" note={<span className="wrap-anywhere">{where}</span>} flush>
      {savepoints.length === 0 ? (
        <Empty>
          No savepoints. Take one, and the job can go on from there at any time: after an end, a change, or a mistake.
        </Empty>
      ) : (
        <TableScroll label="Savepoints, scrolls" maxHeight={300}>
          <table className="table">
            <thead>
              <tr>
                <th>Name</th>
                <th>Taken</th>
                <th>Job</th>
                <th>How</th>
                <th className="num">Size</th>
                <th className="num">Parallelism</th>
              </tr>
            </thead>
            <tbody>
              {savepoints.map((row) => (
                <tr key={row.name} data-savepoint={row.name}>
                  <td className="py-1! whitespace-nowrap">
                    <button
                      type="button"
                      aria-pressed={row.name === chosen}
                      title={row.path}
                      className="min-h-6 rounded text-left font-mono underline decoration-control underline-offset-3 hover:decoration-text aria-pressed:font-semibold aria-pressed:decoration-2 aria-pressed:decoration-accent"
                      onClick={() => onChoose(row.name === chosen ? null : row.name)}
                    >
                      {row.name}
                    </button>
                  </td>
                  <td className="whitespace-nowrap">{formatMoment(row.takenAt, now)}</td>
                  <td>{row.job ?? '–'}</td>
                  <td>{row.problem ?? kindWords(row.kind)}</td>
                  <td className="num" data-bytes={row.bytes ?? ''}>
                    {formatBytes(row.bytes)}
                  </td>
                  <td className="num">{row.parallelism ?? '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </Panel>
  );
}
