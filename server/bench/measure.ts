/** Medians, ratios and how they are written. */

export interface Series {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly values: readonly number[];
}

/** Of at least one value. */
export function series(values: readonly number[]): Series {
  if (values.length === 0) throw new RangeError('A series needs a value.');
  const sorted = [...values].sort((a, b) => a - b);
  return { median: medianOf(sorted), min: sorted[0] as number, max: sorted.at(-1) as number, values };
}

function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** One run of something. */
export interface Pass {
  /** Events (or lines) that went through. */
  readonly units: number;
  /** Units per second. */
  readonly rate: number;
}

/** One thing against its yardstick, measured in turns. */
export interface Comparison {
  readonly subject: Series;
  readonly yardstick: Series;
  /** Median of the subject over that of the yardstick. */
  readonly ratio: number;
  /** Lowest and highest ratio of a run of the subject and the run of the yardstick right behind it. */
  readonly ratioMin: number;
  readonly ratioMax: number;
  /** Nanoseconds of processor time per unit, over all threads of the process: says more than speed where others use the machine too. */
  readonly subjectCpu: Series;
  readonly yardstickCpu: Series;
  /** Processor time of the yardstick over that of the subject. */
  readonly cpuRatio: number;
}

interface Measured {
  readonly rate: number;
  readonly cpu: number;
}

/**
 * A B A B …, so that what the machine does meanwhile happens to both: `runs` times each, after `warmUps` of each that do not count.
 */
export async function compare(
  runs: number,
  subject: () => Promise<Pass>,
  yardstick: () => Promise<Pass>,
  warmUps = 2,
): Promise<Comparison> {
  const a: Measured[] = [];
  const b: Measured[] = [];
  for (let i = 0; i < warmUps + runs; i++) {
    const first = await measured(subject);
    const second = await measured(yardstick);
    if (i < warmUps) continue;
    a.push(first);
    b.push(second);
  }
  return comparison(a, b);
}

async function measured(run: () => Promise<Pass>): Promise<Measured> {
  const before = process.cpuUsage();
  const { units, rate } = await run();
  const { user, system } = process.cpuUsage(before);
  return { rate, cpu: ((user + system) * 1000) / units };
}

export function comparison(subject: readonly Measured[], yardstick: readonly Measured[]): Comparison {
  const pairs = subject.map(({ rate }, i) => rate / (yardstick[i] as Measured).rate);
  const of = series(subject.map((m) => m.rate));
  const against = series(yardstick.map((m) => m.rate));
  const subjectCpu = series(subject.map((m) => m.cpu));
  const yardstickCpu = series(yardstick.map((m) => m.cpu));
  return {
    subject: of,
    yardstick: against,
    ratio: of.median / against.median,
    ratioMin: Math.min(...pairs),
    ratioMax: Math.max(...pairs),
    subjectCpu,
    yardstickCpu,
    cpuRatio: yardstickCpu.median / subjectCpu.median,
  };
}

/** Median of the slopes between all pairs of points: a few outliers do not bend it. 0 for fewer than two points. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const [x1, y1] = points[i] as readonly [number, number];
      const [x2, y2] = points[j] as readonly [number, number];
      if (x2 !== x1) slopes.push((y2 - y1) / (x2 - x1));
    }
  }
  return slopes.length === 0 ? 0 : medianOf(slopes.sort((a, b) => a - b));
}

/** `31.2 [29.8..32.0]`, in millions. */
export function millions({ median, min, max }: Series): string {
  const m = (value: number): string => {
    const scaled = value / 1e6;
    return scaled.toFixed(scaled < 10 ? 2 : 1);
  };
  return `${m(median)} [${m(min)}..${m(max)}]`;
}

/** `0.52 [0.48..0.55]` */
export function ratioText({ ratio, ratioMin, ratioMax }: Comparison): string {
  return `${ratio.toFixed(2)} [${ratioMin.toFixed(2)}..${ratioMax.toFixed(2)}]`;
}

/** `45 / 18: 0.40`, nanoseconds of processor time per unit. */
export function cpuText({ subjectCpu, yardstickCpu, cpuRatio }: Comparison): string {
  return `${subjectCpu.median.toFixed(0)} / ${yardstickCpu.median.toFixed(0)}: ${cpuRatio.toFixed(2)}`;
}
