/** The state backends that every test of keyed state runs on: results are the same on all, bit by bit. */

import { CachedBackend } from '#engine/state/cached-backend.ts';
import { heapBackend } from '#engine/state/heap-backend.ts';
import type { StateBackendFactory } from '#engine/state/keyed-state.ts';
import { MemoryStore } from './memory-store.ts';

/** With a cache so small that hardly anything stays in it. */
const cached: StateBackendFactory = (options) =>
  new CachedBackend({ ...options, store: new MemoryStore(), bufferBytes: 0, cacheBytes: 1000 });

export const BACKENDS: readonly (readonly [name: string, backend: StateBackendFactory])[] = [
  ['heap', heapBackend],
  ['level', cached],
];
