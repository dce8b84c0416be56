import { useEffect, useRef, useState } from 'react';
import { useLive, useShown } from '../live/live.ts';

/** Between two messages of the polite region, so that a screen reader is not flooded. */
const QUIET_MS = 5000;

/** Tells screen readers what changed without moving focus: events politely, a lost connection and a failed job at once. */
export function Announcer() {
  const { store } = useLive();
  const events = useShown('events');
  const link = useShown('link');
  const state = useShown('job')?.state ?? null;
  const [polite, setPolite] = useState('');
  const said = useRef({ seq: -1, at: 0 });

  useEffect(() => {
    const newest = events.at(-1);
    if (!newest) return;
    // What happened before this page opened is no news.
    if (said.current.seq < 0) {
      said.current.seq = newest.seq;
      return;
    }
    if (newest.seq === said.current.seq) return;
    const wait = Math.max(0, said.current.at + QUIET_MS - Date.now());
    const timer = setTimeout(() => {
      const latest = store.shown.events.at(-1);
      if (!latest) return;
      const missed = latest.seq - said.current.seq - 1;
      setPolite(missed > 0 ? `${latest.text}. ${missed} more before that.` : latest.text);
      said.current = { seq: latest.seq, at: Date.now() };
    }, wait);
    return () => clearTimeout(timer);
  }, [events, store]);

  const urgent = link.state === 'offline' ? link.words : state === 'FAILED' ? 'The job failed' : '';
  return (
    <>
      <div role="status" aria-live="polite" className="sr-only">
        {polite}
      </div>
      <div role="alert" className="sr-only">
        {urgent}
      </div>
    </>
  );
}
