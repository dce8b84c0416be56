import { describe, expect, it } from 'vitest';
import { keyName } from './key-name.ts';

const press = (key: string, change: Partial<KeyboardEvent> = {}): string | null =>
  keyName({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...change });

describe('key names', () => {
  it('are the characters themselves', () => {
    expect(press('p')).toBe('p');
    expect(press('?', { shiftKey: true })).toBe('?');
  });
  it('tell shifted letters apart', () => expect(press('X', { shiftKey: true })).toBe('Shift+X'));
  it('leave the browser its own', () => {
    expect(press('p', { ctrlKey: true })).toBeNull();
    expect(press('Shift', { shiftKey: true })).toBeNull();
  });
});
