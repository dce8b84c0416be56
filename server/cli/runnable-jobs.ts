/** The jobs that `weir run` can run: their flags, and what they make of them. */

import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { messageOf, UsageError } from '#base/errors.ts';
import { DEFAULT_STATE, type StateBackendName, type StateSettings } from '#engine/state/keyed-state.ts';
import { parseThresholds, USUAL_THRESHOLDS } from '#jobs/thresholds.ts';
import { bytes, duration } from './flags.ts';
import { addIotFlags, addReadingsFlags, type IotFlags, type IotPlan } from './iot-options.ts';

export interface RunFlags extends IotFlags {
  json?: true;
  /** ms. */
  gap?: number;
  /** ms. */
  silence?: number;
  /** ms. */
  every?: number;
  /** Path. */
  thresholds?: string;
  stateBackend?: StateBackendName;
  /** Bytes. */
  stateCache?: number;
}

export interface RunnableJob {
  /** As in the registry. */
  readonly name: string;
  readonly description: string;
  readonly addFlags: (command: Command) => Command;
  /** Parameters of the job. */
  readonly params: (plan: IotPlan, flags: RunFlags) => unknown;
  /** Operator that gives the results, and what they are called. */
  readonly results: string;
  /** For its help. */
  readonly examples: readonly string[];
}

/** Flags of jobs that keep state of their own. */
function addStateFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--state-backend <backend>',
        'where state lives: in memory, or on disk where it does not fit (default: heap)',
      ).choices(['heap', 'level']),
    )
    .option(
      '--state-cache <size>',
      'memory for state that lives on disk, per subtask (default: 64MiB)',
      bytes({ min: 1 << 20, max: 2 ** 40 }),
    );
}

function stateOf({ stateBackend = DEFAULT_STATE.stateBackend, stateCache }: RunFlags): StateSettings {
  if (stateCache !== undefined && stateBackend === 'heap')
    throw new UsageError('--state-cache is for state on disk: add --state-backend level.');
  return { stateBackend, stateCacheBytes: stateCache ?? DEFAULT_STATE.stateCacheBytes };
}

function readThresholds(path: string): ReturnType<typeof parseThresholds> {
  try {
    return parseThresholds(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`--thresholds ${path}: ${messageOf(error)}.`, { cause: error });
  }
}

const span = duration({ min: 1, max: 100 * 86_400_000, says: 'a time from 1ms to 100d' });

export const RUNNABLE: readonly RunnableJob[] = [
  {
    name: 'iot',
    description: 'readings of devices: validated, averaged per device and window; errors and late events apart',
    addFlags: addIotFlags,
    params: ({ params }) => params,
    results: 'windows',
    examples: [
      'weir run iot --input readings.ndjson',
      'weir run iot --input data/ --output results --window 1m --parallelism 2',
      'zcat big.csv.gz | weir run iot --input - --format csv --output results --json',
      'weir run iot --simulate devices=1000,events=10M,disorder=exp:2s,late=0.01 --output results',
      'weir run iot --input data/ --postgres postgres://weir@localhost/weir --checkpoint-interval 10s',
      'weir run iot --simulate --parallelism 4 --explain',
    ],
  },
  {
    name: 'sessions',
    description: 'when each device was active: session windows with start, end, number of readings, min and max',
    addFlags: (command) =>
      addReadingsFlags(command).option('--gap <duration>', 'silence that ends a session (default: 10s)', span),
    params: ({ params }, { gap }) => ({ ...params, gapMs: gap ?? 10_000 }),
    results: 'sessions',
    examples: [
      'weir run sessions --input readings.ndjson --gap 30s',
      'weir run sessions --simulate devices=20,rate=10,events=1k,speed=10',
    ],
  },
  {
    name: 'alerts',
    description: 'devices that fall silent, come back, or leave their usual range',
    addFlags: (command) =>
      addStateFlags(addReadingsFlags(command)).option(
        '--silence <duration>',
        'a device without readings for so long is silent (default: 60s)',
        span,
      ),
    params: ({ params }, flags) => ({ ...params, silenceMs: flags.silence ?? 60_000, state: stateOf(flags) }),
    results: 'alerts',
    examples: [
      'weir run alerts --input readings.ndjson --silence 30s',
      'weir run alerts --simulate devices=50,events=100k --output results --parallelism 2',
    ],
  },
  {
    name: 'trends',
    description: 'how each device changes: highest temperatures, window by window, joined with the window before',
    addFlags: (command) =>
      addReadingsFlags(command).option('--every <duration>', 'length of the windows (default: 5s)', span),
    params: ({ params }, { every }) => ({ ...params, windowMs: every ?? 5000 }),
    results: 'trends',
    examples: [
      'weir run trends --input readings.ndjson --every 1m',
      'weir run trends --simulate devices=20,events=100k --output results --parallelism 2',
    ],
  },
  {
    name: 'thresholds',
    description: 'readings outside of what is allowed at their time, by thresholds that change',
    addFlags: (command) =>
      addReadingsFlags(command).option(
        '--thresholds <file>',
        'one {"from", "sensor", "low", "high"} a line, from in ms (default: 5 to 30 °C, 20 to 80 %, 950 to 1050 hPa)',
      ),
    params: ({ params }, { thresholds }) => ({
      ...params,
      thresholds: thresholds === undefined ? USUAL_THRESHOLDS : readThresholds(thresholds),
    }),
    results: 'breaches',
    examples: [
      'weir run thresholds --input readings.ndjson --thresholds limits.ndjson',
      'weir run thresholds --simulate devices=20,events=10k --output results --parallelism 2',
    ],
  },
];
