/** What a real Flink gave for inputs in `e2e/golden`. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { JobWindows } from '#shared/live.ts';
import type { ModelRow } from '#testing/reference-model.ts';

/** Inputs whose disorder stays inside the bound. */
export const ON_TIME = new Set(['bounded', 'inorder', 'malformed', 'nyc-weather']);

const GOLDEN = new URL('./golden/', import.meta.url);

export interface GoldenCase {
  readonly name: string;
  readonly input: Buffer;
  /** As flags say it. */
  readonly windowing: readonly string[];
  readonly window: JobWindows;
  readonly latenessMs: number;
  readonly windows: ModelRow[];
  readonly errors: { reason: string; field: string | null; payload: string }[];
  readonly late: [string, number, number, number, number][];
}

export function goldenCases(): GoldenCase[] {
  const inputs = readdirSync(GOLDEN, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return inputs.flatMap(({ name }) => {
    const results = readdirSync(new URL(`${name}/`, GOLDEN)).filter((entry) => entry.includes('-late'));
    return results.map((result) => {
      const [, kind, size, slide, lateness] = /^(\w+)-(\d+)(?:-(\d+))?-late(\d+)$/.exec(result) ?? [];
      const length = slide === undefined ? `${size}ms` : `${size}ms/${slide}ms`;
      const rows = <T>(file: string) => readRows<T>(new URL(`${name}/${result}/${file}.ndjson.gz`, GOLDEN));
      return {
        name,
        input: gunzipSync(readFileSync(new URL(`${name}/input.ndjson.gz`, GOLDEN))),
        windowing: [kind === 'session' ? '--session' : '--window', length],
        window: windowOf(kind, Number(size), Number(slide)),
        latenessMs: Number(lateness),
        windows: rows<ModelRow>('windows'),
        errors: rows<GoldenCase['errors'][number]>('errors'),
        late: rows<GoldenCase['late'][number]>('late'),
      };
    });
  });
}

/** Flink wrote no file where there was nothing to write. */
function readRows<T>(file: URL): T[] {
  if (!existsSync(file)) return [];
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n');
  return lines.map((line): T => JSON.parse(line));
}

function windowOf(kind: string | undefined, sizeMs: number, slideMs: number): JobWindows {
  if (kind === 'session') return { kind, gapMs: sizeMs };
  return kind === 'sliding' ? { kind, sizeMs, slideMs } : { kind: 'tumbling', sizeMs };
}
