import type { ResumeWish, SavepointDetails, SavepointsView } from '#shared/savepoints.ts';

/** What the page asks the server for over HTTP. Rejects with the server's sentence, or with one that says that it does not answer. */
async function ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/savepoints${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new Error('The server does not answer.');
  }
  const answer: unknown = await response.json().catch(() => ({}));
  if (response.ok) return answer as T;
  const { error = `The server answered with status ${response.status}.` } = answer as { error?: string };
  throw new Error(error);
}

const at = (name: string): string => `/${encodeURIComponent(name)}`;

export const listSavepoints = (): Promise<SavepointsView> => ask('GET', '');
export const inspectSavepoint = (name: string): Promise<SavepointDetails> => ask('GET', at(name));
export const takeSavepoint = (kind: 'savepoint' | 'stop' | 'drain'): Promise<{ path: string }> =>
  ask('POST', '', { kind });
export const disposeSavepoint = (name: string): Promise<unknown> => ask('DELETE', at(name));
export const resumeFrom = (name: string, wish: ResumeWish): Promise<unknown> => ask('POST', `${at(name)}/resume`, wish);
