import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation } from 'react-router';
import { type Mark, marksOf, marksWithin } from '../charts/marks.ts';
import { useBreakIt } from '../inject/break-it.ts';
import { useShown } from '../live/live.ts';
import { formatTime, plural } from '../ui/format.ts';
import { FOCUSABLE } from '../ui/panel.tsx';
import { layLane } from './lane-layout.ts';
import { useRange } from './range.ts';
import { keptSearch } from './use-actions.ts';

const ROW_HEIGHT = 26;

/** The spine of the product: everything that was done to the stream, on the time axis that all charts share. */
export function EventLane() {
  const events = useShown('events');
  const injections = useShown('injections');
  const viewTime = useShown('viewTime');
  const { seconds } = useRange();
  const { setOpen } = useBreakIt();
  const { search } = useLocation();
  const [picked, setPicked] = useState<Mark | null>(null);
  const [listed, setListed] = useState(false);
  const section = useRef<HTMLElement>(null);
  useTellHeight(section);
  const marks = useMemo(() => marksOf(events, injections), [events, injections]);
  const to = viewTime - 1000;
  const from = to - seconds * 1000;
  const inView = marksWithin(marks, from, viewTime);
  const lane = layLane(inView, from, to);
  const rows = Math.max(1, ...lane.map((item) => item.row + 1));
  const newest = events.at(-1);
  const say = picked ?? null;

  return (
    <section
      ref={section}
      aria-label="Event lane"
      className="sticky bottom-0 z-10 border-line border-t bg-card px-3 py-1.5 sm:px-4"
    >
      <div className="flex min-h-6 items-center gap-3 text-xs">
        <h2 className="font-semibold">Events</h2>
        <p className="min-w-0 flex-1 truncate text-muted" data-testid="lane-text">
          {say
            ? `${formatTime(say.type === 'band' ? say.from : say.at)} ${say.text}`
            : newest
              ? `${formatTime(newest.at)} ${newest.text}`
              : 'Nothing happened yet. Injections and changes of the job show up here and on every chart.'}
        </p>
        {say?.type === 'band' ? (
          say.of === 'fault' ? (
            <Link className="btn btn-quiet btn-small" to={{ pathname: '/faults', search: keptSearch(search) }}>
              Open faults
            </Link>
          ) : (
            <button type="button" className="btn btn-quiet btn-small" onClick={() => setOpen(true)}>
              Open injections
            </button>
          )
        ) : null}
        <button
          type="button"
          className="btn btn-quiet btn-small"
          aria-expanded={listed}
          onClick={() => setListed(!listed)}
        >
          {listed ? 'Hide list' : `List (${events.length})`}
        </button>
      </div>
      <div
        className="relative hidden rounded border border-line bg-sunken md:block"
        style={{ height: rows * ROW_HEIGHT + 2 }}
      >
        {lane.map(({ mark, left, width, row, flipped, others }) => (
          <button
            key={`${mark.type === 'band' ? mark.of : 'line'}-${mark.id}`}
            type="button"
            className="absolute min-w-6 text-left"
            style={{
              ...(flipped
                ? { right: `min(${100 - left}%, calc(100% - 1.5rem))` }
                : { left: `min(${left}%, calc(100% - 1.5rem))` }),
              width: `${width}%`,
              top: row * ROW_HEIGHT,
              height: ROW_HEIGHT,
            }}
            title={mark.text}
            aria-label={`${formatTime(mark.type === 'band' ? mark.from : mark.at)} ${mark.text}${others > 0 ? ` And ${others} more.` : ''}`}
            onClick={() => setPicked(picked === mark ? null : mark)}
            onFocus={() => setPicked(mark)}
            onBlur={() => setPicked(null)}
          >
            {mark.type === 'band' ? (
              <span
                className={`absolute inset-y-0.5 left-0 flex w-full min-w-[3px] items-center overflow-hidden rounded-sm border-mark border-l-3 bg-[color-mix(in_oklab,var(--mark)_26%,transparent)] pl-1 text-xs ${mark.to === null ? '' : 'border-r-1'}`}
              >
                <span className="truncate">{others > 0 ? `+${others}` : width > 3.5 ? mark.label : ''}</span>
              </span>
            ) : (
              <span
                className={`absolute inset-y-0 whitespace-nowrap border-control text-muted text-xs leading-[26px] ${flipped ? 'right-0 border-r-2 pr-1' : 'left-0 border-l-2 pl-1'} ${mark.kind === 'settings-changed' ? 'border-dashed' : ''}`}
              >
                {others > 0 ? plural(others + 1, 'event') : mark.label}
              </span>
            )}
          </button>
        ))}
      </div>
      {listed ? (
        <ol {...FOCUSABLE} aria-label="All events" className="mt-1.5 grid max-h-48 gap-1 overflow-auto text-sm">
          {events
            .slice(-100)
            .reverse()
            .map((event) => (
              <li key={event.seq} className="flex gap-3">
                <time className="text-muted">{formatTime(event.at)}</time>
                <span className="min-w-0">{event.text}</span>
              </li>
            ))}
        </ol>
      ) : null}
    </section>
  );
}

/** The lane covers the lower edge of the page: what scrolls, or stands beside it, keeps clear of `--lane-height`. */
function useTellHeight(section: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = section.current;
    if (!element) return;
    const { style } = document.documentElement;
    const observer = new ResizeObserver(() => style.setProperty('--lane-height', `${element.offsetHeight}px`));
    observer.observe(element);
    return () => {
      observer.disconnect();
      style.removeProperty('--lane-height');
    };
  }, [section]);
}
