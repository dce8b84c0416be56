/** The jobs that `weir run` can run: their flags, and what they make of them. */

import type { Command } from 'commander';
import { duration } from './flags.ts';
import { addIotFlags, addReadingsFlags, type IotFlags, type IotPlan } from './iot-options.ts';

export interface RunFlags extends IotFlags {
  json?: true;
  /** ms. */
  gap?: number;
  /** ms. */
  silence?: number;
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
      addReadingsFlags(command).option(
        '--silence <duration>',
        'a device without readings for so long is silent (default: 60s)',
        span,
      ),
    params: ({ params }, { silence }) => ({ ...params, silenceMs: silence ?? 60_000 }),
    results: 'alerts',
    examples: [
      'weir run alerts --input readings.ndjson --silence 30s',
      'weir run alerts --simulate devices=50,events=100k --output results --parallelism 2',
    ],
  },
];
