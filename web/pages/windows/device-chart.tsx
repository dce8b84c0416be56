import { memo } from 'react';
import {
  Area,
  CartesianGrid,
  ComposedChart,
  Line,
  ReferenceArea,
  ReferenceLine,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts';
import type { Mark } from '../../charts/marks.ts';
import type { Axis } from '../../charts/scale.ts';
import { formatTime } from '../../ui/format.ts';
import type { Point } from './chart-points.ts';
import { PLOT } from './place-filling.ts';
import { formatTick, formatValue } from './sensors.ts';

export interface DeviceChartProps {
  label: string;
  points: Point[];
  marks: Mark[];
  domainX: [number, number];
  axisY: Axis;
  unit: string;
  width: number;
  height: number;
}

const TICK = { fill: 'var(--muted)', fontSize: 11 };

/** Band from min to max and line of the averages. Draws, and decides nothing. */
export const DeviceChart = memo(function DeviceChart(props: DeviceChartProps) {
  const { label, points, marks, domainX, axisY, unit, width, height } = props;
  return (
    <ComposedChart
      width={width}
      height={height}
      data={points}
      margin={{ top: PLOT.top, right: PLOT.right, bottom: 0, left: 0 }}
      accessibilityLayer
      title={label}
    >
      <CartesianGrid stroke="var(--grid)" vertical={false} />
      <XAxis
        dataKey="t"
        type="number"
        domain={domainX}
        allowDataOverflow
        tickCount={4}
        tickFormatter={formatTime}
        tick={TICK}
        tickLine={false}
        axisLine={{ stroke: 'var(--line)' }}
        height={PLOT.bottom}
        minTickGap={24}
      />
      <YAxis
        domain={axisY.domain}
        ticks={axisY.ticks}
        interval={0}
        allowDataOverflow
        tickFormatter={formatTick}
        tick={TICK}
        tickLine={false}
        axisLine={false}
        width={PLOT.left}
      />
      {marks.map((mark) =>
        mark.type === 'band' ? (
          <ReferenceArea
            key={`band-${mark.id}`}
            x1={Math.max(domainX[0], mark.from)}
            x2={Math.min(domainX[1], mark.to ?? domainX[1])}
            fill="var(--mark)"
            fillOpacity={0.16}
            stroke="var(--mark)"
            strokeOpacity={0.5}
            ifOverflow="hidden"
          />
        ) : (
          <ReferenceLine
            key={`line-${mark.id}`}
            x={mark.at}
            stroke="var(--control)"
            strokeDasharray={mark.kind === 'job-state' ? 'none' : '3 3'}
            ifOverflow="hidden"
          />
        ),
      )}
      <Area
        dataKey="band"
        type="linear"
        stroke="none"
        fill="var(--series-1)"
        fillOpacity={0.22}
        isAnimationActive={false}
        activeDot={false}
        connectNulls={false}
      />
      <Line
        dataKey="avg"
        type="linear"
        stroke="var(--series-1)"
        strokeWidth={1.8}
        dot={points.length < 2}
        isAnimationActive={false}
        connectNulls={false}
      />
      <Tooltip
        isAnimationActive={false}
        cursor={{ stroke: 'var(--control)' }}
        content={({ active, payload }) => {
          const point: Point | undefined = payload?.[0]?.payload;
          if (!active || !point?.band || point.avg === null) return null;
          return (
            <div className="rounded-md border border-control bg-card px-2.5 py-1.5 text-xs">
              <p className="text-muted">window end {formatTime(point.t)}</p>
              <p>
                avg <strong>{formatValue(point.avg)}</strong> {unit}, min {formatValue(point.band[0])}, max{' '}
                {formatValue(point.band[1])}
              </p>
            </div>
          );
        }}
      />
    </ComposedChart>
  );
});
