import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const SERVER = new URL('../', import.meta.url);
const E2E = new URL('../../e2e/', import.meta.url);
const SPEC = readFileSync(new URL('engine/SPEC.md', SERVER), 'utf8');

/** Ids of the rules: `**W27**`, and `**V1**–**V12**` for all between. */
function rules(): Set<string> {
  const ids = new Set<string>();
  for (const [, id] of SPEC.matchAll(/\*\*([A-Z]{1,2}\d+)\*\*/g)) ids.add(id as string);
  for (const [, letters, first, last] of SPEC.matchAll(/\*\*([A-Z]{1,2})(\d+)\*\*–\*\*\1(\d+)\*\*/g)) {
    for (let n = Number(first); n <= Number(last); n++) ids.add(`${letters}${n}`);
  }
  return ids;
}

/** What test files of the server, and those of the whole program, call their tests. */
function titles(): string {
  return [SERVER, E2E]
    .flatMap((room) => readdirSync(room, { recursive: true, encoding: 'utf8' }).map((file) => new URL(file, room)))
    .filter(({ pathname }) => pathname.endsWith('.test.ts') && !pathname.endsWith('testing/spec.test.ts'))
    .flatMap((file) =>
      [
        ...readFileSync(file, 'utf8').matchAll(
          /\b(?:it|describe)(?:\.each\([^()]*\))?\(\s*(['"`])((?:\\.|(?!\1)[\s\S])*)\1/g,
        ),
      ].map(([, , title]) => title as string),
    )
    .join('\n');
}

describe('SPEC.md', () => {
  it('every rule stands in the title of a test', () => {
    const all = titles();
    const known = rules();
    expect(known.size).toBeGreaterThan(120);
    expect([...known].filter((id) => !new RegExp(`\\b${id}\\b`).test(all))).toEqual([]);
  });

  it('every rule that a test of the engine names is in it', () => {
    const known = rules();
    const named = [...titles().matchAll(/^([A-Z]{1,2}\d+) /gm)].map(([, id]) => id as string);
    const families = new Set([...known].map((id) => id.replace(/\d+/, '')));
    expect(named.filter((id) => families.has(id.replace(/\d+/, '')) && !known.has(id))).toEqual([]);
  });
});
