/**
 * The operator that a piece of job makes, in a harness: written as users write it, so that types, schemas and tags are those of the API.
 *
 *   const harness = harnessOf(Reading, (readings) => readings.filter('warm', (row) => row.temperature > 20));
 */

import type { Fields, Schema } from '#engine/batch/schema.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobOperator } from '#engine/graph/job-graph.ts';
import { fromRows } from './collect.ts';
import { type HarnessOptions, OperatorHarness } from './harness.ts';

/** The last operator that `build` adds to a stream of `input`. */
export function operatorOf<F extends Fields>(input: Schema<F>, build: (stream: DataStream<F>) => unknown): JobOperator {
  const env = new StreamExecutionEnvironment({ name: 'harness' });
  build(env.fromSource(fromRows(input, []), 'rows'));
  const operator = env.jobGraph().vertices.at(-1)?.operators.at(-1);
  if (operator === undefined) throw new Error('No operator was built.');
  return operator;
}

/** `sides`: tags that somebody reads; all that the operator declares, if not given. */
export function harnessOf<F extends Fields>(
  input: Schema<F>,
  build: (stream: DataStream<F>) => unknown,
  options: Pick<HarnessOptions, 'clock' | 'subtask' | 'parallelism' | 'maxParallelism' | 'stateBackend' | 'restore'> & {
    readonly sides?: readonly string[];
  } = {},
): OperatorHarness {
  const made = operatorOf(input, build);
  const operator = made.create?.();
  if (operator === undefined) throw new Error(`${made.name} is a source.`);
  const sides = [...made.sideOutputs].filter(([tag]) => options.sides?.includes(tag) ?? true);
  const { sides: _, ...settings } = options;
  return new OperatorHarness(operator, {
    ...settings,
    input,
    output: made.outputSchema ?? input,
    sides: Object.fromEntries(sides),
  });
}
