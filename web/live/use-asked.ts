import { useEffect, useState } from 'react';

export interface Asked<T> {
  /** Of the last answer; null: there was none yet. */
  data: T | null;
  error: string | null;
  /** ms since the epoch; null: nothing failed. */
  failedAt: number | null;
  again(): void;
}

/** Asks whenever `key` changes, and keeps the last answer while it waits or fails. Null: nothing is asked. */
export function useAsked<T>(key: string | null, ask: () => Promise<T>): Asked<T> {
  const [state, setState] = useState<Omit<Asked<T>, 'again'>>({ data: null, error: null, failedAt: null });
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says when to ask, and `turn` when again
  useEffect(() => {
    if (key === null) return;
    let gone = false;
    ask().then(
      (data) => {
        if (!gone) setState({ data, error: null, failedAt: null });
      },
      (error: Error) => {
        if (!gone) setState((old) => ({ ...old, error: error.message, failedAt: old.failedAt ?? Date.now() }));
      },
    );
    return () => {
      gone = true;
    };
  }, [key, turn]);
  return { ...state, again: () => setTurn((n) => n + 1) };
}
