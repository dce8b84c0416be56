/** What the command line of the benches says. */

import { parseArgs } from 'node:util';
import { UsageError } from '#base/errors.ts';

export interface BenchOptions {
  /** Runs that count, of each side of a comparison. */
  readonly runs: number;
  /** How long a run should take. */
  readonly seconds: number;
  /** Lines of the files that are read. */
  readonly lines: number;
  /** Of `state-size`. */
  readonly keys: number;
  /** How long `flat` lasts. */
  readonly minutes: number;
  /** `flat` with ids that are never seen again. */
  readonly churn: boolean;
  readonly json: boolean;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
}

export interface Command {
  /** Benches asked for; empty: all. */
  readonly names: readonly string[];
  readonly help: boolean;
  readonly options: BenchOptions;
}

/** Throws a UsageError that says what is wrong. */
export function readCommand(args: readonly string[], say: (line: string) => void): Command {
  const { values, positionals } = parse(args);
  return {
    names: positionals,
    help: values.help === true,
    options: {
      runs: numberOf('runs', values.runs, 5, 1, 1000, true),
      seconds: numberOf('seconds', values.seconds, 2.5, 0.05, 600, false),
      lines: numberOf('lines', values.lines, 1_500_000, 1000, 3_000_000, true),
      keys: numberOf('keys', values.keys, 10_000_000, 1000, 100_000_000, true),
      minutes: numberOf('minutes', values.minutes, 0.5, 0.05, 24 * 60, false),
      churn: values.churn === true,
      json: values.json === true,
      say,
    },
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        runs: { type: 'string' },
        seconds: { type: 'string' },
        lines: { type: 'string' },
        keys: { type: 'string' },
        minutes: { type: 'string' },
        churn: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function numberOf(
  flag: string,
  text: string | undefined,
  fallback: number,
  min: number,
  max: number,
  whole: boolean,
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw new UsageError(`--${flag} must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}, not "${text}".`);
  }
  return value;
}
