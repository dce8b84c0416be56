/** The whole machine under faults that seeds decide about (`server/testing/simulation`): the built program, in a thread for each core. */

import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAIN } from './weir.ts';

/** Among them are those that ever failed: 9, 13, 46, 47, 78, 100, 328, 689, 1254, 1429, 1782. */
const SEEDS = '1..2000';
/** Those beyond. */
const KEPT: readonly number[] = [2641, 7116, 9667, 13657, 14991, 17744, 18608, 18928, 19857, 21171, 39642];

/** What the program says of these seeds; what fails is named, with the command that replays it. */
async function simulate(seeds: string): Promise<string> {
  const args = [join(dirname(MAIN), 'simulate.js'), '--seeds', seeds, '--workers', `${availableParallelism()}`];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}

const alone = (seed: number): string => `${seed}..${seed}`;
const RUN = [SEEDS, ...KEPT.map(alone)];
const ALL_RIGHT = /^\d+ seeds from \d+: \d+ equal(, \d+ reported)?\n$/;

describe('the simulation', () => {
  it.each(RUN)(
    'SM3 nothing is lost, nothing doubled, and every job ends: seeds %s',
    { timeout: 900_000 },
    async (seeds) => expect(await simulate(seeds)).toMatch(ALL_RIGHT),
  );
});
