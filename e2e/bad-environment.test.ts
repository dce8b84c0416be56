/** What a machine does to a job: disks that are full, read-only or not there, clocks that jump, and two processes in one place. */

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { committedRows } from './recovery.ts';
import { MAIN, scratchFile, scratchPath, weir } from './weir.ts';

const RATE = 'devices=2000,rate=16k,speed=8,events=64k,splits=1,seed=11,disorder=uniform:2s,malformed=0.001,late=0.01';
const FLAGS = ['--watermark-emit', 'on-event', '--idle-timeout', 'off', '--window', '1s', '--parallelism', '1'];
const run = (output: string, ...flags: string[]): string[] => [
  ...['run', 'iot', '--simulate', RATE, ...FLAGS, '--output', output, ...flags],
];
const PATIENCE = { timeout: 60_000, interval: 5 };

let expected: Record<string, string[]>;
beforeAll(async () => {
  const output = scratchPath('undisturbed');
  expect((await weir(run(output))).code).toBe(0);
  expected = committedRows(output);
});

/** In front of a command: it may no more than any user, where the tests are run by root, who may write anywhere. Null: that cannot be had here. */
const AS_ANYBODY = ((): readonly string[] | null => {
  if (process.getuid?.() !== 0) return [];
  const command = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'];
  try {
    execFileSync(command[0] as string, [...command.slice(1), 'true'], { stdio: 'ignore' });
    return command;
  } catch {
    console.log('Root cannot give up its rights here: tests of missing permissions are skipped.');
    return null;
  }
})();

/** A run, and what it has said so far. */
class Running {
  said = '';
  readonly pid: number;
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[]) {
    const command = [...(AS_ANYBODY ?? []), process.execPath, MAIN, ...args];
    const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
    this.pid = child.pid as number;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
    this.ended = new Promise((resolve) => child.on('close', resolve));
  }

  says(words: string): Promise<void> {
    return expect.poll(() => this.said, PATIENCE).toContain(words);
  }
}

const completed = (checkpoints: string): string[] => {
  try {
    const names = readdirSync(join(checkpoints, 'iot')).filter((name) => name.startsWith('chk-'));
    return names.filter((name) => readdirSync(join(checkpoints, 'iot', name)).includes('_metadata'));
  } catch {
    return [];
  }
};

const mounts: string[] = [];
afterAll(() => {
  for (const path of mounts) execFileSync('umount', ['-l', path]);
});

/** Root of a machine that lets it may have a disk of its own; null: not here. */
function smallDisk(): string | null {
  const path = scratchPath('disk');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'ignore' });
    mounts.push(path);
    return path;
  } catch {
    console.log('Nothing can be mounted here: tests with a full and with a read-only disk are skipped.');
    return null;
  }
}

const disk = smallDisk();
const remount = (how: string): void => {
  execFileSync('mount', ['-o', `remount,${how}`, disk as string]);
};
/** Where checkpoints go, null: that cannot be had here; what makes it unfit, what is said of that, and what makes it fit again. */
const TROUBLES = [
  {
    title: 'full',
    where: disk,
    says: '(ENOSPC). The disk is full: free some space, or keep checkpoints in another directory.',
    begin: () => {
      try {
        writeFileSync(join(disk as string, 'filler'), new Uint8Array(8 << 20));
      } catch {
        // That is the point.
      }
    },
    end: () => rmSync(join(disk as string, 'filler')),
  },
  {
    title: 'read-only',
    where: disk,
    says: '(EROFS). The file system is read-only: mount it writable, or keep checkpoints in another directory.',
    begin: () => remount('ro'),
    end: () => remount('rw'),
  },
  {
    title: 'not to be written to',
    where: AS_ANYBODY === null ? null : scratchPath('taken'),
    says: '(EACCES). Permission is missing: give the user that runs Weir the right to read and write there.',
    begin: (checkpoints: string) => chmodSync(join(checkpoints, 'iot'), 0o555),
    end: (checkpoints: string) => chmodSync(join(checkpoints, 'iot'), 0o755),
  },
];

describe('a place of checkpoints that is suddenly', () => {
  for (const { title, where, says, begin, end } of TROUBLES) {
    it.skipIf(where === null)(
      `CS20 ${title} fails checkpoints, by what, where and what to do; the job goes on and loses nothing`,
      async () => {
        const [output, checkpoints] = [scratchPath('output'), join(where as string, 'goes-on')];
        const flags = ['--checkpoint-interval', '50ms', '--checkpoint-dir', checkpoints];
        const job = new Running(run(output, ...flags, '--tolerable-failed-checkpoints', '100000'));
        await expect.poll(() => completed(checkpoints).length, PATIENCE).toBeGreaterThan(0);
        begin(checkpoints);
        try {
          await job.says(says);
        } finally {
          end(checkpoints);
        }
        expect([await job.ended, job.said.includes('restarting')]).toEqual([0, false]);
        expect(committedRows(output)).toEqual(expected);
        rmSync(checkpoints, { recursive: true });
      },
    );

    it.skipIf(where === null)(
      `CK10 ${title} ends the job where nothing is tolerated; as it was before it goes on from its last good state`,
      async () => {
        const [output, checkpoints] = [scratchPath('output'), join(where as string, 'ends')];
        const flags = ['--checkpoint-interval', '50ms', '--checkpoint-dir', checkpoints];
        const job = new Running(run(output, ...flags, '--restart', 'none'));
        await expect.poll(() => completed(checkpoints).length, PATIENCE).toBeGreaterThan(0);
        begin(checkpoints);
        try {
          expect(await job.ended).toBe(1);
        } finally {
          end(checkpoints);
        }
        expect(job.said).toContain(says);
        expect(job.said).not.toMatch(/^\s+at /m);
        const again = await weir(run(output, ...flags, '--resume', 'latest'));
        expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('going on from checkpoint')]);
        expect(committedRows(output)).toEqual(expected);
        rmSync(checkpoints, { recursive: true });
      },
    );
  }
});

describe('from the beginning', () => {
  it.skipIf(disk === null)(
    'CS20 a read-only place of checkpoints is refused before anything runs, and so is one for results',
    async () => {
      remount('ro');
      try {
        const kept = await weir(
          run(scratchPath('output'), '--checkpoint-interval', '1s', '--checkpoint-dir', `${disk}/c`),
        );
        expect([kept.code, kept.stderr]).toEqual([
          1,
          expect.stringMatching(
            /^weir: Checkpoints of iot cannot be kept in \S+ \(EROFS\)\. The file system is read-only: .*\n$/,
          ),
        ]);
        const written = await weir(run(`${disk}/deep/output`));
        expect([written.code, written.stderr]).toEqual([
          2,
          expect.stringMatching(/^weir: \S+: cannot be used for output, EROFS: read-only file system, .*\n$/),
        ]);
      } finally {
        remount('rw');
      }
    },
  );

  it.skipIf(AS_ANYBODY === null)('CS20 so are places that this user may not write to', async () => {
    const taken = scratchPath('taken');
    mkdirSync(taken, { mode: 0o555 });
    const kept = new Running(
      run(scratchPath('output'), '--checkpoint-interval', '1s', '--checkpoint-dir', `${taken}/c`),
    );
    expect([await kept.ended, kept.said]).toEqual([
      1,
      expect.stringMatching(
        /^weir: Checkpoints of iot cannot be kept in \S+ \(EACCES\)\. Permission is missing: .*\n$/,
      ),
    ]);
    const written = new Running(run(`${taken}/output`));
    expect([await written.ended, written.said]).toEqual([
      2,
      expect.stringMatching(/^weir: \S+: cannot be used for output, EACCES: permission denied, .*\n$/),
    ]);
  });
});

it('CS20 a file where the directory of checkpoints should be is named in one line', async () => {
  const file = scratchFile('file', '');
  const { code, stderr } = await weir(
    run(scratchPath('output'), '--checkpoint-interval', '1s', '--checkpoint-dir', file),
  );
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^weir: .*file\/iot \(ENOTDIR\)\. A part of the path is a file, not a directory\.\n$/),
  ]);
});

it('CK2 a clock that jumps an hour ahead and back again, ten times a second, changes no row and stops nothing', async () => {
  const jumps = scratchFile(
    'jumps.cjs',
    `const now = Date.now;
    const hours = [0, 1, -1];
    Date.now = () => now() + hours[Math.floor(performance.now() / 100) % 3] * 3_600_000;`,
  );
  const output = scratchPath('output');
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--require ${jumps}`;
  try {
    const { code, stderr } = await weir(run(output, '--checkpoint-interval', '20ms'));
    expect([code, stderr.includes('weir:')]).toEqual([0, false]);
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
  expect(committedRows(output)).toEqual(expected);
  // Numbered from 1: the clock has held none of them up.
  const numbers = completed(join(output, 'checkpoints')).map((name) => Number(name.slice('chk-'.length)));
  expect(Math.max(...numbers)).toBeGreaterThan(3);
});

describe('a second process', () => {
  it('CS9 on the same checkpoints, and FS11 on the same results, is refused by the number of the first, which goes on undisturbed', async () => {
    const output = scratchPath('output');
    const checkpoints = scratchPath('checkpoints');
    const flags = ['--checkpoint-interval', '50ms', '--checkpoint-dir', checkpoints];
    const first = new Running(run(output, ...flags));
    await expect.poll(() => completed(checkpoints).length, PATIENCE).toBeGreaterThan(0);
    const sameCheckpoints = await weir(run(scratchPath('other'), ...flags));
    expect([sameCheckpoints.code, sameCheckpoints.stderr]).toEqual([
      1,
      `weir: ${checkpoints}/iot is used by process ${first.pid}. Stop it first, or give this job another directory for its checkpoints.\n`,
    ]);
    for (const flag of [[], ['--overwrite'], ['--resume', 'latest']]) {
      const elsewhere = ['--checkpoint-dir', scratchPath('elsewhere'), '--checkpoint-interval', '50ms'];
      const { code, stderr } = await weir(run(output, ...elsewhere, ...flag));
      expect([code, stderr]).toEqual([
        2,
        `weir: ${output}: results are written there by process ${first.pid}; stop it first, or choose another directory.\n`,
      ]);
    }
    expect(await first.ended).toBe(0);
    expect(first.said).not.toContain('weir:');
    expect(committedRows(output)).toEqual(expected);
    expect(readdirSync(output).sort()).toEqual(['errors', 'late', 'windows']);
  });

  it('FS11 of four that begin at once no two write to the same results', async () => {
    const output = scratchPath('output');
    const ends = await Promise.all([1, 2, 3, 4].map(() => weir(run(output))));
    // A slow start may find that the one before has ended, and its results: that is refused too.
    const refused =
      /^weir: \S+output(: results are written there by process \d+; stop| is used by process \d+\. Stop|: already holds results)/m;
    for (const { code, stderr } of ends) if (code !== 0) expect(stderr).toMatch(refused);
    const done = ends.filter(({ code }) => code === 0).length;
    // At worst all of them see another and refuse.
    expect(done).toBeLessThanOrEqual(1);
    expect(committedRows(output)).toEqual(done === 1 ? expected : { windows: [], errors: [], late: [] });
  });
});
