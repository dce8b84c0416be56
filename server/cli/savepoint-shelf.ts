/** The savepoints in a served job's directory, and what one may do with them while the server runs. */

import type { ServedSavepoints } from '#api/http/savepoints.ts';
import { messageOf, UsageError } from '#base/errors.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import type { CompletedCheckpoint } from '#runtime/checkpoint/checkpoint-metadata.ts';
import type { Disk } from '#runtime/checkpoint/disk.ts';
import { planRestore } from '#runtime/checkpoint/restore-plan.ts';
import { listSavepoints, openSavepoint } from '#runtime/checkpoint/savepoints.ts';
import type { JobMaster } from '#runtime/job/job-master.ts';
import type { JobSpec } from '#runtime/messages.ts';
import type { ResumeWish, SavepointDetails, SavepointRow, SavepointsView, SavepointTask } from '#shared/savepoints.ts';

export interface ShelfOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly temporary: boolean;
  readonly master: Pick<JobMaster, 'savepoint' | 'stopWithSavepoint' | 'disposeSavepoint'>;
  /** As it would begin. */
  readonly graph: JobGraph;
  /** Throws where what it was taken of cannot go on as the server's job. */
  readonly accept: (before: JobSpec) => void;
  /** The savepoint can be restored: the server is to begin anew from it. */
  readonly resume: (path: string, wish: ResumeWish) => void;
}

export class SavepointShelf implements ServedSavepoints {
  readonly #options: ShelfOptions;

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  async list(): Promise<SavepointsView> {
    const { disk, directory, temporary } = this.#options;
    const found = await listSavepoints(disk, directory);
    const savepoints = found
      .map(({ path, savepoint, problem }) => rowOf(path, savepoint, problem))
      .sort((a, b) => (b.takenAt ?? 0) - (a.takenAt ?? 0) || a.name.localeCompare(b.name));
    return { directory, temporary, savepoints };
  }

  async details(name: string): Promise<SavepointDetails> {
    const { disk, graph } = this.#options;
    const path = this.#pathOf(name);
    const savepoint = await openSavepoint(disk, path);
    const { fresh, dropped, obstacle } = this.#plan(savepoint);
    const tasks = savepoint.vertices.map((vertex): SavepointTask => {
      const now = graph.vertices.find(({ operators }) =>
        operators.some(({ id }) => vertex.operators.some((operator) => operator.id === id)),
      );
      const holds = (id: string, what: 'keyed' | 'stateful'): boolean =>
        vertex.subtasks.some((handle) => handle?.operators.some((entry) => entry.id === id && entry[what]) ?? false);
      return {
        name: vertex.name,
        parallelism: vertex.parallelism,
        parallelismNow: now?.parallelism ?? null,
        maxParallelism: vertex.maxParallelism,
        bytes: vertex.subtasks.reduce((sum, handle) => sum + (handle?.full ?? 0), 0),
        operators: vertex.operators.map(({ id, name: operator }) => ({
          id,
          name: operator,
          keyed: holds(id, 'keyed'),
          stateful: holds(id, 'stateful'),
        })),
      };
    });
    return { ...rowOf(path, savepoint, null), tasks, fresh, dropped, obstacle };
  }

  async take(kind: 'savepoint' | 'stop' | 'drain'): Promise<{ readonly path: string }> {
    const { master } = this.#options;
    const taken = kind === 'savepoint' ? master.savepoint() : master.stopWithSavepoint({ drain: kind === 'drain' });
    return { path: (await taken).path };
  }

  dispose(name: string): Promise<void> {
    return this.#options.master.disposeSavepoint(this.#pathOf(name));
  }

  async resume(name: string, wish: ResumeWish): Promise<void> {
    const path = this.#pathOf(name);
    const { dropped, obstacle } = this.#plan(await openSavepoint(this.#options.disk, path));
    if (obstacle !== null) throw new UsageError(obstacle);
    if (dropped.length > 0 && !wish.allowNonRestoredState)
      throw new UsageError(
        `${name} has state of ${dropped.join(', ')}, which the job does not have any more: allow state that is not restored to leave it behind.`,
      );
    this.#options.resume(path, wish);
  }

  #plan(savepoint: CompletedCheckpoint): Pick<SavepointDetails, 'fresh' | 'dropped' | 'obstacle'> {
    const { graph, accept } = this.#options;
    try {
      accept(savepoint.job);
      const { fresh, dropped } = planRestore(graph, savepoint, { allowNonRestoredState: true });
      return { fresh, dropped, obstacle: null };
    } catch (error) {
      return { fresh: [], dropped: [], obstacle: messageOf(error) };
    }
  }

  #pathOf(name: string): string {
    if (!/^savepoint-[\w%-]+$/.test(name))
      throw new UsageError(`"${name.slice(0, 80)}" is not the name of a savepoint.`);
    return `${this.#options.directory}/${name}`;
  }
}

function rowOf(path: string, savepoint: CompletedCheckpoint | null, problem: string | null): SavepointRow {
  return {
    name: path.slice(path.lastIndexOf('/') + 1),
    path,
    problem,
    job: savepoint?.job.name ?? null,
    kind: savepoint?.kind ?? null,
    id: savepoint?.id ?? null,
    takenAt: savepoint?.triggeredAt ?? null,
    bytes: savepoint?.full ?? null,
    parallelism: savepoint === null ? null : Math.max(...savepoint.vertices.map(({ parallelism }) => parallelism)),
  };
}
