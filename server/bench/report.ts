/** What a bench gives back, and how it is printed. */

import { availableParallelism, cpus } from 'node:os';

export interface Report {
  readonly bench: string;
  /** What was asked, in one sentence. */
  readonly question: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** One line each. */
  readonly notes: readonly string[];
  /** The same numbers, for programs. */
  readonly data: unknown;
}

export interface Machine {
  readonly node: string;
  readonly v8: string;
  readonly cores: number;
  readonly cpu: string;
  readonly measuredAt: string;
}

export function machine(): Machine {
  return {
    node: process.version,
    v8: process.versions.v8,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    measuredAt: new Date().toISOString(),
  };
}

export function describeMachine({ node, v8, cores, cpu, measuredAt }: Machine): string {
  return `${measuredAt}  Node ${node} (V8 ${v8})  ${cores} cores of ${cpu}`;
}

/** Columns padded to their widest cell; the first is left-aligned, the others are not. */
export function describeReport({ bench, question, columns, rows, notes }: Report): string {
  const table = [columns, ...rows];
  const widths = columns.map((_, c) => Math.max(...table.map((row) => (row[c] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `  ${widths.map((width, c) => (c === 0 ? (row[c] ?? '').padEnd(width) : (row[c] ?? '').padStart(width))).join('  ')}`.trimEnd();
  const ruler = `  ${widths.map((width) => '-'.repeat(width)).join('  ')}`;
  return [
    `${bench}: ${question}`,
    '',
    line(columns),
    ruler,
    ...rows.map(line),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `  ${note}`)] : []),
    '',
  ].join('\n');
}
