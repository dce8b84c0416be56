import type { EdgeView, JobView } from '#shared/live.ts';

/** Geometry of the job graph in pixels. Tasks stand in layers from left to right, the operators chained in a task likewise inside it. */

/** Such that the main job is seen whole on a screen of 1280 pixels: beside the rail and in the panel's frame it has 1038. */
export const NODE = { width: 168, height: 102, gapX: 24, gapY: 18 } as const;
export const TASK = { padding: 12, head: 66, gapX: 46, gapY: 28 } as const;

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface EdgeShape {
  /** Index into `JobView.edges`: nothing else tells the two edges of a self-join apart. */
  id: number;
  edge: EdgeView;
  /** SVG path data. */
  path: string;
  /** Middle of the label. */
  labelX: number;
  labelY: number;
}

export interface GraphLayout {
  width: number;
  height: number;
  /** Index = index of `JobView.vertices`. */
  tasks: Box[];
  /** Index = index of `JobView.operators`. */
  operators: Box[];
  edges: EdgeShape[];
}

type Graph = Pick<JobView, 'vertices' | 'operators' | 'edges'>;
interface Link {
  from: number;
  to: number;
}

export function layoutGraph(graph: Graph): GraphLayout {
  const inner = graph.vertices.map((_, vertex) => placeChain(graph, vertex));
  const vertexOf = (operator: number): number => graph.operators[operator]?.vertex ?? -1;
  const between = graph.edges
    .map((edge) => ({ from: vertexOf(edge.from), to: vertexOf(edge.to) }))
    .filter((link) => link.from !== link.to);
  const layer = longestPaths(graph.vertices.length, between);

  const tasks: Box[] = graph.vertices.map(() => ({ x: 0, y: 0, width: 0, height: 0 }));
  const layers = groupBy(layer);
  let x = 0;
  for (const members of layers) {
    sortByNeighbours(members, between, tasks);
    let y = 0;
    let widest = 0;
    for (const vertex of members) {
      const size = inner[vertex]?.size ?? { width: 0, height: 0 };
      tasks[vertex] = { x, y, ...size };
      y += size.height + TASK.gapY;
      widest = Math.max(widest, size.width);
    }
    x += widest + TASK.gapX;
  }

  const operators = graph.operators.map((operator, index): Box => {
    const task = tasks[operator.vertex];
    const cell = inner[operator.vertex]?.cells.get(index);
    if (!task || !cell) return { x: 0, y: 0, width: NODE.width, height: NODE.height };
    return {
      x: task.x + TASK.padding + cell.column * (NODE.width + NODE.gapX),
      y: task.y + TASK.head + cell.row * (NODE.height + NODE.gapY),
      width: NODE.width,
      height: NODE.height,
    };
  });
  const right = Math.max(0, ...tasks.map((task) => task.x + task.width));
  const bottom = Math.max(0, ...tasks.map((task) => task.y + task.height));
  return { width: right, height: bottom, tasks, operators, edges: drawEdges(graph.edges, operators) };
}

interface Chain {
  cells: Map<number, { column: number; row: number }>;
  size: { width: number; height: number };
}

/** Operators of one task on a grid: the column is the distance from the head, a branch takes the next free row. */
function placeChain(graph: Graph, vertex: number): Chain {
  const members = graph.operators.flatMap((operator, index) => (operator.vertex === vertex ? [index] : []));
  const place = new Map(members.map((index, i) => [index, i]));
  const links: Link[] = [];
  // Main outputs first, so that they keep the row of their operator and side outputs branch off below.
  const ordered = [...graph.edges].sort((a, b) => Number(a.sideOutput !== null) - Number(b.sideOutput !== null));
  for (const edge of ordered) {
    const from = place.get(edge.from);
    const to = place.get(edge.to);
    if (from !== undefined && to !== undefined) links.push({ from, to });
  }
  const columns = longestPaths(members.length, links);
  const cells = new Map<number, { column: number; row: number }>();
  const nextRow: number[] = [];
  const byColumn = [...members.keys()].sort(
    (a, b) => (columns[a] ?? 0) - (columns[b] ?? 0) || firstLink(links, a) - firstLink(links, b),
  );
  for (const i of byColumn) {
    const column = columns[i] ?? 0;
    const parent = links.find((link) => link.to === i)?.from;
    const parentRow = parent === undefined ? 0 : (cells.get(members[parent] ?? -1)?.row ?? 0);
    const row = Math.max(parentRow, nextRow[column] ?? 0);
    nextRow[column] = row + 1;
    cells.set(members[i] ?? -1, { column, row });
  }
  const widest = Math.max(1, ...columns.map((column) => column + 1));
  const highest = Math.max(1, ...nextRow.filter((row) => row !== undefined));
  return {
    cells,
    size: {
      width: 2 * TASK.padding + widest * NODE.width + (widest - 1) * NODE.gapX,
      height: TASK.head + highest * NODE.height + (highest - 1) * NODE.gapY + TASK.padding,
    },
  };
}

function firstLink(links: readonly Link[], to: number): number {
  return links.findIndex((link) => link.to === to);
}

/** Longest distance of each node from a node without inputs. A cycle cannot be in a job; if one is sent, it ends the search. */
function longestPaths(count: number, links: readonly Link[]): number[] {
  const depth = new Array<number>(count).fill(0);
  for (let round = 0; round < count; round++) {
    let moved = false;
    for (const { from, to } of links) {
      const wanted = (depth[from] ?? 0) + 1;
      if (wanted > (depth[to] ?? 0) && wanted < count) {
        depth[to] = wanted;
        moved = true;
      }
    }
    if (!moved) break;
  }
  return depth;
}

function groupBy(layer: readonly number[]): number[][] {
  const groups: number[][] = [];
  for (const [index, value] of layer.entries()) {
    groups[value] ??= [];
    groups[value].push(index);
  }
  return groups.filter((group) => group !== undefined);
}

/** Mean height of what a task reads from: neighbours that are already placed pull it beside them, and edges cross less. */
function sortByNeighbours(members: number[], links: readonly Link[], tasks: readonly Box[]): void {
  const pull = (vertex: number): number => {
    const inputs = links.filter((link) => link.to === vertex).map((link) => tasks[link.from]?.y ?? 0);
    return inputs.length === 0 ? 0 : inputs.reduce((sum, y) => sum + y, 0) / inputs.length;
  };
  members.sort((a, b) => pull(a) - pull(b) || a - b);
}

function drawEdges(edges: readonly EdgeView[], operators: readonly Box[]): EdgeShape[] {
  const shapes: EdgeShape[] = [];
  for (const [id, edge] of edges.entries()) {
    const from = operators[edge.from];
    const to = operators[edge.to];
    if (!from || !to) continue;
    const before = shapes.filter((shape) => shape.edge.from === edge.from && shape.edge.to === edge.to).length;
    shapes.push({ id, edge, ...route(from, to, before * BESIDE) });
  }
  return shapes;
}

const CORNER = 10;
/** Between two edges that join the same operators. */
const BESIDE = 24;

/** `lower`: px beside the first of several. Straight on the same height; from the bottom and around a corner to something lower; else a curve. */
function route(from: Box, to: Box, lower: number): Pick<EdgeShape, 'path' | 'labelX' | 'labelY'> {
  const startX = from.x + from.width;
  const startY = from.y + from.height / 2 + lower;
  const endX = to.x;
  const endY = to.y + to.height / 2 + lower;
  if (Math.abs(startY - endY) < 1) {
    return { path: `M${startX} ${startY}H${endX}`, labelX: (startX + endX) / 2, labelY: startY };
  }
  if (to.y >= from.y + from.height) {
    const x = from.x + from.width / 2 - lower;
    const path = `M${x} ${from.y + from.height}V${endY - CORNER}Q${x} ${endY} ${x + CORNER} ${endY}H${endX}`;
    return { path, labelX: (x + CORNER + endX) / 2, labelY: endY };
  }
  const middle = (startX + endX) / 2;
  const path = `M${startX} ${startY}C${middle} ${startY} ${middle} ${endY} ${endX} ${endY}`;
  return { path, labelX: middle, labelY: (startY + endY) / 2 };
}
