/**
 * What a run has come to. Anything but the very rows of the model is a failure, with one exception: where the disk has said that something was
 * synced and it was not, rows may be missing if the job has named the part that they were in.
 */

export type Outcome =
  | 'equal'
  /** The disk had lied, and the job has named every part that it has lost. */
  | 'reported'
  | 'lost'
  | 'doubled'
  /** Rows that are not of this job. */
  | 'wrong'
  | 'stuck'
  | 'uncommitted'
  | 'changed';

export interface Verdict {
  readonly seed: number;
  readonly outcome: Outcome;
  readonly text: string;
  readonly steps: number;
  readonly ms: number;
  readonly checkpoints: number;
  readonly restarts: number;
}

export function failed({ outcome }: Verdict): boolean {
  return outcome !== 'equal' && outcome !== 'reported';
}

/** A visible part. */
export interface SeenPart {
  readonly path: string;
  readonly content: string;
}

export interface Judged {
  readonly outcome: Outcome;
  readonly text: string;
}

export interface Evidence {
  /** Rows that must be in each directory. */
  readonly expected: ReadonlyMap<string, readonly string[]>;
  /** Directory that those are in. */
  readonly output: string;
  readonly parts: readonly SeenPart[];
  /** The disk has lied about a sync. */
  readonly lied: boolean;
  /** What the job has said of damage and of failures. */
  readonly reports: readonly string[];
}

/** Of a job that has finished. */
export function judge({ expected, output, parts, lied, reports }: Evidence): Judged {
  const differences: string[] = [];
  const found = new Set<Outcome>();
  for (const [name, wanted] of expected) {
    const here = parts.filter(({ path }) => path.startsWith(`${output}/${name}/`));
    const rows = here.flatMap((part) => rowsOf(part).map((row) => ({ row, part })));
    const missing = without(
      wanted.map((row) => ({ row })),
      rows,
    );
    const extra = without(
      rows,
      wanted.map((row) => ({ row })),
    );
    const known = new Set(wanted);
    // What is left of a part is no row of the model: it counts as the loss of that part, if the job has named it.
    const unnamed = extra.filter(({ row, part }) => known.has(row) || !(lied && named(part.path, reports)));
    if (missing.length > 0) found.add(lied && saysLost(reports, `${output}/${name}/`) ? 'reported' : 'lost');
    for (const { row } of unnamed) found.add(known.has(row) ? 'doubled' : 'wrong');
    if (missing.length > 0)
      differences.push(`${name} lacks ${missing.length} of ${wanted.length}: ${some(missing.map(({ row }) => row))}`);
    if (extra.length > 0)
      differences.push(
        `${name} has ${extra.length} too many: ${some(extra.map(({ row, part }) => `${row} in ${part.path}`))}`,
      );
  }
  const outcome = (['lost', 'doubled', 'wrong', 'reported'] as const).find((one) => found.has(one)) ?? 'equal';
  const text = differences.join('; ');
  return { outcome, text: outcome === 'equal' ? text : `${text}; said: ${reports.join('; ')}` };
}

/** Of a job that has not finished long after the last fault. Only what a lying disk has lost of the output may keep it from its end. */
export function judgeStuck(state: string, lied: boolean, reports: readonly string[]): Judged {
  const why = reports.at(-1) ?? '';
  if (lied && saysLost([why], '')) return { outcome: 'reported', text: why };
  return { outcome: 'stuck', text: `faults have ended, and the job has not (${state}); ${why}` };
}

/** Whether the job has named a part as lost or damaged: `connectors/file/part-committer.ts`. */
function saysLost(reports: readonly string[], directory: string): boolean {
  return reports.some((said) => said.includes(directory) && LOST.test(said));
}

const LOST = /part-\d+-\d+\.\w+(\.inprogress)? .*(is gone|has \d+ bytes instead of|is not what was written)/;

function named(path: string, reports: readonly string[]): boolean {
  return reports.some((said) => said.includes(path) && LOST.test(said));
}

function rowsOf({ content }: SeenPart): string[] {
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map(plain);
}

function plain(line: string): string {
  try {
    return JSON.stringify(Object.values(JSON.parse(line) as object));
  } catch {
    return line;
  }
}

/** Multiset difference. */
function without<T extends { readonly row: string }>(rows: readonly T[], others: readonly { row: string }[]): T[] {
  const counts = new Map<string, number>();
  for (const { row } of others) counts.set(row, (counts.get(row) ?? 0) + 1);
  return rows.filter(({ row }) => {
    const left = counts.get(row) ?? 0;
    counts.set(row, left - 1);
    return left <= 0;
  });
}

const some = (rows: readonly string[]): string => rows.slice(0, 3).join(' ');
