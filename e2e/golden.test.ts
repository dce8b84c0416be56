/** The whole program against what a real Flink gave (`e2e/golden`), and against the reference model on inputs that Flink was not asked about. */

import { describe, expect, it } from 'vitest';
import { type ModelRow, runModel, tumbling } from '#testing/reference-model.ts';
import { asWritten, errorDifferences, lateDifferences, sortErrors, windowDifferences } from './compare.ts';
import { goldenCases, ON_TIME } from './golden-cases.ts';
import {
  cancellingSums,
  damagedLines,
  hundredThousandDevices,
  intoTheFuture,
  losingDigits,
  oddNames,
  oddNumbers,
  windowBorders,
} from './inputs.ts';
import { runIot, scratchFile } from './weir.ts';

/** Settings under which results depend on nothing but positions in the input. */
const REPLAYABLE = ['--watermark-emit', 'on-event', '--out-of-orderness', '5s'];

function windowFlags(sizeMs: number, latenessMs = 0): string[] {
  return flagsFor(['--window', `${sizeMs}ms`], latenessMs);
}

function flagsFor(windowing: readonly string[], latenessMs = 0): string[] {
  return [...REPLAYABLE, ...windowing, '--allowed-lateness', `${latenessMs}ms`];
}

const cases = goldenCases();

describe('parallelism 1 gives exactly what Flink gave', () => {
  it('there are golden results to compare with', () => {
    const kinds = cases.map(({ name, windowing, latenessMs }) => `${name} ${windowing.join(' ')} ${latenessMs}`);
    const everywhere = (name: string, latenesses: readonly number[]) =>
      ['--session 3000ms', '--window 10000ms/2000ms', '--window 5000ms'].flatMap((kind) =>
        latenesses.map((lateness) => `${name} ${kind} ${lateness}`),
      );
    expect(kinds).toEqual([
      ...everywhere('bounded', [0]),
      ...everywhere('inorder', [0]),
      ...everywhere('late', [0, 2000]),
      'malformed --window 5000ms 0',
      'nyc-weather --window 86400000ms 0',
      ...everywhere('sessions', [0, 2000]),
    ]);
  });

  for (const golden of cases) {
    it(`${golden.name}, ${golden.windowing.join(' ')}, lateness ${golden.latenessMs} ms`, async () => {
      const input = scratchFile(`${golden.name}.ndjson`, golden.input);
      const flags = ['--input', input, '--parallelism', '1', ...flagsFor(golden.windowing, golden.latenessMs)];
      const { windows, errors, late } = await runIot(flags);
      expect(windowDifferences(windows, golden.windows)).toEqual([]);
      const shown = errors.map(({ reason, field, payload }) => ({ reason, field, payload: payload.toString() }));
      expect(shown).toEqual(golden.errors);
      expect(late.map((r) => [r.device_id, r.event_timestamp, r.temperature, r.humidity, r.pressure])).toEqual(
        golden.late,
      );
    });
  }
});

describe('higher parallelism gives the same rows where nothing is late', () => {
  // Blocks of 4 KiB cut each of these files into hundreds of splits.
  const settings = [2, 4].flatMap((parallelism) =>
    [[], ['--block-size', '4KiB']].map((blocks) => ({ parallelism, blocks })),
  );
  // Where nothing is late, not even by a firing again: those would differ from run to run.
  const onTime = cases.filter((golden) => golden.late.length === 0 && ON_TIME.has(golden.name));
  for (const golden of onTime) {
    for (const { parallelism, blocks } of settings) {
      it(`${golden.name}, ${golden.windowing.join(' ')}, parallelism ${parallelism}, ${blocks.join(' ') || 'default blocks'}`, async () => {
        const input = scratchFile(`${golden.name}.ndjson`, golden.input);
        const flags = [
          '--input',
          input,
          '--parallelism',
          String(parallelism),
          ...blocks,
          ...flagsFor(golden.windowing),
        ];
        const { windows, errors, late } = await runIot(flags);
        expect(windowDifferences(windows, golden.windows)).toEqual([]);
        const shown = sortErrors(errors).map(({ reason, field, payload }) => ({
          reason,
          field,
          payload: payload.toString(),
        }));
        expect(shown).toEqual(golden.errors);
        expect(late).toEqual([]);
      });
    }
  }
});

describe('inputs beyond those, against the reference model', () => {
  const generated = [
    { title: 'odd names', lines: oddNames(), sizeMs: 5000 },
    { title: 'exact borders of windows', lines: windowBorders(5000), sizeMs: 5000 },
    { title: 'a window that is no round number', lines: windowBorders(4999), sizeMs: 4999 },
    { title: '100,000 devices', lines: hundredThousandDevices(), sizeMs: 5000 },
    { title: 'sums that cancel out', lines: cancellingSums(), sizeMs: 5000, order: 'counts' },
    { title: 'a jump into the future', lines: intoTheFuture(), sizeMs: 5000, order: 'counts' },
    { title: 'sums that lose digits', lines: losingDigits(), sizeMs: 60_000 },
    { title: 'numbers written in odd ways', lines: oddNumbers(), sizeMs: 5000, order: 'counts' },
  ];
  for (const { title, lines, sizeMs, order } of generated) {
    // Where something is late, or sums cancel out, only parallelism 1 has one right answer.
    const parallelisms = order === 'counts' ? [1] : [1, 2];
    it(`${title}, parallelism ${parallelisms.join(' and ')}`, async () => {
      const file = Buffer.from(`${lines.join('\n')}\n`);
      const input = scratchFile('generated.ndjson', file);
      const model = runModel(file, { assign: tumbling(sizeMs), outOfOrdernessMs: 5000, allowedLatenessMs: 0 });
      const windows = model.windows.map(([device, ...rest]): ModelRow => [asWritten(device), ...rest]);
      for (const parallelism of parallelisms) {
        const reading = ['--input', input, '--parallelism', String(parallelism), '--block-size', '64KiB'];
        const results = await runIot([...reading, ...windowFlags(sizeMs)]);
        expect(windowDifferences(results.windows, windows)).toEqual([]);
        const errors = parallelism === 1 ? results.errors : sortErrors(results.errors);
        expect(errorDifferences(errors, model.errors, input)).toEqual([]);
        expect(lateDifferences(results.late, model.late)).toEqual([]);
      }
    });
  }

  it('lines damaged at random', async () => {
    const file = Buffer.concat(damagedLines(20_000).flatMap((bytes) => [bytes, Buffer.from('\n')]));
    const input = scratchFile('damaged.ndjson', file);
    const model = runModel(file, { assign: tumbling(5000), outOfOrdernessMs: 5000, allowedLatenessMs: 0 });
    expect(model.errors.length).toBeGreaterThan(5000);
    const results = await runIot(['--input', input, '--parallelism', '1', ...windowFlags(5000)]);
    expect(windowDifferences(results.windows, model.windows)).toEqual([]);
    expect(errorDifferences(results.errors, model.errors, input)).toEqual([]);
    expect(lateDifferences(results.late, model.late)).toEqual([]);
  });

  it('events that come late, refire a window or miss it, with every lateness', async () => {
    const lines = windowBorders(5000, 20_000);
    const file = Buffer.from(lines.join('\n'));
    const input = scratchFile('disorder.ndjson', file);
    for (const latenessMs of [0, 1, 4999, 60_000]) {
      const model = runModel(file, { assign: tumbling(5000), outOfOrdernessMs: 5000, allowedLatenessMs: latenessMs });
      const results = await runIot(['--input', input, '--parallelism', '1', ...windowFlags(5000, latenessMs)]);
      expect(windowDifferences(results.windows, model.windows)).toEqual([]);
      expect(lateDifferences(results.late, model.late)).toEqual([]);
    }
  });
});
