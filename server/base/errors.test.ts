import { describe, expect, it } from 'vitest';
import { messageOf, UsageError, WeirError } from './errors.ts';

describe('errors', () => {
  it('have a code for programs and a message for people; wrong usage is one of them', () => {
    const cause = new Error('why');
    const error = new WeirError('SOME_CODE', 'what happened', { cause });
    expect([error.code, error.message, error.cause, error.name, error instanceof Error]).toEqual([
      'SOME_CODE',
      'what happened',
      cause,
      'WeirError',
      true,
    ]);
    const usage = new UsageError('no such flag');
    expect([usage.code, usage instanceof WeirError]).toEqual(['USAGE', true]);
  });

  it('anything that was thrown has a message', () => {
    expect([messageOf(new Error('a')), messageOf('b'), messageOf(null), messageOf({ toString: () => 'c' })]).toEqual([
      'a',
      'b',
      'null',
      'c',
    ]);
  });
});
