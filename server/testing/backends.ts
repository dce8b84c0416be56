/** The state backends that every test of keyed state runs on: results are the same on all, bit by bit. */

import { heapBackend } from '#engine/state/heap-backend.ts';
import type { StateBackendFactory } from '#engine/state/keyed-state.ts';

export const BACKENDS: readonly (readonly [name: string, backend: StateBackendFactory])[] = [['heap', heapBackend]];
