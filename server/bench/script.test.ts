import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { prepareOutputDirectory } from '#connectors/file/output-directory.ts';
import { LocalExecutor } from '#runtime/local/local-executor.ts';
import { firstDifference, readResults } from './csv-results.ts';
import { iotParams } from './iot-params.ts';
import { buildBenchJob } from './jobs.ts';
import { runScript } from './script.ts';
import { ensureFile, malformedOf } from './text-input.ts';

const work = mkdtempSync(join(tmpdir(), 'weir-bench-test-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('the script anyone would write', () => {
  it('gives what the engine gives, and refuses as many lines', async () => {
    const lines = 40_000;
    const input = join(work, 'in.ndjson');
    ensureFile(input, lines, 'long');
    const script = runScript({ input, output: join(work, 'script.csv') });
    expect(script).toMatchObject({ lines, errors: malformedOf(lines) });

    const output = join(work, 'out');
    prepareOutputDirectory(output);
    const params = iotParams({ kind: 'file', options: { path: input } }, 1, { output });
    await new LocalExecutor(buildBenchJob({ name: 'iot', params })).runAsync();
    const ours = readResults(join(output, 'windows'));
    expect(ours.size).toBe(script.results);
    expect(firstDifference(ours, readResults(join(work, 'script.csv')))).toBeNull();

    const [key, row] = [...ours][0] as [string, Record<string, number>];
    ours.set(key, { ...row, count: (row.count ?? 0) + 1 });
    expect(firstDifference(ours, readResults(join(work, 'script.csv')))).toMatch(/count/);
  });
});
