/**
 * Where the rows of a job are, checkpoint by checkpoint: how many the source has given by its own count, how many every operator has taken in
 * and put out, each row once, however often it was read again.
 *
 *   cells (all attempts, rows read again included) ── at the barrier of c ──> acknowledged ──┐
 *   cells when the attempt began ────────────────────────────────────────────────────────────┼──> count(c) = count(r) + cells(c) - cells(begin)
 *   counts of the checkpoint r it went on from ──────────────────────────────────────────────┘
 *
 * At a barrier nothing is under way, so what an operator has put out its consumers have taken in, and the first operator has put out what the
 * source says it gave. Rows that are missing were lost, rows too many came twice. (With at-least-once they may.) Counts are kept beside the
 * state they speak of: they show what recovery did to the stream, not what an operator makes of its rows.
 */

import type { JobEdge, JobGraph, JobVertex } from '#engine/graph/job-graph.ts';
import { OperatorCell, operatorCells } from '#engine/metrics/cells.ts';
import { nameOf, type SubtaskId, subtasksOf } from '../task/channels.ts';
import type { SubtaskRows } from '../task/subtask-rows.ts';

/** Counts at one point of the stream, of all subtasks together. */
export interface Accounts {
  readonly checkpoint: number;
  /** By operator id. */
  readonly operators: ReadonlyMap<string, { readonly in: number; readonly out: number }>;
  /** By source operator, then split; what its own count says. */
  readonly given: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** What a process hands to the next one, which runs the job from there. Plain data. */
export interface AccountsHandover {
  readonly checkpoint: number;
  readonly operators: readonly (readonly [id: string, counts: { readonly in: number; readonly out: number }])[];
  readonly given: readonly (readonly [source: string, splits: readonly (readonly [split: string, rows: number])[]])[];
}

export interface Balance {
  /** By the sources' own count; null: one of them does not count. */
  readonly given: number | null;
  readonly lost: number;
  readonly doubled: number;
}

/** Checkpoints that may still be gone back to are fewer. */
const KEPT = 100;

interface Taken {
  readonly id: SubtaskId;
  readonly rows: SubtaskRows;
  readonly unaligned: boolean;
}

interface Mark {
  /** By subtask. */
  readonly cells: Map<string, Pick<SubtaskRows, 'in' | 'out'>>;
  readonly given: Accounts['given'];
}

type Counts = Map<string, { in: number; out: number }>;

export class RowAccounts {
  #graph!: JobGraph;
  #cells: readonly (readonly Float64Array[])[] = [];
  /** Cells when the attempt began, and the counts of what it went on from. */
  #began: Counts = new Map();
  #base: Accounts | null = null;
  readonly #taking = new Map<number, Taken[]>();
  /** Where each subtask may have to go back to alone: its cells, and what its source had given, by checkpoint; null: the beginning. */
  readonly #marks = new Map<number | null, Mark>();
  readonly #known = new Map<number, Accounts>();
  /** What sources had given before this process knew of them, by operator; it went on from a checkpoint of another. */
  readonly #unseen = new Map<string, number>();
  #foreign = false;
  #replayed = 0;
  #latest: Accounts | null = null;

  /** An attempt begins; all tasks of the one before are closed. `checkpoint`: what it goes on from; null: the beginning. */
  begin(graph: JobGraph, cells: readonly (readonly Float64Array[])[], checkpoint: number | null): void {
    const before = this.#cells.length > 0;
    const base = checkpoint === null ? null : (this.#known.get(checkpoint) ?? null);
    if (before) {
      // What sources had given beyond what they go on from.
      for (const id of sourcesOf(this.#graph)) {
        this.#replayed += this.#given(cells, graph, id) - (base?.operators.get(id)?.out ?? 0);
      }
    }
    this.#foreign = checkpoint !== null && base === null;
    if (this.#foreign) this.#unseen.clear();
    this.#graph = graph;
    this.#cells = cells;
    this.#began = countsOf(graph, cells);
    this.#base = base;
    this.#taking.clear();
    this.#marks.clear();
    const now = new Map(subtasksOf(graph).map((id) => [nameOf(id), this.#cellsOf(id)]));
    this.#marks.set(checkpoint, { cells: now, given: base?.given ?? new Map() });
  }

  /** These subtasks go back to the last completed checkpoint, or to what the attempt began from, while the others go on; their tasks are closed. */
  restarted(subtasks: readonly SubtaskId[], checkpoint: number | null): void {
    const mark = this.#marks.get(checkpoint);
    if (mark === undefined) throw new Error(`Nothing is known of checkpoint ${checkpoint}.`);
    for (const id of subtasks) {
      const { operators } = this.#graph.vertices[id.vertex] as JobVertex;
      const [before, now] = [mark.cells.get(nameOf(id)), this.#cellsOf(id)];
      for (const [o, operator] of operators.entries()) {
        const [taken, put] = [beyond(now.in, before?.in, o), beyond(now.out, before?.out, o)];
        add(this.#began, operator.id, taken, put);
        if (operator.source !== null) this.#replayed += put;
      }
      mark.cells.set(nameOf(id), now);
    }
    // What a reader had read to the end, the next one knows nothing of.
    this.#base = { checkpoint: checkpoint ?? 0, operators: this.#base?.operators ?? new Map(), given: mark.given };
  }

  /** Of an unaligned checkpoint rows in flight have been sent and have not arrived: it is no point at which accounts balance. */
  acknowledged(checkpoint: number, id: SubtaskId, rows: SubtaskRows, unaligned = false): void {
    const taking = this.#taking.get(checkpoint) ?? [];
    taking.push({ id, rows, unaligned });
    this.#taking.set(checkpoint, taking);
  }

  /** It will never be complete. */
  failed(checkpoint: number): void {
    this.#taking.delete(checkpoint);
  }

  completed(checkpoint: number): void {
    const taken = this.#taking.get(checkpoint);
    this.#taking.delete(checkpoint);
    const subtasks = this.#graph.vertices.reduce((sum, { parallelism }) => sum + parallelism, 0);
    if (taken === undefined || taken.length < subtasks) return;
    const given = new Map([...(this.#base?.given ?? [])].map(([id, splits]) => [id, new Map(splits)]));
    this.#marks.set(checkpoint, { cells: new Map(taken.map(({ id, rows }) => [nameOf(id), rows])), given });
    dropOldest(this.#marks);
    const operators: Counts = new Map();
    for (const { id, rows } of taken) {
      const vertex = this.#graph.vertices[id.vertex] as JobVertex;
      for (const [o, operator] of vertex.operators.entries())
        add(operators, operator.id, rows.in[o] as number, rows.out[o] as number);
      if (rows.given === null) continue;
      const source = (vertex.operators[0] as JobVertex['operators'][number]).id;
      const splits = given.get(source) ?? new Map<string, number>();
      for (const [split, count] of rows.given) splits.set(split, count);
      given.set(source, splits);
    }
    if (taken.some(({ unaligned }) => unaligned)) return;
    for (const [id, counts] of operators) {
      const began = this.#began.get(id);
      const base = this.#base?.operators.get(id);
      counts.in += (base?.in ?? 0) - (began?.in ?? 0);
      counts.out += (base?.out ?? 0) - (began?.out ?? 0);
    }
    const accounts: Accounts = { checkpoint, operators, given };
    if (this.#foreign) this.#calibrate(accounts);
    this.#known.set(checkpoint, accounts);
    this.#latest = accounts;
    dropOldest(this.#known);
  }

  /** Of the last checkpoint that is complete. */
  get latest(): Accounts | null {
    return this.#latest;
  }

  /** Rows that sources have given more than once in this process, each time counted. */
  get replayed(): number {
    return this.#replayed;
  }

  /** Rows that sources have given beyond the last checkpoint that is complete: what will be given again if the job fails now. */
  get ahead(): number {
    if (this.#cells.length === 0) return 0;
    return sourcesOf(this.#graph)
      .map((id) => this.#given(this.#cells, this.#graph, id) - (this.#latest?.operators.get(id)?.out ?? 0))
      .reduce((sum, rows) => sum + rows, 0);
  }

  /** Of the last checkpoint that is complete; null: there is none. */
  get handover(): AccountsHandover | null {
    if (this.#latest === null) return null;
    const { checkpoint, operators, given } = this.#latest;
    return { checkpoint, operators: [...operators], given: [...given].map(([id, splits]) => [id, [...splits]]) };
  }

  /** Before the first attempt: counting goes on from there, if that checkpoint is what the job goes on from. */
  takeOver({ checkpoint, operators, given }: AccountsHandover): void {
    this.#known.set(checkpoint, {
      checkpoint,
      operators: new Map(operators),
      given: new Map(given.map(([id, splits]) => [id, new Map(splits)])),
    });
  }

  balance(accounts: Accounts): Balance {
    let lost = 0;
    let doubled = 0;
    const compare = (sent: number, arrived: number): void => {
      lost += Math.max(0, sent - arrived);
      doubled += Math.max(0, arrived - sent);
    };
    let total: number | null = 0;
    for (const source of sourcesOf(this.#graph)) {
      const splits = accounts.given.get(source);
      if (splits === undefined) {
        total = null;
        continue;
      }
      const given = [...splits.values()].reduce((sum, rows) => sum + rows, 0);
      if (total !== null) total += given;
      compare(given - (this.#unseen.get(source) ?? 0), accounts.operators.get(source)?.out ?? 0);
    }
    for (const { operator, consumers } of links(this.#graph)) {
      const arrived = consumers.reduce((sum, id) => sum + (accounts.operators.get(id)?.in ?? 0), 0);
      compare(accounts.operators.get(operator)?.out ?? 0, arrived);
    }
    return { given: total, lost, doubled };
  }

  #cellsOf({ vertex, index }: SubtaskId): Pick<SubtaskRows, 'in' | 'out'> {
    const task = this.#cells[vertex]?.[index] as Float64Array;
    const counts = (this.#graph.vertices[vertex] as JobVertex).operators.map((_, o) => operatorCells(task, o));
    return {
      in: counts.map((of) => of[OperatorCell.RECORDS_IN] as number),
      out: counts.map((of) => of[OperatorCell.RECORDS_OUT] as number),
    };
  }

  /** Rows an operator has put out, each once. */
  #given(cells: readonly (readonly Float64Array[])[], graph: JobGraph, id: string): number {
    const since = (countsOf(graph, cells).get(id)?.out ?? 0) - (this.#began.get(id)?.out ?? 0);
    return (this.#base?.operators.get(id)?.out ?? 0) + since;
  }

  /** What was given before is known only from what is given now. */
  #calibrate({ given, operators }: Accounts): void {
    for (const [source, splits] of given) {
      if (this.#unseen.has(source)) continue;
      const all = [...splits.values()].reduce((sum, rows) => sum + rows, 0);
      this.#unseen.set(source, all - (operators.get(source)?.out ?? 0));
    }
  }
}

function dropOldest(byCheckpoint: Map<number | null, unknown>): void {
  for (const oldest of byCheckpoint.keys()) {
    if (byCheckpoint.size <= KEPT) break;
    byCheckpoint.delete(oldest);
  }
}

function beyond(now: readonly number[], before: readonly number[] | undefined, operator: number): number {
  return (now[operator] as number) - (before?.[operator] ?? 0);
}

function sourcesOf(graph: JobGraph): string[] {
  return graph.vertices.flatMap((v) => v.operators.filter((o) => o.source !== null).map((o) => o.id));
}

function add(counts: Counts, id: string, taken: number, put: number): void {
  const count = counts.get(id) ?? { in: 0, out: 0 };
  count.in += taken;
  count.out += put;
  counts.set(id, count);
}

function countsOf(graph: JobGraph, cells: readonly (readonly Float64Array[])[]): Counts {
  const counts: Counts = new Map();
  for (const [v, { operators }] of graph.vertices.entries()) {
    for (const [o, { id }] of operators.entries()) {
      for (const task of cells[v] ?? []) {
        const of = operatorCells(task, o);
        add(counts, id, of[OperatorCell.RECORDS_IN] as number, of[OperatorCell.RECORDS_OUT] as number);
      }
    }
  }
  return counts;
}

/**
 * Operators of which every output is read, each with one reader of every output: together these take in what it puts out. Broadcast rows are
 * taken in by all, and no part of it.
 */
function links(graph: JobGraph): { readonly operator: string; readonly consumers: readonly string[] }[] {
  return graph.vertices.flatMap((vertex) =>
    vertex.operators.flatMap((operator, o) => {
      const readers = new Map<string | null, string>();
      for (const link of vertex.links)
        if (link.from === o) readers.set(link.tag, (vertex.operators[link.to] as JobVertex['operators'][number]).id);
      const edges = vertex.outputs.map((e) => graph.edges[e] as JobEdge).filter((edge) => edge.fromOperator === o);
      if (edges.some(({ partitioner }) => partitioner.kind === 'broadcast')) return [];
      // A head with several inputs takes in more than these rows.
      for (const { tag, to } of edges) {
        const consumer = graph.vertices[to] as JobVertex;
        if (consumer.inputs.length === 1)
          readers.set(tag, (consumer.operators[0] as JobVertex['operators'][number]).id);
      }
      const tags = [null, ...operator.sideOutputs.keys()];
      if (operator.kind === 'sink' || !tags.every((tag) => readers.has(tag))) return [];
      return [{ operator: operator.id, consumers: tags.map((tag) => readers.get(tag) as string) }];
    }),
  );
}
