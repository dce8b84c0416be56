import { expect, it } from 'vitest';
import { valueState } from './descriptors.ts';
import { migrationOf } from './migration.ts';

it('KP10 migrate is told the version that was stored, also when the state itself is of the new one already', () => {
  const table = { name: 'n', kind: 'value' as const, version: 1, timed: false };
  const declared = valueState<string>('n', { version: 3, migrate: (stored, version) => `${version} ${stored}` });
  const migrate = migrationOf(table, declared, 'operator');
  table.version = 3;
  expect(migrate?.('x')).toBe('1 x');
});
