/** Threads for jobs that only a test has: those of the product know its jobs alone. */

import { rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';
import { systemClock } from '#base/clock.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { checkpointSettings } from '#runtime/checkpoint/checkpoint-settings.ts';
import { NodeDisk } from '#runtime/checkpoint/node-disk.ts';
import type { Resume } from '#runtime/job/job-checkpoints.ts';
import { JobMaster } from '#runtime/job/job-master.ts';
import { parseRestart } from '#runtime/job/restart-settings.ts';
import type { TaskManagers } from '#runtime/job/task-managers.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/**
 * Entry of threads that run the job which `build`, exported by the module beside this one, makes from the parameters of its spec. To be called
 * while a test file is read: it is bundled before the file's tests, and removed behind them.
 */
export function ownThreads(module: `./${string}.ts`, builder: string): URL {
  // Below the checkout, so that packages are found.
  const entry = fileURLToPath(new URL(`../dist/${builder}-${process.pid}.mjs`, import.meta.url));
  beforeAll(() =>
    build({
      stdin: {
        contents: `import { ${builder} } from '${module}'; import { runOwnJob } from './own-worker.ts'; await runOwnJob(${builder});`,
        resolveDir: HERE,
        loader: 'ts',
      },
      outfile: entry,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
    }),
  );
  afterAll(() => rmSync(entry, { force: true }));
  return pathToFileURL(entry);
}

export interface TestJob {
  readonly spec: { readonly name: string; readonly params: unknown };
  readonly graph: JobGraph;
  readonly taskManagers: TaskManagers;
  /** Directory of its checkpoints. */
  readonly checkpoints: string;
  readonly settings: Parameters<typeof checkpointSettings>[0];
  /** Default: from the beginning. */
  readonly resume?: Resume;
  /** As `--restart` takes it. */
  readonly restart: string;
}

/** A job in the threads of this process, under the hands of a test, which starts it, and closes the task managers. */
export function testJob({ spec, graph, taskManagers, checkpoints, settings, resume, restart }: TestJob): JobMaster {
  return new JobMaster({
    spec,
    graph,
    taskManagers,
    clock: systemClock,
    checkpoints: {
      settings: checkpointSettings(settings),
      directory: checkpoints,
      disk: new NodeDisk(),
      resume: resume ?? { from: 'beginning' },
    },
    restart: parseRestart(restart),
  });
}
