import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef, useState } from 'react';
import type { SeriesName } from '../live/history-ring.ts';
import { useLive, useShown } from '../live/live.ts';
import { formatTime } from '../ui/format.ts';
import { FOCUSABLE, Panel } from '../ui/panel.tsx';
import { useColors } from '../ui/theme.ts';
import { findGaps, summarize } from './gaps.ts';
import { marksOf, marksWithin } from './marks.ts';
import { RecentTable } from './recent-table.tsx';
import { Strip, type StripData } from './strip.ts';

export interface TimeSeries {
  name: SeriesName;
  label: string;
  color: string;
  dash?: number[];
}

interface TimeChartProps {
  /** Stable: names the chart in the probe. */
  id: string;
  title: string;
  unit: string;
  series: readonly TimeSeries[];
  rangeSeconds: number;
  least: number;
  format(value: number | null): string;
  height?: number;
  /** Why there is no line while there is none. */
  whyEmpty?: string;
}

/** The newest second is still filling when it is on screen, so charts end one second before now. */
const EDGE_SECONDS = 1;
/** Every second that the server sampled has a value of it; other series may have none for reasons of their own. */
const SAMPLED: SeriesName = 'eventsPerSecond';
/** The sentence for screen readers changes this often at most. */
const SENTENCE_MS = 5000;

export function TimeChart({
  id,
  title,
  unit,
  series,
  rangeSeconds,
  least,
  format,
  height = 136,
  whyEmpty,
}: TimeChartProps) {
  const { store, painter, probe } = useLive();
  const paused = useShown('paused');
  const host = useRef<HTMLDivElement>(null);
  const strip = useRef<Strip | null>(null);
  const data = useRef<StripData | null>(null);
  const cursor = useRef<number | null>(null);
  const readouts = useRef<(HTMLElement | null)[]>([]);
  const when = useRef<HTMLSpanElement>(null);
  const [asTable, setAsTable] = useState(false);
  const colors = useColors();

  useEffect(() => {
    const element = host.current;
    if (!element || asTable) return;
    const told = { at: 0 };

    const read = (): void => {
      const shown = data.current;
      if (!shown) return;
      const at = cursor.current;
      for (const [i, values] of shown.values.entries()) {
        const readout = readouts.current[i];
        const value = at === null ? values.findLast((v) => v !== null) : values[at];
        if (readout) readout.textContent = format(value ?? null);
      }
      const second = at === null ? undefined : shown.xs[at];
      if (when.current) when.current.textContent = second === undefined ? '' : `at ${formatTime(second * 1000)}`;
    };

    const chart = new Strip(element, {
      colors,
      lines: series,
      height,
      least,
      format,
      ...(whyEmpty === undefined ? {} : { whyEmpty }),
      onCursor: (index) => {
        cursor.current = index;
        read();
      },
    });
    chart.setPaused(store.shown.paused);
    strip.current = chart;

    const leave = painter.add(({ viewTime }) => {
      if (viewTime === 0) return;
      const to = Math.floor(viewTime / 1000) - EDGE_SECONDS;
      const from = to - rangeSeconds;
      const xs = Array.from({ length: to - from + 1 }, (_, i) => from + i);
      const values = series.map(({ name }) => store.history.read(name, from, to));
      const { events, injections } = store.shown;
      const marks = marksWithin(marksOf(events, injections), from * 1000, viewTime);
      const max = viewTime / 1000 - EDGE_SECONDS;
      data.current = {
        xs,
        values,
        gaps: findGaps(store.history.read(SAMPLED, from, to)),
        marks,
        min: max - rangeSeconds,
        max,
      };
      chart.draw(data.current);
      probe.marks[id] = marks;
      read();
      if (viewTime - told.at > SENTENCE_MS) {
        told.at = viewTime;
        element.setAttribute('aria-label', sentence(title, unit, series, values, format, marks.length));
      }
    });

    const resized = new ResizeObserver(() => chart.resize(element.clientWidth, height));
    resized.observe(element);
    return () => {
      leave();
      delete probe.marks[id];
      resized.disconnect();
      chart.destroy();
      strip.current = null;
    };
  }, [asTable, colors, store, painter, probe, id, title, unit, series, rangeSeconds, least, format, height, whyEmpty]);

  useEffect(() => {
    strip.current?.setPaused(paused);
  }, [paused]);
  useEffect(() => {
    if (rangeSeconds > 0) painter.repaint();
  }, [painter, rangeSeconds]);

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const step = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    const length = data.current?.xs.length ?? 0;
    if (step === 0 || length === 0) return;
    event.preventDefault();
    const next = Math.min(length - 1, Math.max(0, (cursor.current ?? length - 1) + step));
    strip.current?.point(next);
  };

  return (
    <Panel
      title={title}
      note={
        <>
          {unit} <span ref={when} />
        </>
      }
      actions={
        <>
          {series.map((line, i) => (
            <span key={line.name} className="inline-flex items-center gap-1.5 text-sm">
              <LineKey color={line.color} dashed={line.dash !== undefined} />
              {series.length > 1 ? <span className="text-muted text-xs">{line.label}</span> : null}
              <strong
                ref={(element) => {
                  readouts.current[i] = element;
                }}
                className="min-w-9 text-right font-semibold"
              >
                –
              </strong>
            </span>
          ))}
          <button
            type="button"
            className="btn btn-quiet btn-small"
            aria-pressed={asTable}
            aria-label={`Show ${title} as table`}
            onClick={() => setAsTable(!asTable)}
          >
            Table
          </button>
        </>
      }
    >
      {asTable ? (
        <RecentTable series={series} format={format} height={height} title={title} />
      ) : (
        <div
          ref={host}
          role="img"
          aria-label={`${title}, ${unit}`}
          {...FOCUSABLE}
          onKeyDown={onKeyDown}
          className="-mx-1 overflow-hidden"
          style={{ height }}
        />
      )}
    </Panel>
  );
}

function LineKey({ color, dashed }: { color: string; dashed: boolean }) {
  return (
    <svg aria-hidden="true" width="16" height="8" viewBox="0 0 16 8">
      <line
        x1="0"
        x2="16"
        y1="4"
        y2="4"
        stroke={`var(--${color})`}
        strokeWidth="2.5"
        strokeDasharray={dashed ? '4 2' : 'none'}
      />
    </svg>
  );
}

function sentence(
  title: string,
  unit: string,
  series: readonly TimeSeries[],
  values: (number | null)[][],
  format: (value: number | null) => string,
  marks: number,
): string {
  const parts = series.map((line, i) => {
    const summary = summarize(values[i] ?? []);
    if (!summary) return `${line.label}: no data`;
    const { last, min, max, trend } = summary;
    return `${line.label}: now ${format(last)}, lowest ${format(min)}, highest ${format(max)}, ${trend}`;
  });
  return `${title}, ${unit}. ${parts.join('. ')}. ${marks === 0 ? 'No events' : `${marks} events`} in view.`;
}
