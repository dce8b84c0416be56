/**
 * The numbers of `server/docs/time.md`: the IoT job on the same readings in processing time and in event time. The clock is a manual one, so they
 * are the same on every machine.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '#base/clock.ts';
import { parseSimulate } from '#connectors/iot-simulator/options.ts';
import { buildIot } from '#jobs/iot.ts';
import { LocalExecutor } from '#runtime/local/local-executor.ts';
import { linesOf } from './run-readings.ts';

const START = Date.UTC(2024, 5, 1, 6);
const WINDOW_MS = 3_600_000;
const WINDOWS = 12;
const DEVICE = 'device-0';
/** A reading of each of three devices a minute; on their way for an hour on average. */
const SIMULATION = `devices=3,rate=0.05,events=3000,seed=7,splits=1,start=${START},disorder=exp:1h`;

interface Cell {
  readonly count: number;
  readonly average: number;
}

/** Windows of one device, by start. */
async function windowsOf(time: 'event' | 'processing'): Promise<Map<number, Cell>> {
  const scratch = mkdtempSync(join(tmpdir(), 'weir-time-'));
  try {
    const graph = buildIot({
      source: { kind: 'simulator', options: parseSimulate(SIMULATION) },
      time,
      window: { kind: 'tumbling', sizeMs: WINDOW_MS },
      outOfOrdernessMs: 86_400_000,
      allowedLatenessMs: 0,
      idleTimeoutMs: null,
      alignmentMs: null,
      watermarkEmit: 'on-event',
      parallelism: { source: 1, window: 1 },
      output: scratch,
      console: null,
      postgres: null,
      live: false,
      rollIntervalMs: 10_000,
    });
    await new LocalExecutor(graph, { clock: new ManualClock(START) }).runAsync();
    const cells = linesOf(join(scratch, 'windows'))
      .map((line) => line.split(','))
      .filter(([device]) => device === DEVICE)
      .map(([, start, , count, , , average]): [number, Cell] => [
        Number(start),
        { count: Number(count), average: Number(average) },
      ]);
    return new Map(cells);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The table of the page and the sentence below it, as Markdown. */
export async function timeFigures(): Promise<{ readonly table: string; readonly summary: string }> {
  const processing = await windowsOf('processing');
  const event = await windowsOf('event');
  let worst = { error: 0, at: '' };
  const rows = Array.from({ length: WINDOWS }, (_, i) => {
    const start = START + i * WINDOW_MS;
    const at = new Date(start).toISOString().slice(11, 16);
    const wrong = processing.get(start) as Cell;
    const right = event.get(start) as Cell;
    const error = wrong.average - right.average;
    if (Math.abs(error) > Math.abs(worst.error)) worst = { error, at };
    const cells = [at, wrong.count, wrong.average.toFixed(1), right.count, right.average.toFixed(1), signed(error)];
    return `| ${cells.map((cell) => String(cell).padStart(8)).join(' | ')} |`;
  });
  const table = [
    '|  from    | readings |  average | readings |  average |    error |',
    '| -------: | -------: | -------: | -------: | -------: | -------: |',
    ...rows,
  ].join('\n');
  return { table, summary: `The worst hour, ${worst.at}, is wrong by ${signed(worst.error)} °C.` };
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
