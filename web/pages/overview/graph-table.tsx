import { Fragment } from 'react';
import type { JobView, OperatorNumbers, VertexNumbers, WatermarkHolders } from '#shared/live.ts';
import { formatBytes, formatCount, formatLatency, formatMoment, formatPercent, formatRate } from '../../ui/format.ts';
import { TableScroll } from '../../ui/panel.tsx';
import { holderOf, holderWords } from './holder-words.ts';
import { LoadBar, SubtaskDot } from './load-bar.tsx';
import { loads, loadWord } from './vertex-load.ts';
import { watermarkWords } from './watermark-words.ts';

interface GraphTableProps {
  job: JobView;
  operators: OperatorNumbers | null;
  vertices: VertexNumbers | null;
  holders: WatermarkHolders | null;
  now: number;
}

/** Everything the graph shows, in rows: operators with what they send where, then each task's subtasks. */
export function GraphTable({ job, operators, vertices, holders, now }: GraphTableProps) {
  const words = watermarkWords(job, operators?.watermark, now);
  const heldBackBy = (operator: number): string => {
    const holder = job.timeMode === 'event' ? holderOf(holders, operator) : null;
    return holder === null ? '–' : holderWords({ job, now }, holder);
  };
  return (
    <div className="grid grid-cols-[minmax(0,1fr)]">
      <TableScroll label="Operators">
        <table className="table">
          <thead>
            <tr>
              <th className="stick">Operator</th>
              <th>Kind</th>
              <th>Task</th>
              <th className="num">Records in/s</th>
              <th className="num">Records out/s</th>
              <th className="num">Records in</th>
              <th>Watermark</th>
              <th>Held back by</th>
              <th className="num">Latency p50</th>
              <th className="num">p95</th>
              <th className="num">p99</th>
              <th className="num">Event to result p50</th>
              <th className="num">p95</th>
              <th className="num">p99</th>
              <th className="num">State</th>
              <th className="num">Growth/s</th>
              <th className="num">Expired</th>
              <th>Sends to</th>
            </tr>
          </thead>
          <tbody>
            {job.operators.map((operator, i) => (
              <tr key={operator.id}>
                <td className="stick font-semibold" title={operator.name}>
                  {operator.name}
                </td>
                <td>{operator.kind}</td>
                <td className="whitespace-nowrap">{job.vertices[operator.vertex]?.name}</td>
                <td className="num">{formatRate(operators?.recordsInPerSecond[i])}</td>
                <td className="num">{formatRate(operators?.recordsOutPerSecond[i])}</td>
                <td className="num">{formatCount(operators?.recordsIn[i])}</td>
                <td className="whitespace-nowrap">{words[i]}</td>
                <td className="whitespace-nowrap">{heldBackBy(i)}</td>
                <td className="num whitespace-nowrap">{formatLatency(operators?.latency[i]?.p50)}</td>
                <td className="num whitespace-nowrap">{formatLatency(operators?.latency[i]?.p95)}</td>
                <td className="num whitespace-nowrap">{formatLatency(operators?.latency[i]?.p99)}</td>
                <td className="num whitespace-nowrap">{formatLatency(operators?.emitLatency[i]?.p50)}</td>
                <td className="num whitespace-nowrap">{formatLatency(operators?.emitLatency[i]?.p95)}</td>
                <td className="num whitespace-nowrap">{formatLatency(operators?.emitLatency[i]?.p99)}</td>
                <td className="num whitespace-nowrap" title="State in memory, of all subtasks, an estimate">
                  {formatBytes(operators?.stateBytes[i])}
                </td>
                <td className="num whitespace-nowrap" title="Over the last 5 s">
                  {growth(operators?.stateGrowth[i])}
                </td>
                <td className="num" title="Entries of state and windows whose time to live was over">
                  {formatCount(operators?.expired[i])}
                </td>
                <td className="whitespace-nowrap">{targets(job, i)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
      <TableScroll label="Subtasks">
        <table className="table border-line border-t">
          <thead>
            <tr>
              <th className="stick">Subtask</th>
              <th>State</th>
              <th className="min-w-28">Load</th>
              <th className="num">Busy</th>
              <th className="num">Backpressured</th>
              <th className="num">Idle</th>
              <th>Watermark</th>
            </tr>
          </thead>
          <tbody>
            {job.vertices.map((vertex, i) => (
              <Fragment key={vertex.id}>
                {(vertices ? loads(vertices, i) : []).map((load) => {
                  const idle = vertices?.idleStatus[i]?.[load.subtask] ?? false;
                  const word = idle ? 'idle' : loadWord(load);
                  return (
                    <tr key={load.subtask}>
                      <td className="stick font-semibold">
                        {vertex.name} #{load.subtask + 1}
                      </td>
                      <td>
                        <ul className="flex items-center gap-1.5">
                          <SubtaskDot name="" word={word} />
                          <li className="whitespace-nowrap">{idle ? 'no input, idle' : word}</li>
                        </ul>
                      </td>
                      <td className="align-middle!">
                        <LoadBar load={load} />
                      </td>
                      <td className="num">{formatPercent(load.busy)}</td>
                      <td className="num">{formatPercent(load.backpressured)}</td>
                      <td className="num">{formatPercent(load.idle)}</td>
                      <td className="whitespace-nowrap">{formatMoment(vertices?.watermark[i]?.[load.subtask], now)}</td>
                    </tr>
                  );
                })}
              </Fragment>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </div>
  );
}

/** With its sign: state that shrinks is news too. */
function growth(bytesPerSecond: number | undefined): string {
  if (bytesPerSecond === undefined || bytesPerSecond === 0) return '–';
  return `${bytesPerSecond > 0 ? '+' : '−'}${formatBytes(Math.abs(bytesPerSecond))}`;
}

function targets(job: JobView, operator: number): string {
  const words = job.edges
    .filter((edge) => edge.from === operator)
    .map((edge) => {
      const side = edge.sideOutput === null ? '' : `${edge.sideOutput} to `;
      return `${side}${job.operators[edge.to]?.name} (${edge.chained ? 'chained' : edge.partitioner}${edge.input > 0 ? ', second input' : ''})`;
    });
  return words.length === 0 ? '–' : words.join(', ');
}
