import type { Mark } from './marks.ts';

/** Where a chart draws: the plot's rectangle and the way from a time to a pixel, in the canvas' own pixels. */
export interface Plot {
  ctx: CanvasRenderingContext2D;
  left: number;
  top: number;
  width: number;
  height: number;
  /** Device pixels per CSS pixel. */
  ratio: number;
  x(time: number): number;
}

export interface MarkColors {
  band: string;
  line: string;
  text: string;
}

/** Above so many marks in view their labels would only cover each other. */
const LABELS = 5;

/** Bands behind the data: shaded, with edges, the open end reaching the right border. Colours come resolved. */
export function drawMarks(plot: Plot, marks: readonly Mark[], colors: MarkColors): void {
  const { ctx, left, top, width, height, ratio } = plot;
  const right = left + width;
  const clamp = (value: number): number => Math.min(right, Math.max(left, value));
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  for (const mark of marks) {
    if (mark.type === 'band') {
      const from = clamp(plot.x(mark.from));
      const to = Math.max(from + 2 * ratio, mark.to === null ? right : clamp(plot.x(mark.to)));
      ctx.globalAlpha = 0.17;
      ctx.fillStyle = colors.band;
      ctx.fillRect(from, top, to - from, height);
      ctx.globalAlpha = 0.9;
      ctx.fillRect(from, top, to - from, 3 * ratio);
      ctx.globalAlpha = 0.55;
      ctx.fillRect(from, top, ratio, height);
      if (mark.to !== null) ctx.fillRect(to - ratio, top, ratio, height);
    } else {
      const x = Math.round(plot.x(mark.at));
      ctx.globalAlpha = 0.85;
      ctx.strokeStyle = colors.line;
      ctx.lineWidth = ratio;
      ctx.setLineDash(mark.kind === 'job-state' ? [] : [3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x + 0.5, top);
      ctx.lineTo(x + 0.5, top + height);
      ctx.stroke();
    }
  }
  if (marks.length <= LABELS) drawLabels(plot, marks, colors.text);
  ctx.restore();
}

/** Beside its line each, on the left where the right has no room; one that would cover another goes below it, or is left out. */
function drawLabels({ ctx, left, top, width, ratio, x }: Plot, marks: readonly Mark[], color: string): void {
  const right = left + width;
  const ends = [left - 1, left - 1];
  ctx.globalAlpha = 1;
  ctx.fillStyle = color;
  for (const mark of marks) {
    const line = Math.min(right, Math.max(left, x(mark.type === 'band' ? mark.from : mark.at)));
    const size = ctx.measureText(mark.label).width;
    const at = line + 4 * ratio + size <= right ? line + 4 * ratio : line - 4 * ratio - size;
    const row = ends.findIndex((end) => at > end);
    if (row < 0) continue;
    ctx.fillText(mark.label, at, top + (5 + row * 13) * ratio);
    ends[row] = at + size + 6 * ratio;
  }
}

/** Diagonal lines over a stretch without data, so that it reads as a gap and not as a quiet time. */
export function drawHatch(plot: Plot, from: number, to: number, color: string): void {
  const { ctx, top, height, ratio } = plot;
  const x0 = Math.max(plot.left, from);
  const x1 = Math.min(plot.left + plot.width, to);
  if (x1 <= x0) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(x0, top, x1 - x0, height);
  ctx.clip();
  ctx.globalAlpha = 0.4;
  ctx.strokeStyle = color;
  ctx.lineWidth = ratio;
  ctx.beginPath();
  const step = 7 * ratio;
  for (let x = Math.floor((x0 - height) / step) * step; x < x1; x += step) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

/** Says in the middle of the plot why there is no line; what lies below the words makes room for them. */
export function drawNote(plot: Plot, text: string, color: string): void {
  const { ctx, left, top, width, height, ratio } = plot;
  ctx.save();
  ctx.font = `${13 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  const words = { width: ctx.measureText(text).width + 16 * ratio, height: 20 * ratio };
  ctx.clearRect(left + (width - words.width) / 2, top + (height - words.height) / 2, words.width, words.height);
  ctx.fillStyle = color;
  ctx.fillText(text, left + width / 2, top + height / 2);
  ctx.restore();
}
