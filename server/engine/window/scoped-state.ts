/** Handles of several namespaces side by side, as a window function has them: each enters its own before it does anything. */

import type { KeyedState } from '../state/keyed-state.ts';

export class ScopedStates {
  readonly #enter: () => void;
  readonly #scoped = new Map<KeyedState, KeyedState>();

  constructor(enter: () => void) {
    this.#enter = enter;
  }

  /** The same handle for the same handle. */
  of<S extends KeyedState>(handle: S): S {
    const known = this.#scoped.get(handle);
    if (known !== undefined) return known as S;
    const methods = new Map<string | symbol, (...args: readonly unknown[]) => unknown>();
    const scoped = new Proxy(handle, {
      get: (target, name) => {
        const method = methods.get(name);
        if (method !== undefined) return method;
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        const entering = (...args: readonly unknown[]): unknown => {
          this.#enter();
          return Reflect.apply(member, target, args);
        };
        methods.set(name, entering);
        return entering;
      },
    });
    this.#scoped.set(handle, scoped);
    return scoped;
  }
}
