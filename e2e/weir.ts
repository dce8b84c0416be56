/** Runs the built command line as a user would and reads back what it wrote. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { ModelRow } from '#testing/reference-model.ts';
import { parseCsv } from './csv.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The program of this checkout; its build directory does not change while tests run, even when sources do. */
export const MAIN = builtMain();

function builtMain(): string {
  execFileSync(process.execPath, [join(ROOT, 'server/build.mjs'), 'server'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return realpathSync(join(ROOT, 'dist/server/main.js'));
}

const scratch = mkdtempSync(join(tmpdir(), 'weir-e2e-'));
let scratchNames = 0;
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A path that nothing is at yet, removed when the tests of the file are over. */
export function scratchPath(name: string): string {
  return join(scratch, `${scratchNames++}-${name}`);
}

export function scratchFile(name: string, content: string | Uint8Array): string {
  const path = scratchPath(name);
  writeFileSync(path, content);
  return path;
}

export interface Finished {
  /** Exit code; null when it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Largest resident memory of the process in MB; NaN where the system does not tell (/proc). */
  readonly peakMb: number;
}

export interface WeirOptions {
  /** Given to standard input; without it standard input is empty. */
  readonly stdin?: string | Uint8Array;
  readonly timeoutMs?: number;
  /** Ctrl-C after this long. */
  readonly interruptAfterMs?: number;
}

/** Runs `weir` with these arguments to its end. */
export function weir(args: readonly string[], options: WeirOptions = {}): Promise<Finished> {
  return finish(spawn(process.execPath, [MAIN, ...args], { cwd: scratch, stdio: 'pipe' }), options);
}

/** Runs a shell command line in which `weir` is the program. */
export function shell(commandLine: string, options: WeirOptions = {}): Promise<Finished> {
  const script = `set -o pipefail; weir() { '${process.execPath}' '${MAIN}' "$@"; }; ${commandLine}`;
  return finish(spawn('bash', ['-c', script], { cwd: scratch, stdio: 'pipe' }), options);
}

function finish(child: ChildProcess, options: WeirOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let peakMb = Number.NaN;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // A process that ends early closes its input: not our failure.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.stdin ?? '');
    const sampling = setInterval(() => {
      const kb = peakKilobytes(child.pid);
      if (kb !== null) peakMb = kb / 1024;
    }, 20);
    const timeout = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
    const { interruptAfterMs } = options;
    const interrupt = interruptAfterMs === undefined ? null : setTimeout(() => child.kill('SIGINT'), interruptAfterMs);
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(sampling);
      clearTimeout(timeout);
      if (interrupt !== null) clearTimeout(interrupt);
      resolve({ code, stdout, stderr, peakMb });
    });
  });
}

function peakKilobytes(pid: number | undefined): number | null {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? null : Number(match[1]);
  } catch {
    return null;
  }
}

export interface ErrorRecord {
  readonly reason: string;
  readonly field: string | null;
  /** The payload's bytes, whichever way they were written. */
  readonly payload: Buffer;
  readonly payloadBytes: number | null;
  readonly source: string;
  readonly offset: number;
  readonly ingestedAt: number;
}

export interface LateRecord {
  readonly device_id: string;
  readonly event_timestamp: number;
  readonly temperature: number;
  readonly humidity: number;
  readonly pressure: number;
  readonly watermark: number;
  readonly late_by_ms: number;
}

export interface Results {
  readonly run: Finished;
  readonly directory: string;
  readonly windows: ModelRow[];
  readonly errors: ErrorRecord[];
  readonly late: LateRecord[];
}

/** `weir run iot … --output <new directory>`, which must succeed, and what it wrote, part after part. */
export async function runIot(flags: readonly string[], options: WeirOptions = {}): Promise<Results> {
  const directory = scratchPath('out');
  const run = await weir(['run', 'iot', ...flags, '--output', directory], options);
  if (run.code !== 0) throw new Error(`weir run iot ${flags.join(' ')}: exit code ${run.code}\n${run.stderr}`);
  return { run, directory, ...readResults(directory) };
}

export function readResults(directory: string): Omit<Results, 'run' | 'directory'> {
  return {
    windows: readParts(directory, 'windows', 'csv').flatMap(readWindows),
    errors: readParts(directory, 'errors', 'ndjson').flatMap((text) => ndjson(text).map(readError)),
    late: readParts(directory, 'late', 'ndjson').flatMap((text) => ndjson(text).map(readLate)),
  };
}

/** Contents of the committed parts, by subtask and number. A file that is no part, or one still in progress, is an error. */
export function readParts(directory: string, output: string, extension: string): string[] {
  let names: string[];
  try {
    names = readdirSync(join(directory, output));
  } catch {
    return [];
  }
  const parts = names.map((name) => {
    const match = new RegExp(`^part-(\\d+)-(\\d+)\\.${extension}$`).exec(name);
    if (match === null) throw new Error(`${output}/${name} is not a committed part.`);
    return { name, order: Number(match[1]) * 1e6 + Number(match[2]) };
  });
  parts.sort((a, b) => a.order - b.order);
  return parts.map(({ name }) => readFileSync(join(directory, output, name), 'utf8'));
}

const HEADER =
  'device_id,window_start,window_end,count,temperature_min,temperature_max,temperature_avg,' +
  'humidity_min,humidity_max,humidity_avg,pressure_min,pressure_max,pressure_avg';

function readWindows(text: string): ModelRow[] {
  if (!text.startsWith(`${HEADER}\n`))
    throw new Error(`A part of windows starts with ${JSON.stringify(text.slice(0, 200))}.`);
  return parseCsv(text)
    .slice(1)
    .map((cells) => {
      if (cells.length !== 13) throw new Error(`A row of windows has ${cells.length} cells: ${JSON.stringify(cells)}.`);
      const [device = '', ...rest] = cells;
      const [start, end, count, a, b, c, d, e, f, g, h, i] = rest.map(readNumber) as NumberCells;
      return [device, start, end, count, a, b, c, d, e, f, g, h, i];
    });
}

type NumberCells = [number, number, number, number, number, number, number, number, number, number, number, number];

/** Numbers are written as the shortest decimal that reads back to the same double. */
function readNumber(text: string): number {
  const value = Number(text);
  if (String(value) !== text && text !== '-0')
    throw new Error(`${JSON.stringify(text)} is not how ${value} is written.`);
  return value;
}

function ndjson(text: string): unknown[] {
  if (!text.endsWith('\n'))
    throw new Error(`A part ends in the middle of a line: …${JSON.stringify(text.slice(-200))}.`);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line));
}

function readError(parsed: unknown): ErrorRecord {
  const row = parsed as {
    reason: string;
    field: string | null;
    payload?: string;
    payload_base64?: string;
    payload_bytes?: number;
    source: string;
    offset: number;
    ingested_at: number;
  };
  if (typeof row.payload !== 'string' && typeof row.payload_base64 !== 'string')
    throw new Error(`No payload in ${JSON.stringify(row)}.`);
  return {
    reason: row.reason,
    field: row.field,
    payload: row.payload === undefined ? Buffer.from(row.payload_base64 ?? '', 'base64') : Buffer.from(row.payload),
    payloadBytes: row.payload_bytes ?? null,
    source: row.source,
    offset: row.offset,
    ingestedAt: row.ingested_at,
  };
}

function readLate(parsed: unknown): LateRecord {
  const row = parsed as LateRecord;
  const names = 'device_id,event_timestamp,temperature,humidity,pressure,watermark,late_by_ms';
  if (Object.keys(row).join() !== names) throw new Error(`A late event has other fields: ${JSON.stringify(row)}.`);
  return row;
}
