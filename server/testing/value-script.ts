/** Scripts for window operators over rows `{k, v}` that sum values per key into `s`: short to write, short to read. */

import type { OperatorHarness, RowOptions } from './harness.ts';

/** `k2:3@2500 k1@20`: key, value (1 if not given), timestamp. */
export function feed(h: OperatorHarness, script: string, options: RowOptions = {}): OperatorHarness {
  const rows = script.split(' ').map((part) => {
    const [, k, v, time] = /^(\w+)(?::(\d+))?@(-?\d+)$/.exec(part) ?? [];
    return { k, v: Number(v ?? 1), time: Number(time) };
  });
  return h.rows(
    rows.map(({ k, v }) => ({ k, v })),
    { times: rows.map((r) => r.time), ...options },
  );
}

/** `k:s[start,end)` for results in order (`k:s@t` where windows have no borders), `late:k@t,wm,by` for late rows; watermarks are left out. */
export function take(h: OperatorHarness): string {
  return h
    .emissions()
    .flatMap((e) => {
      if (e.kind !== 'row') return [];
      const { k, s, window_start, window_end, watermark, late_by_ms } = e.row;
      if (e.output !== 'main') return [`late:${k}@${e.time},${watermark},${late_by_ms}`];
      if (window_end === undefined) return [`${k}:${s}@${e.time}`];
      if (e.time !== (window_end as number) - 1) throw new Error(`Not at its last instant: ${JSON.stringify(e)}`);
      return [`${k}:${s}[${window_start},${window_end})`];
    })
    .join(' ');
}
