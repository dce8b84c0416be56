/** Scripts for window operators over rows `{k, v}` that count per key: short to write, short to read. */

import type { OperatorHarness, RowOptions } from './harness.ts';

/** `k2@3999,3000 k1@20` in this order. */
export function feed(h: OperatorHarness, script: string, options: RowOptions = {}): OperatorHarness {
  const rows = script.split(' ').flatMap((part) => {
    const [k, times] = part.split('@') as [string, string];
    return times.split(',').map((t) => ({ k, time: Number(t) }));
  });
  return h.rows(
    rows.map(({ k }) => ({ k, v: 1 })),
    { times: rows.map((r) => r.time), ...options },
  );
}

/** `k:n@T` for results, `late k@t wm by` for late rows, `wm t`; results between two watermarks sorted by time, then key. */
export function take(h: OperatorHarness): string {
  const out: string[] = [];
  let results: [number, string][] = [];
  const settle = (): void => {
    out.push(...results.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)).map(([, text]) => text));
    results = [];
  };
  for (const e of h.emissions()) {
    if (e.kind === 'row' && e.output === 'main') {
      const { k, n, window_start, window_end } = e.row;
      if (e.time !== Number(window_end) - 1 || !(Number(window_start) < Number(window_end)))
        throw new Error(`Not a window and its last instant: ${JSON.stringify(e)}`);
      results.push([e.time ?? 0, `${k}:${n}@${e.time}`]);
    } else if (e.kind === 'row') {
      settle();
      out.push(`late ${e.row.k}@${e.time} ${e.row.watermark} ${e.row.late_by_ms}`);
    } else if (e.output === 'main') {
      settle();
      if (e.kind === 'watermark') out.push(`wm ${e.watermark}`);
    }
  }
  settle();
  return out.join(' ');
}
