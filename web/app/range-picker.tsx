import { Segmented } from '../ui/segmented.tsx';
import { RANGES, type Range, useRange } from './range.ts';

const NAMES: Record<Range, string> = { '1m': '1 min', '5m': '5 min', '15m': '15 min' };

export function RangePicker() {
  const { range, setRange } = useRange();
  const options = (Object.keys(RANGES) as Range[]).map((value) => ({ value, label: NAMES[value] }));
  return <Segmented label="Time range of the charts" options={options} value={range} onChange={setRange} />;
}
