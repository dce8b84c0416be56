import { useSearchParams } from 'react-router';

export const RANGES = { '1m': 60, '5m': 300, '15m': 890 } as const;
export type Range = keyof typeof RANGES;

/** How far the time charts look back; part of the address so that a copied link shows the same. */
export function useRange(): { range: Range; seconds: number; setRange(range: Range): void } {
  const [params, setParams] = useSearchParams();
  const wanted = params.get('range');
  const range: Range = wanted === '1m' || wanted === '15m' ? wanted : '5m';
  const setRange = (next: Range): void => {
    setParams(
      (old) => {
        const changed = new URLSearchParams(old);
        if (next === '5m') changed.delete('range');
        else changed.set('range', next);
        return changed;
      },
      { replace: true },
    );
  };
  return { range, seconds: RANGES[range], setRange };
}
