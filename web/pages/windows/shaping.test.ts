import { describe, expect, it } from 'vitest';
import { sampleResult } from '../../live/sample-frames.ts';
import type { ShownWindows, WindowRow } from '../../live/windows-book.ts';
import { chartPoints, fillingWindow } from './chart-points.ts';
import { pickDevices } from './pick-devices.ts';
import { placeFilling } from './place-filling.ts';
import { sensorsOf } from './sensors.ts';
import { windowsCsv } from './windows-csv.ts';

const AGGREGATES = ['count', 'temperature_min', 'temperature_max', 'temperature_avg', 'odd_min'];
const [sensor] = sensorsOf(AGGREGATES);
const row = (id: number, start: number, values = [1, 20, 22, 21], device = 'd1'): WindowRow => ({
  result: sampleResult(id, start, { values, device }),
  was: null,
});

describe('windows for charts', () => {
  it('finds sensors by their three columns', () => {
    expect(sensorsOf(AGGREGATES)).toEqual([{ name: 'temperature', unit: '°C', min: 1, max: 2, avg: 3 }]);
  });

  it('breaks the line where windows are missing', () => {
    if (!sensor) throw new Error('no sensor');
    const points = chartPoints([row(1, 0), row(2, 5000), row(3, 20_000)], sensor, 5000);
    expect(points.map(({ t, avg }) => [t, avg])).toEqual([
      [5000, 21],
      [10_000, 21],
      [15_000, null],
      [25_000, 21],
    ]);
  });

  it('never draws more than 120 points', () => {
    if (!sensor) throw new Error('no sensor');
    const rows = Array.from({ length: 300 }, (_, i) => row(i, i * 10_000));
    expect(chartPoints(rows, sensor, 5000)).toHaveLength(120);
  });

  it('shows the open window that closes next, and how far the watermark has come', () => {
    if (!sensor) throw new Error('no sensor');
    const open = [
      { device: 'd1', start: 10_000, end: 15_000, values: [4, 1, 3, 2] },
      { device: 'd1', start: 5000, end: 10_000, values: [9, 1, 3, 2] },
      { device: 'd2', start: 0, end: 5000, values: [9, 1, 3, 2] },
    ];
    expect(fillingWindow(open, 'd1', sensor, 0, 8000)).toMatchObject({ start: 5000, count: 9, progress: 0.6 });
    expect(fillingWindow(open, 'd1', sensor, 0, null)).toMatchObject({ progress: 0 });
    // What has fired and is kept for late events only is not filling any more.
    expect(fillingWindow(open, 'd1', sensor, 0, 10_000)).toMatchObject({ start: 10_000, progress: 0 });
    expect(fillingWindow(open, 'd3', sensor, 0, 8000)).toBeNull();
  });
});

it('puts the bar of an open window where the chart has its time and values', () => {
  const filling = { start: 5000, end: 10_000, min: 0, max: 5, avg: 2.5, count: 1, progress: 0 };
  const place = placeFilling(filling, { domainX: [0, 10_000], domainY: [0, 10], width: 156, height: 126 });
  expect(place).toEqual({ left: 98, top: 56, width: 50, height: 50, avg: 25 });
});

describe('devices on charts', () => {
  const byDevice = new Map<string, WindowRow[]>();
  for (let i = 0; i < 9; i++) {
    byDevice.set(`d${i}`, [row(1, 0, [1, 0, 0, 0], `d${i}`), row(2, 5000, [1, 0, 0, i], `d${i}`)]);
  }
  const windows: ShownWindows = { devicesSeen: 9, devices: [...byDevice.keys()], byDevice, open: [], rows: [] };

  it('are the pinned ones', () => expect(pickDevices(windows, ['x', 'd1'], [], sensor)).toEqual(['x', 'd1']));
  it('are those that changed most', () => {
    expect(pickDevices(windows, [], [], sensor)).toEqual(['d8', 'd7', 'd6', 'd5', 'd4', 'd3']);
  });
  it('stay where they were', () => {
    expect(pickDevices(windows, [], ['d0', 'gone', 'd1'], sensor)).toEqual(['d0', 'd1', 'd8', 'd7', 'd6', 'd5']);
  });
});

it('exports the columns of the sink, then pane and time', () => {
  expect(windowsCsv([row(1, 0)], AGGREGATES.slice(0, 4))).toBe(
    'device_id,window_start,window_end,count,temperature_min,temperature_max,temperature_avg,pane,emitted_at\nd1,0,5000,1,20,22,21,on-time,9000\n',
  );
});
