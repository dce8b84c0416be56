/** What all simulated jobs read, and where they are disturbed. */

import type { Random } from '#base/random.ts';
import { Reading } from '#connectors/iot/reading.ts';
import { type Row, schema, string, timestamp } from '#engine/batch/schema.ts';
import { OutputTag, type SingleOutputStream, type StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { Sink } from '#engine/io/sink.ts';
import type { Source } from '#engine/io/source.ts';

/** As the main job has them. */
export type ReadingRow = Row<typeof Reading.fields>;
/** Those of a humidity beyond 100. */
const Refused = schema({ device_id: string(), event_timestamp: timestamp() });
const refusedTag = new OutputTag('refused', Refused);

/** By operator id. */
export interface Parallelism {
  readonly source: number;
  readonly main: number;
  readonly sink: number;
}

/** Where the seams of a test job are. */
export interface Trouble {
  /** Called for every row; throws where the operator is to fail. */
  row(): void;
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** Source and check of the operators `name` and `name-check`; what is refused goes to the files `name-refused`. */
export function checkedReadings(
  env: StreamExecutionEnvironment,
  source: Source<typeof Reading.fields>,
  name: string,
  parallelism: Pick<Parallelism, 'source' | 'sink'>,
  files: (name: string) => Sink,
  trouble: Trouble,
): SingleOutputStream<typeof Reading.fields> {
  const valid = env
    .fromSource(source, name)
    .setParallelism(parallelism.source)
    .uid(name)
    .process(`${name}-check`, {
      output: Reading,
      sideOutputs: [refusedTag],
      create: () => (row, ctx, out) => {
        trouble.row();
        if (row.humidity <= 100) out.forward();
        else ctx.output(refusedTag, { device_id: row.device_id, event_timestamp: row.event_timestamp });
      },
    })
    .setParallelism(parallelism.source)
    .uid(`${name}-check`);
  valid
    .sideOutput(refusedTag)
    .sinkTo(files(`${name}-refused`), `${name}-refused`)
    .setParallelism(parallelism.sink)
    .uid(`${name}-refused`);
  return valid;
}
