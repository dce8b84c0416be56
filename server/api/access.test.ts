import { describe, expect, it } from 'vitest';
import { Access } from './access.ts';

const at = (host: string, token: string | null = null, tokenRead = false): Access =>
  new Access({ host, token, tokenRead });

describe('access', () => {
  it('takes a page for its own only when its origin is the host it talks to', () => {
    const access = at('127.0.0.1');
    expect(access.allows({ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' })).toBe(true);
    expect(access.allows({ host: 'localhost:8080' })).toBe(true);
    expect(access.allows({ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:3000' })).toBe(false);
    expect(access.allows({ host: '127.0.0.1:8080', origin: 'null' })).toBe(false);
    expect(access.allows({})).toBe(false);
  });

  it('refuses names that were made to point at this machine', () => {
    const access = at('127.0.0.1');
    expect(access.allows({ host: 'evil.example:8080', origin: 'http://evil.example:8080' })).toBe(false);
    expect(access.allows({ host: '[::1]:8080' })).toBe(true);
    expect(at('0.0.0.0', 't').allows({ host: 'weir.example:8080', origin: 'http://weir.example:8080' })).toBe(true);
  });

  it('asks for a token only where there is one', () => {
    expect(at('127.0.0.1').rights(null)).toEqual({ read: true, command: true });
    expect(at('0.0.0.0', 't').rights(null)).toEqual({ read: true, command: false });
    expect(at('0.0.0.0', 't', true).rights('x')).toEqual({ read: false, command: false });
    expect(at('0.0.0.0', 't', true).rights('t')).toEqual({ read: true, command: true });
  });
});
