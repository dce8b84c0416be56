import { useSearchParams } from 'react-router';
import type { ErrorFilter } from './filter-errors.ts';

/** The filter lives in the address: `reason=wrong_type:pressure&injection=3&q=roof`. */
export function useErrorFilter(): { filter: ErrorFilter; setFilter(change: Partial<ErrorFilter>): void } {
  const [params, setParams] = useSearchParams();
  const injection = Number(params.get('injection'));
  const filter: ErrorFilter = {
    reason: params.get('reason'),
    injection: params.has('injection') && Number.isInteger(injection) ? injection : null,
    text: params.get('q') ?? '',
  };
  const setFilter = (change: Partial<ErrorFilter>): void => {
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        put(next, 'reason', change.reason);
        put(next, 'injection', change.injection === undefined ? undefined : (change.injection?.toString() ?? null));
        put(next, 'q', change.text);
        return next;
      },
      { replace: true },
    );
  };
  return { filter, setFilter };
}

/** Undefined leaves a parameter alone, empty removes it. */
function put(params: URLSearchParams, name: string, value: string | null | undefined): void {
  if (value === undefined) return;
  if (value === null || value === '') params.delete(name);
  else params.set(name, value);
}
