import type { JobView, OperatorNumbers, VertexNumbers, WatermarkHolders } from '#shared/live.ts';
import { formatRate } from '../../ui/format.ts';
import { TableScroll } from '../../ui/panel.tsx';
import type { EdgeShape, GraphLayout } from './graph-layout.ts';
import { holderOf, holderWords } from './holder-words.ts';
import { latencyWords } from './latency-words.ts';
import { LoadBar, LoadNumbers, SubtaskDot } from './load-bar.tsx';
import { HIGH, loads, loadWord, worst } from './vertex-load.ts';
import { watermarkWords } from './watermark-words.ts';

interface GraphProps {
  job: JobView;
  layout: GraphLayout;
  operators: OperatorNumbers | null;
  vertices: VertexNumbers | null;
  holders: WatermarkHolders | null;
  now: number;
}

const PAD = 14;
/** Dots of more subtasks than this would not fit a task's head; the table has them all. */
const DOTS_SHOWN = 12;

/** The job graph: HTML boxes over SVG edges, wider than the page only where the job is. */
export function Graph({ job, layout, operators, vertices, holders, now }: GraphProps) {
  const words = watermarkWords(job, operators?.watermark, now);
  const latencies = latencyWords(job, operators?.latency, operators?.emitLatency);
  return (
    <TableScroll label="Job graph, scrolls sideways">
      <div className="relative mx-auto" style={{ width: layout.width + 2 * PAD, height: layout.height + 2 * PAD }}>
        <ul className="contents" aria-label="Tasks">
          {job.vertices.map((vertex, i) => (
            <Task key={vertex.id} job={job} index={i} layout={layout} vertices={vertices} />
          ))}
        </ul>
        <Edges job={job} layout={layout} operators={operators} vertices={vertices} />
        <ul className="contents" aria-label="Operators">
          {job.operators.map((operator, i) => {
            const box = layout.operators[i];
            if (!box) return null;
            const isSource = operator.kind === 'source';
            const holder = job.timeMode === 'event' ? holderOf(holders, i) : null;
            const rate = isSource ? operators?.recordsOutPerSecond[i] : operators?.recordsInPerSecond[i];
            return (
              <li
                key={operator.id}
                className="absolute flex flex-col justify-between rounded-md border border-control bg-card px-2 py-1.5"
                style={{ left: box.x + PAD, top: box.y + PAD, width: box.width, height: box.height }}
              >
                <p className="truncate font-semibold text-sm" title={`${operator.name} (${operator.kind})`}>
                  {operator.name}
                </p>
                <p className="text-lg leading-5">
                  <span className="font-semibold">{formatRate(rate ?? null)}</span>{' '}
                  <span className="text-muted text-xs">{isSource ? 'records/s out' : 'records/s in'}</span>
                </p>
                <p
                  className="truncate text-muted text-xs"
                  title={holder ? `Held back by ${holderWords({ job, now }, holder)}` : undefined}
                >
                  {words[i]}
                </p>
                <p className="truncate text-muted text-xs" title={latencies[i]?.full} data-latency={operator.id}>
                  {latencies[i]?.short}
                </p>
              </li>
            );
          })}
        </ul>
      </div>
    </TableScroll>
  );
}

interface TaskProps {
  job: JobView;
  index: number;
  layout: GraphLayout;
  vertices: VertexNumbers | null;
}

function Task({ job, index, layout, vertices }: TaskProps) {
  const box = layout.tasks[index];
  const vertex = job.vertices[index];
  if (!box || !vertex) return null;
  const all = vertices ? loads(vertices, index) : [];
  const load = worst(all);
  return (
    <li
      className="absolute rounded-lg border border-line bg-sunken px-3 pt-2"
      style={{ left: box.x + PAD, top: box.y + PAD, width: box.width, height: box.height }}
    >
      <div className="flex items-center gap-2 text-xs">
        <span className="min-w-0 truncate font-semibold" title={vertex.name}>
          {vertex.name}
        </span>
        <span className="text-muted">×{vertex.parallelism}</span>
        <ul className="ml-auto flex" aria-label="Subtasks">
          {all.slice(0, DOTS_SHOWN).map((one) => {
            const idle = vertices?.idleStatus[index]?.[one.subtask] ?? false;
            const word = idle ? 'idle' : loadWord(one);
            return (
              <SubtaskDot
                key={one.subtask}
                name={`Subtask ${one.subtask + 1}: ${idle ? 'no input, idle' : word}`}
                word={word}
              />
            );
          })}
        </ul>
      </div>
      <div className="pt-1.5 pb-1">
        <LoadBar load={load} />
      </div>
      <p className="truncate text-muted text-xs">
        {load && all.length > 1 ? `worst is #${load.subtask + 1}: ` : ''}
        <LoadNumbers load={load} />
      </p>
    </li>
  );
}

function Edges({ job, layout, operators, vertices }: Omit<GraphProps, 'now' | 'holders'>) {
  return (
    <>
      <svg
        aria-hidden="true"
        className="drawing pointer-events-none absolute inset-0"
        width={layout.width + 2 * PAD}
        height={layout.height + 2 * PAD}
        viewBox={`${-PAD} ${-PAD} ${layout.width + 2 * PAD} ${layout.height + 2 * PAD}`}
      >
        <defs>
          {['control', 'backpressured'].map((color) => (
            <marker
              key={color}
              id={`arrow-${color}`}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="8"
              markerHeight="8"
              markerUnits="userSpaceOnUse"
              orient="auto"
            >
              <path d="M0 0 8 4 0 8z" fill={`var(--${color})`} />
            </marker>
          ))}
        </defs>
        {layout.edges.map((shape) => {
          const blocked = !shape.edge.chained && isHeldBack(job, shape, vertices);
          const color = blocked ? 'backpressured' : 'control';
          return (
            <path
              key={shape.id}
              d={shape.path}
              fill="none"
              stroke={`var(--${color})`}
              strokeWidth={edgeWidth(operators?.recordsInPerSecond[shape.edge.to])}
              strokeDasharray={blocked ? '7 4' : shape.edge.sideOutput ? '2 3' : 'none'}
              markerEnd={`url(#arrow-${color})`}
            />
          );
        })}
      </svg>
      {layout.edges.map((shape) => {
        const words = edgeWords(shape);
        if (words === '') return null;
        return (
          <span
            key={shape.id}
            className="-translate-x-1/2 -translate-y-1/2 absolute rounded border border-line bg-card px-1 text-muted text-xs"
            style={{ left: shape.labelX + PAD, top: shape.labelY + PAD }}
          >
            {words}
          </span>
        );
      })}
    </>
  );
}

/** Chained edges cross no border, so only the name of a side output is worth a label there. */
function edgeWords({ edge }: EdgeShape): string {
  const words = edge.sideOutput === null ? [] : [edge.sideOutput];
  if (!edge.chained) words.push(edge.partitioner);
  if (edge.input > 0) words.push('second input');
  return words.join(', ');
}

function isHeldBack(job: JobView, { edge }: EdgeShape, vertices: VertexNumbers | null): boolean {
  const vertex = job.operators[edge.from]?.vertex;
  if (vertices === null || vertex === undefined) return false;
  return (worst(loads(vertices, vertex))?.backpressured ?? 0) >= HIGH;
}

/** Wider with the logarithm of the rate: 1 px when nothing flows, 5 px from a million records a second on. */
function edgeWidth(rate: number | undefined): number {
  return rate === undefined || rate < 1 ? 1 : Math.min(5, 1.2 + Math.log10(rate) * 0.62);
}
