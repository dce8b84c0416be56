import { useEffect, useRef } from 'react';
import { useColors } from '../ui/theme.ts';

interface SparklineProps {
  values: Float64Array;
  label: string;
  color: string;
  width?: number;
  height?: number;
}

/** A tiny line without axes on a zero base; NaN is a gap. */
export function Sparkline({ values, label, color, width = 96, height = 22 }: SparklineProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colors = useColors();

  useEffect(() => {
    const element = canvas.current;
    const ctx = element?.getContext('2d');
    if (!element || !ctx) return;
    const ratio = devicePixelRatio || 1;
    element.width = width * ratio;
    element.height = height * ratio;
    ctx.scale(ratio, ratio);
    let top = 0;
    for (const value of values) if (value > top) top = value;
    const x = (i: number): number => 1 + (i / Math.max(1, values.length - 1)) * (width - 2);
    const y = (value: number): number => height - 2 - (top === 0 ? 0 : (value / top) * (height - 4));
    ctx.strokeStyle = colors(color);
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    let drawing = false;
    for (const [i, value] of values.entries()) {
      if (Number.isNaN(value)) drawing = false;
      else if (drawing) ctx.lineTo(x(i), y(value));
      else {
        ctx.moveTo(x(i), y(value));
        drawing = true;
      }
    }
    ctx.stroke();
  }, [values, color, width, height, colors]);

  return <canvas ref={canvas} role="img" aria-label={label} style={{ width, height }} />;
}
