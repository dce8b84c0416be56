import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { removeTemporary, servedCheckpoints } from './serve-checkpoints.ts';

describe('a served job', () => {
  it('takes checkpoints by itself, in a directory that no other server has, and that goes with it', () => {
    const [one, other] = [servedCheckpoints({}, null), servedCheckpoints({}, null)];
    expect(one.flags).toEqual({ checkpointInterval: 10_000, checkpointDir: one.temporary });
    expect(one.temporary).not.toBe(other.temporary);
    const [mine, theirs] = [one.temporary as string, other.temporary as string];
    mkdirSync(join(theirs, 'savepoint-iot-0'));
    expect(removeTemporary(mine)).toEqual([]);
    expect(existsSync(mine)).toBe(false);
    expect(removeTemporary(theirs)).toEqual([join(theirs, 'savepoint-iot-0')]);
    expect(existsSync(theirs)).toBe(true);
    rmSync(theirs, { recursive: true });
  });

  it('keeps them where it was told, beside its results, or takes none', () => {
    expect(servedCheckpoints({ checkpointDir: '/kept' }, null)).toEqual({
      flags: { checkpointInterval: 10_000, checkpointDir: '/kept' },
      temporary: null,
    });
    expect(servedCheckpoints({ checkpointInterval: 500 }, '/results').temporary).toBe(null);
    expect(servedCheckpoints({ checkpointInterval: 'off' }, null)).toEqual({
      flags: { checkpointInterval: 'off' },
      temporary: null,
    });
    expect(() => servedCheckpoints({ resume: 'latest' }, null)).toThrow(/give --checkpoint-dir/);
  });
});
