/** The main job as the benches run it. */

import type { IotParams } from '#jobs/iot.ts';

/** `run iot` with its defaults and `--watermark-emit on-event`, printing and writing nothing. */
export function iotParams(
  source: IotParams['source'],
  parallelism: number,
  changes: Partial<Pick<IotParams, 'window' | 'output' | 'live' | 'watermarkEmit' | 'idleTimeoutMs'>> = {},
): IotParams {
  return {
    source,
    time: 'event',
    window: { kind: 'tumbling', sizeMs: 5000 },
    outOfOrdernessMs: 5000,
    allowedLatenessMs: 0,
    idleTimeoutMs: null,
    alignmentMs: null,
    watermarkEmit: 'on-event',
    parallelism: { source: parallelism, window: parallelism },
    output: null,
    console: null,
    postgres: null,
    live: false,
    rollIntervalMs: 10_000,
    ...changes,
  };
}

export { IOT } from '#jobs/iot.ts';
