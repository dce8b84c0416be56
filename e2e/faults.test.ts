/** Every fault in a real server with real threads: what it does to the job, and that its verdict says what the server's log says. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { FaultSpec, FaultsView, FaultVerdict } from '#shared/faults.ts';
import { type Serving, serve } from './browser/serving.ts';
import { parseCsv } from './csv.ts';
import { scratchPath } from './weir.ts';

const FLAGS = [
  '--window',
  '1s',
  '--out-of-orderness',
  '500ms',
  '--parallelism',
  '2',
  '--task-managers',
  '2',
  '--checkpoint-interval',
  '200ms',
  '--heartbeat-timeout',
  '500ms',
  '--restart',
  'fixed-delay,attempts=1000,delay=10ms',
  '--verbose',
];
const ENDLESS = ['--simulate', 'devices=10,rate=1000,seed=1'];

type Wish = Partial<FaultSpec> & Pick<FaultSpec, 'kind'>;

const running: Serving[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((serving) => serving.stop('SIGKILL')));
});

async function started(flags: readonly string[]) {
  const serving = await serve(flags);
  running.push(serving);
  const ask = async (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${serving.url}api/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  const view = async (): Promise<FaultsView> => (await (await ask('GET', 'faults')).json()) as FaultsView;
  /** Begins once the job runs and has a checkpoint to go back to. */
  const begin = async (wish: Wish): Promise<number> => {
    const jobs = (await (await fetch(`${serving.url}v1/jobs`)).json()) as { jobs: { id: string }[] };
    await expect
      .poll(
        async () => {
          const answer = await fetch(`${serving.url}v1/jobs/${jobs.jobs[0]?.id}/checkpoints`);
          return ((await answer.json()) as { counts?: { completed: number } }).counts?.completed ?? 0;
        },
        { timeout: 30_000 },
      )
      .toBeGreaterThan(0);
    const answer = await ask('POST', 'faults', wish);
    const said = (await answer.json()) as { id: number; error?: string };
    expect(said.error).toBeUndefined();
    return said.id;
  };
  const verdict = async (id: number): Promise<FaultVerdict> => {
    const found = async () => (await view()).verdicts.find(({ fault }) => fault.id === id) ?? null;
    await expect.poll(found, { timeout: 45_000, interval: 50 }).not.toBeNull();
    return (await found()) as FaultVerdict;
  };
  return { serving, ask, view, begin, verdict, strike: async (wish: Wish) => verdict(await begin(wish)) };
}

describe('faults', () => {
  it('that break something are seen, recovered from, and lose and double nothing', async () => {
    const { strike, serving } = await started([...ENDLESS, ...FLAGS]);
    const struck: FaultVerdict[] = [];
    for (const wish of [
      { kind: 'kill-task-manager', target: '2' },
      { kind: 'kill-all-task-managers' },
      { kind: 'hang-task-manager', target: '1', durationMs: 60_000 },
      { kind: 'throwing-operator', target: 'windows', strength: 2, durationMs: 60_000 },
      { kind: 'failing-sink', target: 'results-live', durationMs: 60_000 },
      { kind: 'fail-checkpoints', strength: 2, durationMs: 60_000 },
      { kind: 'corrupt-checkpoints', durationMs: 60_000 },
      { kind: 'disk-full', durationMs: 700 },
    ] satisfies Wish[]) {
      const verdict = await strike(wish);
      struck.push(verdict);
      expect(verdict, verdict.text).toMatchObject({ outcome: 'recovered', lost: 0, doubled: 0 });
      expect(verdict.detectedAfterMs ?? -1).toBeGreaterThanOrEqual(0);
      expect(verdict.recoveredAfterMs ?? -1).toBeGreaterThanOrEqual(verdict.detectedAfterMs ?? 0);
      expect(verdict.replayed).toBeGreaterThan(0);
      expect(verdict.emitted).toBeGreaterThan(0);
      expect(verdict.restoredFrom).toBeGreaterThan(0);
    }
    const [kill, , hang, throws, sink, fails, corrupt, full] = struck;
    expect(kill?.sign).toBe('Task manager 2 is lost: it was killed by fault #1.');
    expect(hang?.sign).toBe('Task manager 1 is lost: it gave no sign of life for 0.5 s.');
    expect(throws).toMatchObject({ restarts: 2, sign: expect.stringContaining('fault #4: it was told to throw') });
    expect(sink).toMatchObject({ restarts: 1 });
    expect(fails).toMatchObject({ failedCheckpoints: 2, restarts: 2, sign: expect.stringContaining('(EIO)') });
    expect(corrupt?.skippedCheckpoints).toBeGreaterThan(0);
    expect(full?.sign).toContain('(ENOSPC)');
    // What is told of each is what the log says, to the word.
    const verdicts = serving.log.split('\n').filter((line) => /^weir: Fault #\d+.*: (detected|nothing)/.test(line));
    expect(verdicts).toEqual(struck.map(({ text }) => `weir: ${text}`));
  });

  it('that slow down are seen where they are, and are over when they are stopped', async () => {
    const { begin, view, ask, verdict } = await started([...ENDLESS, ...FLAGS]);
    for (const wish of [
      { kind: 'slow-operator', target: 'windows', strength: 5 },
      { kind: 'slow-sink', target: 'results-live', strength: 100 },
    ] satisfies Wish[]) {
      const id = await begin({ ...wish, durationMs: 120_000 });
      await expect
        .poll(async () => (await view()).open[0]?.sign ?? '', { timeout: 30_000 })
        .toMatch(new RegExp(`^${wish.target} is \\d+ % busy$`));
      expect(await (await ask('DELETE', `faults/${id}`)).json()).toEqual({ stopped: 1 });
      expect(await verdict(id)).toMatchObject({ outcome: 'recovered', restarts: 0, replayed: 0, lost: 0, doubled: 0 });
    }
    const delayed = await begin({ kind: 'delay-checkpoints', strength: 300, durationMs: 120_000 });
    await begin({ kind: 'slow-operator', target: 'validate', strength: 1 });
    expect(await (await ask('DELETE', 'faults')).json()).toEqual({ stopped: 2 });
    expect(await verdict(delayed)).toMatchObject({ fault: { stopped: true }, outcome: 'unharmed', lost: 0 });
  });

  it('leave what was committed as if nothing had been', async () => {
    const output = scratchPath('disturbed');
    const events = 6000;
    const { strike, view } = await started([
      '--simulate',
      `devices=10,rate=1500,events=${events},seed=3,malformed=0.01`,
      '--output',
      output,
      ...FLAGS,
    ]);
    await strike({ kind: 'kill-task-manager', target: '1' });
    await strike({ kind: 'failing-sink', target: 'results-files', durationMs: 60_000 });
    const { verdicts } = await view();
    for (const verdict of verdicts) expect(verdict).toMatchObject({ lost: 0, doubled: 0 });
    expect(verdicts[0]?.sign).toContain('told to fail at its next commit');
    const parts = (name: string): string[] =>
      readdirSync(join(output, name))
        .filter((file) => /^part-.*\.(csv|ndjson)$/.test(file))
        .map((file) => join(output, name, file));
    const rows = (name: string): number =>
      parts(name).reduce((sum, path) => sum + readFileSync(path, 'utf8').split('\n').filter(Boolean).length, 0);
    const windows = (): { name: string; count: number }[] =>
      parts('windows').flatMap((path) => {
        const [header = [], ...lines] = parseCsv(readFileSync(path, 'utf8'));
        const at = (line: string[], column: string): string => line[header.indexOf(column)] ?? '';
        return lines.map((line) => ({
          name: `${at(line, 'device_id')} ${at(line, 'window_start')}`,
          count: Number(at(line, 'count')),
        }));
      });
    const counted = (): number => windows().reduce((sum, { count }) => sum + count, 0) + rows('errors') + rows('late');
    await expect.poll(counted, { timeout: 60_000 }).toBe(events);
    const names = windows().map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('are refused by name where they make no sense', async () => {
    const { ask } = await started([...ENDLESS, ...FLAGS]);
    const refused = async (body: unknown): Promise<string> => {
      const answer = await ask('POST', 'faults', body);
      expect(answer.status).toBe(400);
      return ((await answer.json()) as { error: string }).error;
    };
    expect(await refused({ kind: 'earthquake' })).toMatch(/^The kind of a fault must be one of kill-task-manager, /);
    expect(await refused({ kind: 'kill-task-manager', target: '3' })).toContain('from 1 to 2');
    expect(await refused({ kind: 'slow-sink', target: 'windows' })).toContain(
      'one of errors-live, results-live, late-live',
    );
    expect(await refused({ kind: 'disk-full', durationMs: 1e9 })).toContain('durationMs must be a whole number');
    expect((await ask('DELETE', 'faults/77')).status).toBe(400);
  });
});
