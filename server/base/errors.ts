/**
 * One error type for everything Weir refuses or gives up on. `code` is stable and meant for programs, the message is meant for people:
 * it names what, where and what to do.
 */
export class WeirError extends Error {
  readonly code: string;
  override readonly name = 'WeirError';

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A request that can never work as written (wrong flag, wrong setting): the command line exits with 2, HTTP answers 400. */
export class UsageError extends WeirError {
  constructor(message: string, options?: ErrorOptions) {
    super('USAGE', message, options);
  }
}

/** Message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
