/**
 *   npm run simulate -- --seed 4711             one run, told as it goes
 *   npm run simulate -- --seeds 1..2000         many, one line in the end
 *   npm run simulate -- --seeds 2000            the same
 *
 * Exit code 1 where rows were lost or doubled, the job got stuck, or a reader saw what it should not.
 */

import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '#base/errors.ts';
import { failed, simulate } from './simulation.ts';

const FORMS = 'Use --seed N, or --seeds FROM..TO or --seeds COUNT; --verbose tells every run.';

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
    const options = { seed: { type: 'string' }, seeds: { type: 'string' }, verbose: { type: 'boolean' } } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    throw new UsageError(`${messageOf(error)}. ${FORMS}`);
  }
}

async function main(): Promise<void> {
  const values = readArguments();
  const [from, to] = seedsOf(values.seed, values.seeds);
  const say = values.verbose || values.seed !== undefined ? (line: string) => console.log(line) : () => {};
  const counts = new Map<string, number>();
  const bad: number[] = [];
  for (let seed = from; seed <= to; seed++) {
    const verdict = await simulate(seed, { say });
    counts.set(verdict.outcome, (counts.get(verdict.outcome) ?? 0) + 1);
    if (failed(verdict)) bad.push(seed);
    if (failed(verdict) || from === to)
      console.log(
        `seed ${seed}: ${verdict.outcome} after ${verdict.ms} ms, ${verdict.steps} steps, ${verdict.checkpoints} checkpoints, ${verdict.restarts} restarts. ${verdict.text}`,
      );
  }
  const told = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
  console.log(`${to - from + 1} seeds from ${from}: ${told}${bad.length > 0 ? `; failed: ${bad.join(', ')}` : ''}`);
  process.exitCode = bad.length > 0 ? 1 : 0;
}

main().catch((error: unknown) => {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = 2;
});
