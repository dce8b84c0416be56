import { createContext, useContext, useEffect, useSyncExternalStore } from 'react';
import type { View } from '#shared/live.ts';
import { formatTime } from '../ui/format.ts';
import { Connection } from './connection.ts';
import { Painter } from './painter.ts';
import { makeProbe, type Probe } from './probe.ts';
import { LiveStore, type Shown, type ShownKey } from './store.ts';

/** The live side of the page, made once in `main.tsx` and handed down by context. */
export interface Live {
  store: LiveStore;
  painter: Painter;
  connection: Connection;
  probe: Probe;
}

export function startLive(): Live {
  const store = new LiveStore(formatTime);
  const probe = makeProbe(store);
  const painter = new Painter(
    () => store.viewTime(Date.now()),
    () => {
      probe.paintedSeq = store.seq;
    },
  );
  window.__weir = probe;
  return { store, painter, connection: new Connection(store, painter), probe };
}

export const LiveContext = createContext<Live | null>(null);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('useLive needs a LiveContext above it');
  return live;
}

/** One published value; the component renders again when it is replaced, at most four times a second. */
export function useShown<Key extends ShownKey>(key: Key): Shown[Key] {
  const { store } = useLive();
  return useSyncExternalStore(
    (listener) => store.subscribe(key, listener),
    () => store.shown[key],
  );
}

/** Tells the server what this page shows, so that it sends what is needed and no more. */
export function useView(page: View['page'], devices: readonly string[] = [], checkpoint: number | null = null): void {
  const { connection } = useLive();
  const list = devices.join('\n');
  useEffect(() => {
    connection.show({ page, devices: list === '' ? [] : list.split('\n'), checkpoint });
  }, [connection, page, list, checkpoint]);
}
