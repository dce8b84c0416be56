/** Two streams in windows, as tests of them need it: a co-group that says what it was given, and short ways to feed both sides. */

import { f64, schema, string } from '#engine/batch/schema.ts';
import { lateTag } from '#engine/graph/data-stream.ts';
import type { CoGroupedWindows } from '#engine/graph/joined-streams.ts';
import type { Windows } from '#engine/window/assign.ts';
import type { EitherRow } from '#engine/window/co-group.ts';
import type { HarnessOptions } from './harness.ts';
import { type PairHarness, pairHarnessOf } from './pair-harness.ts';

export const A = schema({ k: string(), v: f64() });
export const B = schema({ w: f64(), of: string() });
export const Out = schema({ says: string() });
export const lateA = lateTag('late-a', A);
export const lateB = lateTag('late-b', B);
type Settings = Pick<HarnessOptions, 'clock' | 'subtask' | 'parallelism' | 'restore' | 'stateBackend'>;

type Rows = CoGroupedWindows<typeof A.fields, typeof B.fields>;

export const grouping = (
  windows: Windows<EitherRow<typeof A.fields, typeof B.fields>>,
  latenessMs = 0,
  settings: Settings = {},
  further: (rows: Rows) => Rows = (rows) => rows,
): PairHarness =>
  pairHarnessOf(
    A,
    B,
    (a, b) =>
      further(a.coGroup(b).where('k').equalTo('of').window(windows).allowedLateness(latenessMs)).apply(
        'group',
        Out,
        (lefts, rights, { key, window }, out) => {
          const [l, r] = [lefts.map((row) => row.v).join('+'), rights.map((row) => row.w).join('+')];
          out.collect({ says: `${key}[${window.start},${window.end}) ${l}|${r}` });
        },
      ),
    settings,
  );
export const left = (h: PairHarness, k: string, ...times: number[]): void =>
  h.first.rows(
    times.map((v) => ({ k, v })),
    { times },
  );
export const right = (h: PairHarness, k: string, ...times: number[]): void =>
  h.second.rows(
    times.map((w) => ({ w, of: k })),
    { times },
  );
export const both = (h: PairHarness, watermark: number): void => {
  h.first.watermark(watermark);
  h.second.watermark(watermark);
};
export const says = (h: PairHarness): string[] =>
  h.emissions().flatMap((e) => (e.kind === 'row' ? [`${e.row.says}@${e.time}`] : []));
