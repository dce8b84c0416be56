import type { ShownWindows } from '../../live/windows-book.ts';
import { change, type Sensor } from './sensors.ts';

export const CHARTS = 6;

/**
 * Devices that get a chart: the pinned ones, else those that were there before, filled up with those that changed most.
 * Keeping the old ones matters: charts that swap places under the reader are worse than charts that are not the top six.
 */
export function pickDevices(
  windows: ShownWindows,
  pinned: readonly string[],
  before: readonly string[],
  sensor: Sensor | undefined,
): string[] {
  if (pinned.length > 0) return [...pinned];
  const sent = new Set(windows.devices);
  const kept = before.filter((device) => sent.has(device)).slice(0, CHARTS);
  if (kept.length === CHARTS || !sensor) return kept.length > 0 ? kept : windows.devices.slice(0, CHARTS);
  const moved = new Map(windows.devices.map((device) => [device, change(windows.byDevice.get(device) ?? [], sensor)]));
  const others = windows.devices.filter((device) => !kept.includes(device));
  others.sort((a, b) => (moved.get(b) ?? 0) - (moved.get(a) ?? 0));
  return [...kept, ...others].slice(0, CHARTS);
}
