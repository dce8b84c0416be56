import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withoutPassword } from '#connectors/postgres/session.ts';
import { type IotFlags, planIot } from './iot-options.ts';

const scratch = mkdtempSync(join(tmpdir(), 'weir-flags-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const input = join(scratch, 'in.ndjson');
writeFileSync(input, '{}\n');

const plan = (flags: IotFlags) => planIot(flags, { simulate: null, parallelism: 1, console: 'lines', live: false });

describe('plan of an IoT job', () => {
  it('reads files with watermarks on every event and no idle timeout', () => {
    expect(plan({ input })).toEqual({
      params: {
        source: { kind: 'file', options: { path: input } },
        time: 'event',
        window: { kind: 'tumbling', sizeMs: 5000 },
        outOfOrdernessMs: 5000,
        allowedLatenessMs: 0,
        idleTimeoutMs: null,
        alignmentMs: null,
        watermarkEmit: 'on-event',
        parallelism: { source: 1, window: 1 },
        output: null,
        console: 'lines',
        postgres: null,
        live: false,
        rollIntervalMs: 10_000,
      },
      taskManagers: 1,
      slots: 1,
      bounded: true,
    });
  });

  it('simulates with watermarks every 200 ms and an idle timeout of 30 s', () => {
    const { params, bounded } = plan({ simulate: true });
    expect(params).toMatchObject({ source: { kind: 'simulator' }, watermarkEmit: 200, idleTimeoutMs: 30_000 });
    expect(bounded).toBe(false);
    expect(plan({ simulate: 'events=10' }).bounded).toBe(true);
  });

  it('simulates so many events at full speed with watermarks that do not depend on the clock, so that a seed gives the same files', () => {
    expect(plan({ simulate: 'events=10' }).params).toMatchObject({ watermarkEmit: 'on-event', idleTimeoutMs: null });
    expect(plan({ simulate: 'events=10,rate=5' }).params).toMatchObject({ watermarkEmit: 200, idleTimeoutMs: 30_000 });
  });

  it('has tumbling windows of 5 s, or what the flags say', () => {
    const window = (flags: IotFlags) => plan({ input, ...flags }).params.window;
    expect(window({ window: { kind: 'sliding', sizeMs: 10_000, slideMs: 2000 } })).toEqual({
      kind: 'sliding',
      sizeMs: 10_000,
      slideMs: 2000,
    });
    expect(window({ session: 3000 })).toEqual({ kind: 'session', gapMs: 3000 });
  });

  it('lets off win over the default idle timeout', () => {
    expect(plan({ simulate: true, idleTimeout: 'off' }).params.idleTimeoutMs).toBeNull();
  });

  it('makes late events of the simulator late for this job, unless told otherwise', () => {
    const options = (flags: IotFlags) => {
      const { source } = plan(flags).params;
      return source.kind === 'simulator' ? [source.options.holdMs, source.options.behindMs] : null;
    };
    expect(options({ simulate: true })).toEqual([5000, 10_000]);
    expect(options({ simulate: true, outOfOrderness: 20_000, allowedLateness: 60_000 })).toEqual([20_000, 85_000]);
    expect(options({ simulate: 'hold=1s,behind=2s', outOfOrderness: 20_000 })).toEqual([1000, 2000]);
  });

  it('has a task manager per slot that is needed', () => {
    const places = (flags: IotFlags) => {
      const { taskManagers, slots } = plan({ input, parallelism: { source: 3, window: 2 }, ...flags });
      return [taskManagers, slots];
    };
    expect(places({})).toEqual([3, 1]);
    expect(places({ slots: 2 })).toEqual([2, 2]);
    expect(places({ taskManagers: 1 })).toEqual([1, 3]);
    expect(() => places({ taskManagers: 1, slots: 2 })).toThrow('needs 3 slots');
    expect(() => plan({ input, parallelism: { source: 128, window: 1 } })).toThrow('at most 64');
  });

  it('makes the output directory, and results go there instead of to the console', () => {
    const { params } = plan({ input, output: join(scratch, 'out') });
    expect(params).toMatchObject({ output: join(scratch, 'out'), console: null });
  });

  it.each([
    [{}, '--input FILE'],
    [{ input, simulate: true }, '--simulate exclude'],
    [{ input, window: { kind: 'tumbling', sizeMs: 1 }, session: 5 }, '--window and --session exclude each other'],
    [{ simulate: true, format: 'csv' }, '--format makes sense only with --input'],
    [{ simulate: true, maxLine: 5 }, '--max-line'],
    [{ input, overwrite: true }, '--overwrite makes sense only with --output'],
    [{ input, rollInterval: 500 }, '--roll-interval'],
    [{ input, time: 'processing', allowedLateness: 0 }, '--allowed-lateness makes sense only with --time event'],
    [{ input: join(scratch, 'missing.ndjson') }, 'missing.ndjson'],
  ] as [IotFlags, string][])('refuses %j', (flags, message) => {
    expect(() => plan(flags)).toThrow(message);
  });

  it('leaves no output directory behind when the input cannot be read', () => {
    const output = join(scratch, 'never');
    expect(() => plan({ input: join(scratch, 'missing.ndjson'), output })).toThrow('missing.ndjson');
    expect(() => rmSync(output)).toThrow('ENOENT');
  });

  it('PostgreSQL: the password is in no parameter, but where its programs look for it', () => {
    const before = process.env.PGPASSWORD;
    try {
      const postgres = withoutPassword('postgres://me:s3cret@db:5433/weir');
      const { params } = plan({ input, postgres });
      expect(params.postgres).toEqual({ url: 'postgres://me@db:5433/weir', table: 'windows', mode: 'exactly-once' });
      expect(params.console).toBeNull();
      expect(JSON.stringify(params)).not.toContain('s3cret');
      expect(process.env.PGPASSWORD).toBe('s3cret');
      expect(plan({ input, postgres, postgresTable: 'a.b', postgresMode: 'upsert' }).params.postgres).toMatchObject({
        table: 'a.b',
        mode: 'upsert',
      });
    } finally {
      if (before === undefined) delete process.env.PGPASSWORD;
      else process.env.PGPASSWORD = before;
    }
    expect(() => plan({ input, postgresTable: 'windows' })).toThrow(
      '--postgres-table makes sense only with --postgres',
    );
  });
});
