import type { EdgeView, JobView, VertexNumbers } from '#shared/live.ts';

export interface Load {
  subtask: number;
  busy: number;
  backpressured: number;
  idle: number;
}

/** From here on backpressure is called high, and from `LOW` on it is shown at all. */
export const HIGH = 0.5;
export const LOW = 0.1;

export type LoadWord = 'backpressured' | 'busy' | 'idle' | 'running';

/** Shares of every subtask of a task. */
export function loads(numbers: VertexNumbers, vertex: number): Load[] {
  const busy = numbers.busy[vertex] ?? [];
  return busy.map((share, subtask) => ({
    subtask,
    busy: share,
    backpressured: numbers.backpressured[vertex]?.[subtask] ?? 0,
    idle: numbers.idle[vertex]?.[subtask] ?? 0,
  }));
}

/** The subtask that holds the others up: most backpressured, then busiest. An average would hide it. */
export function worst(all: readonly Load[]): Load | null {
  let found: Load | null = null;
  for (const load of all) {
    if (!found || weight(load) > weight(found)) found = load;
  }
  return found;
}

function weight(load: Load): number {
  return load.backpressured * 2 + load.busy;
}

export function loadWord(load: Load): LoadWord {
  if (load.backpressured >= LOW) return 'backpressured';
  if (load.busy >= 0.8) return 'busy';
  return load.busy < 0.02 ? 'idle' : 'running';
}

/** First busy task downstream of a backpressured one: the one to blame. */
export function bottleneck(
  job: Pick<JobView, 'vertices' | 'operators' | 'edges'>,
  numbers: VertexNumbers,
): number | null {
  const blocked = job.vertices.flatMap((_, vertex) =>
    (worst(loads(numbers, vertex))?.backpressured ?? 0) >= LOW ? [vertex] : [],
  );
  for (const vertex of blocked.reverse()) {
    const next = downstream(job, vertex).filter((other) => !blocked.includes(other));
    const busiest = next.sort(
      (a, b) => (worst(loads(numbers, b))?.busy ?? 0) - (worst(loads(numbers, a))?.busy ?? 0),
    )[0];
    if (busiest !== undefined) return busiest;
  }
  return null;
}

function downstream(job: Pick<JobView, 'operators' | 'edges'>, vertex: number): number[] {
  const vertexOf = (operator: number): number => job.operators[operator]?.vertex ?? -1;
  const leaving = job.edges.filter((edge: EdgeView) => vertexOf(edge.from) === vertex && vertexOf(edge.to) !== vertex);
  return [...new Set(leaving.map((edge) => vertexOf(edge.to)))];
}
