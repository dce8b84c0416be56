import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeDirectories } from './directories.ts';

const scratch = mkdtempSync(join(tmpdir(), 'weir-directories-'));
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

describe('directories', () => {
  it('are made with those above them; the first that was not there is told', () => {
    expect(makeDirectories(join(scratch, 'a/b/c'))).toBe(join(scratch, 'a'));
    expect(makeDirectories(join(scratch, 'a/b/c'))).toBeUndefined();
    expect(existsSync(join(scratch, 'a/b/c'))).toBe(true);
  });

  it('are refused for the true reason', () => {
    makeDirectories(scratch);
    writeFileSync(join(scratch, 'file'), '');
    expect(() => makeDirectories(join(scratch, 'file/below'))).toThrow('ENOTDIR');
    expect(() => makeDirectories(join(scratch, 'file'))).toThrow('EEXIST');
  });

  it.runIf(existsSync('/proc/self'))('are refused below /proc, where nobody can make any', () => {
    expect(() => makeDirectories('/proc/somewhere/below')).toThrow('ENOENT');
  });
});
