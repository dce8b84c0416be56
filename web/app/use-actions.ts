import { useNavigate } from 'react-router';
import { useLive } from '../live/live.ts';
import type { Shortcut } from '../ui/shortcuts.ts';

interface Wishes {
  openHelp(): void;
  toggleBreakIt(): void;
  closeBreakIt(): void;
  isPaused(): boolean;
}

export const PAGES = [
  { path: '/', name: 'Overview', keys: 'g o' },
  { path: '/windows', name: 'Windows', keys: 'g w' },
  { path: '/errors', name: 'Errors & late', keys: 'g e' },
  { path: '/checkpoints', name: 'Checkpoints', keys: 'g c' },
  { path: '/savepoints', name: 'Savepoints', keys: 'g v' },
  { path: '/faults', name: 'Faults', keys: 'g f' },
  { path: '/scaling', name: 'Scaling', keys: 'g a' },
] as const;

/** What the keys do. Each has a button as well; both call the same function. */
export function useActions({ openHelp, toggleBreakIt, closeBreakIt, isPaused }: Wishes) {
  const { store, connection, painter } = useLive();
  const navigate = useNavigate();

  const togglePause = (): void => {
    store.setPaused(!isPaused(), Date.now());
    painter.repaint();
  };
  const stopAll = (): void => void connection.send({ type: 'stop-all' });

  const shortcuts: Shortcut[] = [
    ...PAGES.map((page) => ({ keys: page.keys, says: `Go to ${page.name}`, run: () => goTo(navigate, page.path) })),
    { keys: 'i', says: 'Break it: open or close the injection panel', run: toggleBreakIt },
    { keys: 'Shift+X', says: 'Stop all faults and injections', run: stopAll },
    { keys: 'p', says: 'Pause or resume what the page shows', run: togglePause },
    { keys: 't', says: 'Job graph: show as table', run: () => document.getElementById('graph-as-table')?.click() },
    { keys: '?', says: 'Show these keys', run: openHelp },
    { keys: 'Escape', says: 'Close the panel', run: closeBreakIt },
  ];
  return { shortcuts, togglePause, stopAll };
}

/** Pages keep the time range, and nothing else, of the address. */
function goTo(navigate: ReturnType<typeof useNavigate>, path: string): void {
  navigate({ pathname: path, search: keptSearch(location.search) });
}

export function keptSearch(search: string): string {
  const range = new URLSearchParams(search).get('range');
  return range === null ? '' : `?range=${range}`;
}
