/**
 * Who may look and who may change something.
 *
 *   bound to loopback        everybody on this machine, no token; a `Host` other than this machine is refused (DNS rebinding)
 *   bound elsewhere          a token changes things; with `tokenRead` it is needed for the live data too
 *   a page of another site   refused, always: the `Origin` of a browser has to be the `Host` it talks to
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

export interface AccessOptions {
  /** Address the server is bound to. */
  host: string;
  /** Null: no token is asked for. */
  token: string | null;
  /** Reading needs the token too. */
  tokenRead: boolean;
}

export interface Rights {
  read: boolean;
  command: boolean;
}

export class Access {
  readonly #options: AccessOptions;
  readonly #digest: Buffer | null;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#digest = options.token === null ? null : digest(options.token);
  }

  /** Whether `Host` and `Origin` of a request are those of a visitor of this server itself. */
  allows(headers: IncomingHttpHeaders): boolean {
    const { host, origin } = headers;
    if (host === undefined) return false;
    if (isLoopback(this.#options.host) && !isLoopback(hostName(host))) return false;
    if (origin === undefined) return true;
    return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
  }

  rights(token: string | null): Rights {
    if (this.#digest === null) return { read: true, command: true };
    const right = token !== null && timingSafeEqual(digest(token), this.#digest);
    return { read: right || !this.#options.tokenRead, command: right };
  }
}

/** Whether a host name or address means this machine. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return isIP(name) === 4 ? name.startsWith('127.') : name === '::1';
}

/** `example.org` of `example.org:8080`, `::1` of `[::1]:8080`. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](:\d+)?$/.exec(host);
  return bracketed?.[1] ?? host.replace(/:\d+$/, '');
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
