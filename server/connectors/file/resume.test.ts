import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { type ReadRow, SourceRun, type SourceSnapshot } from '#testing/source-run.ts';
import { FileSource } from './file-source.ts';
import type { FileSplit } from './file-splits.ts';
import type { FileSourceOptions } from './open-input.ts';

const root = mkdtempSync(join(tmpdir(), 'weir-resume-'));
afterAll(() => rmSync(root, { recursive: true }));
let directory = root;
let next = 0;
beforeEach(() => {
  directory = join(root, String(next++));
  mkdirSync(directory);
});

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const HEADER = 'device_id,event_timestamp,temperature,humidity,pressure\n';
const json = (i: number) =>
  `{"device_id":"d${i % 7}","event_timestamp":${1000 + i},"temperature":${i % 50},"humidity":${i % 100}.25,"pressure":1000}`;
const csv = (i: number) => `d${i % 7},${1000 + i},${i % 50},${i % 100}.25,1000`;
const text = ({ row, time }: ReadRow) => JSON.stringify([time, row]);
/** By place in the input. */
const inPlace = (rows: readonly ReadRow[]) =>
  rows
    .toSorted((a, b) =>
      a.row.source === b.row.source
        ? (a.row.offset as number) - (b.row.offset as number)
        : (a.row.source as string) < (b.row.source as string)
          ? -1
          : 1,
    )
    .map(text);

type Leg = readonly [parallelism: number, polls: readonly number[]];

/** Reads in legs, each from the snapshot of the one before. */
async function inLegs(options: FileSourceOptions, legs: readonly Leg[], last: number, capacity = 3) {
  const rows: ReadRow[] = [];
  let restored: SourceSnapshot | undefined;
  for (const [parallelism, polls] of legs) {
    const run = new SourceRun(new FileSource(options), {
      parallelism,
      capacity,
      ...(restored === undefined ? {} : { restored }),
    });
    for (const subtask of polls) await run.poll(subtask % parallelism);
    restored = run.snapshot();
    run.close();
    rows.push(...run.rows);
  }
  const run = new SourceRun(new FileSource(options), {
    parallelism: last,
    capacity,
    ...(restored === undefined ? {} : { restored }),
  });
  await run.toEnd();
  return [...rows, ...run.rows];
}

const polls = fc.array(fc.nat(3), { maxLength: 25 });
const legs = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), polls), { minLength: 1, maxLength: 3 });
const last = fc.integer({ min: 1, max: 4 });
const line = fc.oneof(
  { weight: 6, arbitrary: fc.nat(99).map(json) },
  fc.constantFrom('', '\r', 'x', `{"long":"${'x'.repeat(300)}"}`, 'é'),
);

describe('files from a checkpoint', () => {
  it('SR6 NDJSON: each line once, with its offset and payload, cut anywhere, at any parallelism and block size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 40 }),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 900 }),
        legs,
        last,
        async (some, bom, end, gzip, blockSize, cuts, behind) => {
          const content = (bom ? '\ufeff' : '') + some.join('\n') + (end ? '\n' : '');
          const path = gzip ? file('in.ndjson.gz', gzipSync(content)) : file('in.ndjson', content);
          const options = { path, blockSize, maxLine: 250 };
          const whole = await inLegs(options, [], 1);
          const parts = await inLegs(options, cuts, behind);
          expect(inPlace(parts)).toEqual(whole.map(text));
        },
      ),
      { numRuns: 120 },
    );
  });

  it('SR6 CSV: header, quotes and line breaks in them, each record once', async () => {
    const record = fc.oneof(
      { weight: 6, arbitrary: fc.nat(99).map(csv) },
      fc.constantFrom('', 'x', '"d\n1",1001,1,2,1000', '"open,1001,1,2,1000', `${'x'.repeat(300)},1,2,3,4`),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 40 }),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 900 }),
        legs,
        last,
        async (some, bom, end, gzip, blockSize, cuts, behind) => {
          const content = (bom ? '\ufeff' : '') + HEADER + some.join('\n') + (end ? '\n' : '');
          const path = gzip ? file('in.csv.gz', gzipSync(content)) : file('in.csv', content);
          const options = { path, blockSize, maxLine: 250 };
          const whole = await inLegs(options, [], 1);
          const parts = await inLegs(options, cuts, behind);
          expect(inPlace(parts)).toEqual(whole.map(text));
        },
      ),
      { numRuns: 120 },
    );
  });

  it('SR6 a line longer than what is read at once, cut while it passes', async () => {
    const long = `{"x":"${'y'.repeat(900_000)}"}`;
    const path = file('in.ndjson', [json(1), long, json(2), long].join('\n'));
    const options = { path, maxLine: 1000 };
    const whole = await inLegs(options, [], 1);
    expect(whole.map((r) => r.row.payload_bytes)).toEqual([null, long.length, null, long.length]);
    for (let cut = 1; cut < 14; cut++) {
      expect((await inLegs(options, [[1, Array.from({ length: cut }, () => 0)]], 1)).map(text)).toEqual(
        whole.map(text),
      );
    }
  });

  it('SR7 a directory: the files that were there; those read may go, new ones do not belong to the run', async () => {
    const of = (from: number) => Array.from({ length: 10 }, (_, i) => `${json(from + i)}\n`).join('');
    const path = file('a.ndjson', of(0));
    file('b.csv', HEADER + Array.from({ length: 10 }, (_, i) => `${csv(10 + i)}\n`).join(''));
    file('c.ndjson.gz', gzipSync(of(20)));
    const first = new SourceRun(new FileSource({ path: directory }), { capacity: 4 });
    while (first.rows.length < 14) await first.poll(0);
    rmSync(path);
    file('d.ndjson', of(90));
    const source = new FileSource({ path: directory });
    const second = await new SourceRun(source, { restored: first.snapshot(), parallelism: 2 }).toEnd();
    expect([...first.rows, ...second.rows].map((r) => r.time).sort()).toEqual(
      Array.from({ length: 30 }, (_, i) => 1000 + i),
    );
    const { bytes, totalBytes } = source.progress;
    // Of a CSV its header does not count as read.
    expect(bytes).toBe((totalBytes ?? 0) - HEADER.length);
  });

  it('SR8 a file that is gone, cut, or written anew is refused by name; one that has grown is not', async () => {
    const content = Array.from({ length: 20 }, (_, i) => `${json(i)}\n`).join('');
    const path = file('a.ndjson', content);
    const first = new SourceRun(new FileSource({ path }), { capacity: 4 });
    await first.poll(0);
    await first.poll(0);
    expect(first.rows.length).toBeGreaterThan(0);
    const restored = first.snapshot();
    const again = () => new SourceRun(new FileSource({ path }), { restored }).toEnd();

    appendFileSync(path, `${json(20)}\n`);
    expect((await again()).rows).toHaveLength(21 - first.rows.length);
    writeFileSync(path, content.slice(0, -10));
    await expect(again()).rejects.toThrow(
      /a\.ndjson: has \d+ bytes and had \d+ at the checkpoint, so the run cannot go on/,
    );
    writeFileSync(path, content.replaceAll('d3', 'e3'));
    await expect(again()).rejects.toThrow(/a\.ndjson: has other content than at the checkpoint/);
    writeFileSync(path, content);
    utimesSync(path, 1, 1);
    await expect(again()).rejects.toThrow(/a\.ndjson: was written at 1970-.*, at the checkpoint it was of 20/);
    rmSync(path);
    await expect(again()).rejects.toThrow(/a\.ndjson: cannot be read any more since the checkpoint \(ENOENT/);
  });

  it('SR9 standard input and pipes cannot go on in the middle: the error says so, once something of them was read', async () => {
    // One for each case: the end that was closed may take a while, and would steal what is written.
    const pipe = (name: string): string => {
      const path = join(directory, name);
      expect(spawnSync('mkfifo', [path]).status).toBe(0);
      return path;
    };
    const write = (path: string, i: number): Promise<unknown> =>
      once(spawn('sh', ['-c', `echo '${json(i)}' > '${path}'`]), 'exit');
    const read = pipe('read');
    const written = write(read, 1);
    const first = new SourceRun(new FileSource({ path: read }));
    while (first.rows.length === 0) await first.poll(0);
    await written;
    const restored = first.snapshot();
    first.close();
    await expect(new SourceRun(new FileSource({ path: read }), { restored }).toEnd()).rejects.toThrow(
      `${read} is a pipe, which cannot be read again from a checkpoint: start from the beginning, or read a file.`,
    );

    const unread = pipe('unread');
    const untouched = new SourceRun(new FileSource({ path: unread })).snapshot();
    const writtenThen = write(unread, 3);
    const second = await new SourceRun(new FileSource({ path: unread }), { restored: untouched }).toEnd();
    await writtenThen;
    expect(second.rows.map((r) => r.time)).toEqual([1003]);
  });

  it('SR14 splits of a reader that failed alone are dealt again, belong to checkpoints until then, and are counted as read once', () => {
    const line = `${json(1)}\n`;
    for (let i = 0; i < 4; i++) file(`${i}.ndjson`, line);
    const source = new FileSource({ path: directory });
    const splits: FileSplit[] = [];
    const deal = (restored: unknown) =>
      source.createEnumerator({
        ...{ parallelism: 2, clock: new ManualClock(), restored, send: () => {}, noMoreSplits: () => {} },
        assign: (_, split) => splits.push(split),
        fail: (error) => {
          throw error;
        },
      });
    const enumerator = deal(null);
    const read = (subtask: number, bytes: number): number => {
      enumerator.onReaderEvent?.(subtask, { type: 'progress', bytes });
      return source.progress.bytes / line.length;
    };
    for (const subtask of [0, 1, 1]) enumerator.onSplitRequest(subtask);
    read(0, line.length);
    expect(read(1, 2 * line.length)).toBe(3);
    // It had read the first of its two files when the checkpoint was taken.
    enumerator.addSplitsBack?.([splits[2] as FileSplit], 1);
    expect(read(1, 0)).toBe(2);
    const waiting = enumerator.snapshot();
    enumerator.onSplitRequest(0);
    expect(splits[3]).toEqual(splits[2]);
    expect(read(0, 2 * line.length)).toBe(3);
    const other = deal(structuredClone(waiting));
    for (let i = 0; i < 3; i++) other.onSplitRequest(1);
    expect(splits.slice(4).map(({ name }) => name)).toEqual([splits[2]?.name, expect.stringContaining('3.ndjson')]);
    other.onReaderEvent?.(1, { type: 'progress', bytes: 2 * line.length });
    expect(source.progress.bytes / line.length).toBe(4);
  });

  it('SR8 so are files that are still to be dealt', async () => {
    file('a.ndjson', `${json(1)}\n`);
    const path = file('b.ndjson', `${json(2)}\n`);
    const first = new SourceRun(new FileSource({ path: directory }), { capacity: 4 });
    const restored = first.snapshot();
    writeFileSync(path, `${json(3)}\n${json(3)}\n`);
    expect(() => new SourceRun(new FileSource({ path: directory }), { restored })).toThrow(
      /b\.ndjson: has other content/,
    );
  });
});
