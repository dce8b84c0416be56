import uPlot from 'uplot';
import { compact, formatTime } from '../ui/format.ts';
import type { Colors } from '../ui/theme.ts';
import { drawHatch, drawMarks, drawNote, type Plot } from './draw-marks.ts';
import type { Gap } from './gaps.ts';
import type { Mark } from './marks.ts';
import { steadyTop } from './scale.ts';

export interface StripLine {
  label: string;
  /** Colour token. */
  color: string;
  dash?: number[];
}

export interface StripOptions {
  colors: Colors;
  lines: readonly StripLine[];
  height: number;
  /** The axis reaches at least this high. */
  least: number;
  format(value: number): string;
  /** Said while there is no value at all. */
  whyEmpty?: string;
  onCursor(index: number | null): void;
}

export interface StripData {
  xs: number[];
  values: (number | null)[][];
  gaps: Gap[];
  marks: Mark[];
  min: number;
  max: number;
}

/** A line chart over the last minutes, drawn by uPlot: no transitions, no smoothing, marks and gaps behind the lines. */
export class Strip {
  readonly #plot: uPlot;
  #data: StripData | null = null;
  #top = 0;
  #paused = false;

  constructor(host: HTMLElement, options: StripOptions) {
    const token = options.colors;
    const muted = token('muted');
    const grid = token('grid');
    const font = '11px system-ui, sans-serif';
    const axis = { stroke: muted, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const colors = { band: token('mark'), line: token('control'), text: muted };
    const hatch = token('control');
    this.#plot = new uPlot(
      {
        width: Math.max(120, host.clientWidth),
        height: options.height,
        padding: [6, 16, 6, 0],
        legend: { show: false },
        cursor: {
          y: false,
          drag: { x: false, y: false },
          sync: { key: 'weir' },
          points: { size: 7 },
        },
        scales: {
          x: { time: false },
          y: {
            range: (_, __, max) => {
              this.#top = steadyTop(this.#top, max ?? 0, options.least);
              return [0, this.#top];
            },
          },
        },
        axes: [
          {
            ...axis,
            size: 22,
            gap: 4,
            splits: (_, __, min, max) => evenSplits(min, max),
            values: (_, splits) => splits.map((second) => axisLabel(second, splits[0] ?? second, this.#paused)),
          },
          {
            ...axis,
            size: 46,
            gap: 4,
            space: 28,
            values: (_, splits) => splits.map((value) => compact(options.format(value))),
          },
        ],
        series: [
          {},
          ...options.lines.map(
            (line, i): uPlot.Series => ({
              label: line.label,
              stroke: token(line.color),
              width: 1.6,
              points: { show: false },
              spanGaps: false,
              ...(line.dash ? { dash: line.dash } : {}),
              ...(i === 0 ? { fill: `${token(line.color)}1f` } : {}),
            }),
          ),
        ],
        hooks: {
          drawClear: [
            (u) => {
              const data = this.#data;
              const plot = plotOf(u);
              if (!data) return;
              for (const [from, to] of data.gaps) {
                const first = data.xs[from];
                const last = data.xs[to];
                if (first !== undefined && last !== undefined) {
                  drawHatch(plot, plot.x((first - 1) * 1000), plot.x((last + 1) * 1000), hatch);
                }
              }
              drawMarks(plot, data.marks, colors);
            },
          ],
          // Last of all: uPlot draws its grid after drawClear, and would draw it through the words.
          draw: [
            (u) => {
              const data = this.#data;
              if (data?.values.some((values) => values.some((value) => value !== null))) return;
              drawNote(plotOf(u), data ? (options.whyEmpty ?? 'No data yet') : 'Waiting for the first frame', muted);
            },
          ],
          setCursor: [(u) => options.onCursor(u.cursor.idx ?? null)],
        },
      },
      [[], ...options.lines.map(() => [])],
      host,
    );
  }

  get top(): number {
    return this.#top;
  }

  draw(data: StripData): void {
    this.#data = data;
    this.#plot.setData([data.xs, ...data.values], false);
    this.#plot.setScale('x', { min: data.min, max: data.max });
  }

  /** Labels tell the distance to now while live, and the time of day while paused. */
  setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#plot.redraw(false, true);
  }

  resize(width: number, height: number): void {
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height });
  }

  /** Moves the cursor to a data index, as the arrow keys ask. */
  point(index: number): void {
    const second = this.#data?.xs[index];
    if (second === undefined) return;
    this.#plot.setCursor({ left: this.#plot.valToPos(second, 'x'), top: 10 });
  }

  destroy(): void {
    this.#plot.destroy();
  }
}

function plotOf(u: uPlot): Plot {
  const { left, top, width, height } = u.bbox;
  const ratio = devicePixelRatio || 1;
  return { ctx: u.ctx, left, top, width, height, ratio, x: (time) => u.valToPos(time / 1000, 'x', true) };
}

/** Right edge first, then back in equal steps: labels stand still while the data moves beneath them. */
function evenSplits(min: number, max: number): number[] {
  const step = (max - min) / 5;
  return [0, 1, 2, 3, 4].map((i) => max - i * step).filter((second) => second >= min);
}

function axisLabel(second: number, newest: number, paused: boolean): string {
  if (paused) return formatTime(second * 1000);
  const back = Math.round(newest - second);
  if (back <= 0) return 'now';
  return back % 60 === 0 ? `−${back / 60} m` : back < 120 ? `−${back} s` : `−${Math.floor(back / 60)} m ${back % 60} s`;
}
