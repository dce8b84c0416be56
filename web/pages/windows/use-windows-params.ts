import { useSearchParams } from 'react-router';
import { LIMITS } from '#shared/live.ts';

/** What the Windows page shows is in its address: `dev=d1&dev=d7&metric=humidity&q=roof`. */
export function useWindowsParams() {
  const [params, setParams] = useSearchParams();
  const pinned = params.getAll('dev').slice(0, LIMITS.pinnedDevices);
  const metric = params.get('metric');
  const query = params.get('q') ?? '';

  const change = (edit: (next: URLSearchParams) => void): void => {
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        edit(next);
        return next;
      },
      { replace: true },
    );
  };
  return {
    pinned,
    metric,
    query,
    togglePin: (device: string) =>
      change((next) => {
        const without = pinned.filter((other) => other !== device);
        const wanted = without.length === pinned.length ? [...pinned, device].slice(-LIMITS.pinnedDevices) : without;
        next.delete('dev');
        for (const one of wanted) next.append('dev', one);
      }),
    setMetric: (name: string) => change((next) => next.set('metric', name)),
    setQuery: (text: string) => change((next) => (text === '' ? next.delete('q') : next.set('q', text))),
  };
}
