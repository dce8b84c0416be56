/**
 *   npm run simulate -- --seed 4711             one run, told as it goes
 *   npm run simulate -- --seeds 1..2000         many, one line in the end; `--seeds 2000` is the same
 *   npm run simulate -- --seeds 2000 --workers 2    in so many threads; default 1
 *
 * A seed that fails is told at once. Exit code 1 where rows were lost or doubled, the job got stuck, or a reader saw what it should not.
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { messageOf, UsageError } from '#base/errors.ts';
import { failed, simulate, type Verdict } from './simulation.ts';

const FORMS =
  'Use --seed N, or --seeds FROM..TO or --seeds COUNT; --workers N runs them in so many threads, --verbose tells every run.';

/** Seeds are handed out one by one: `next` is the one that nobody has begun. */
interface Share {
  readonly next: BigInt64Array;
  readonly to: number;
  readonly verbose: boolean;
}

function seedsOf(seed: string | undefined, seeds: string | undefined): readonly [from: number, to: number] {
  const text = seed ?? seeds ?? '';
  const [, first, last] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (
    (seed === undefined) === (seeds === undefined) ||
    first === undefined ||
    (seed !== undefined && last !== undefined)
  )
    throw new UsageError(FORMS);
  if (seed !== undefined) return [Number(first), Number(first)];
  return last === undefined ? [1, Number(first)] : [Number(first), Number(last)];
}

function readArguments() {
  try {
    const options = {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      workers: { type: 'string' },
      verbose: { type: 'boolean' },
    } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    throw new UsageError(`${messageOf(error)}. ${FORMS}`);
  }
}

async function run({ next, to, verbose }: Share, tell: (verdict: Verdict) => void): Promise<void> {
  const say = verbose ? (line: string) => console.log(line) : () => {};
  for (;;) {
    const seed = Number(Atomics.add(next, 0, 1n));
    if (seed > to) return;
    tell(await simulate(seed, { say }));
  }
}

function inThread(share: Share, tell: (verdict: Verdict) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: share });
    worker.on('message', tell);
    worker.on('error', reject);
    worker.on('exit', () => resolve());
  });
}

async function main(): Promise<void> {
  const values = readArguments();
  const [from, to] = seedsOf(values.seed, values.seeds);
  const workers = Number(values.workers ?? 1);
  if (!Number.isInteger(workers) || workers < 1) throw new UsageError(FORMS);
  const share: Share = {
    next: new BigInt64Array(new SharedArrayBuffer(8)),
    to,
    verbose: values.verbose === true || values.seed !== undefined,
  };
  share.next[0] = BigInt(from);
  const counts = new Map<string, number>();
  const bad: number[] = [];
  const tell = (verdict: Verdict): void => {
    const { seed, outcome, ms, steps, checkpoints, restarts, text } = verdict;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    if (failed(verdict)) bad.push(seed);
    if (!failed(verdict) && values.seed === undefined) return;
    console.log(
      `seed ${seed}: ${outcome} after ${ms} ms, ${steps} steps, ${checkpoints} checkpoints, ${restarts} restarts. ${text}`,
    );
    if (values.seed === undefined) console.log(`  replay it: npm run simulate -- --seed ${seed}`);
  };
  if (workers === 1) await run(share, tell);
  else await Promise.all(Array.from({ length: workers }, () => inThread(share, tell)));
  const told = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
  const failures = bad.length > 0 ? `; failed: ${bad.sort((a, b) => a - b).join(', ')}` : '';
  console.log(`${to - from + 1} seeds from ${from}: ${told}${failures}`);
  process.exitCode = bad.length > 0 ? 1 : 0;
}

if (isMainThread) {
  main().catch((error: unknown) => {
    console.error(error instanceof UsageError ? error.message : error);
    process.exitCode = 2;
  });
} else {
  void run(workerData as Share, (verdict) => parentPort?.postMessage(verdict));
}
