import type { WindowRow } from '../../live/windows-book.ts';
import { toCsv } from '../../ui/export.ts';

/** The columns of the windows sink, and what the page knows besides: pane and time of emission. */
export function windowsCsv(rows: readonly WindowRow[], aggregates: readonly string[]): string {
  const header = ['device_id', 'window_start', 'window_end', ...aggregates, 'pane', 'emitted_at'];
  const lines = rows.map(({ result }) => [
    result.device,
    result.start,
    result.end,
    ...aggregates.map((_, i) => result.values[i] ?? null),
    result.pane,
    result.at,
  ]);
  return toCsv(header, lines);
}
