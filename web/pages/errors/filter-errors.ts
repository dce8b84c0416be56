import type { ErrorRow } from '#shared/live.ts';
import { reasonKey } from '../../live/errors-book.ts';

export interface ErrorFilter {
  /** `reason` or `reason:field`; null for all. */
  reason: string | null;
  injection: number | null;
  text: string;
}

export function filterErrors(rows: readonly ErrorRow[], filter: ErrorFilter): ErrorRow[] {
  const text = filter.text.toLowerCase();
  return rows.filter((row) => {
    if (filter.reason !== null && reasonKey(row.reason, row.field) !== filter.reason) return false;
    if (filter.injection !== null && row.injection !== filter.injection) return false;
    return text === '' || row.payload.toLowerCase().includes(text) || row.source.toLowerCase().includes(text);
  });
}

/** `wrong_type:pressure` reads "wrong type, pressure". */
export function reasonWords(reason: string, field: string | null): string {
  const words = reason.replaceAll('_', ' ');
  return field === null ? words : `${words}, ${field}`;
}
