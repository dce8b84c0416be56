/** What holds for a whole job. */

import type { LatencyTracking } from '../metrics/latency.ts';
import type { StateBackendName } from '../state/keyed-state.ts';

export interface EnvironmentSettings {
  readonly name: string;
  /** Of operators that set none. */
  readonly parallelism?: number;
  /** How often sinks commit in a job without checkpoints, ms. */
  readonly rollIntervalMs?: number;
  /** Latency markers; without them only sinks measure. */
  readonly latencyTracking?: LatencyTracking;
  /** Where keyed state lives: `heap` (default), or `level` for state larger than memory. Results are the same. */
  readonly stateBackend?: StateBackendName;
  /** Of `level`: bytes that may be cached, per operator and subtask; 64 MiB if not given. */
  readonly stateCacheBytes?: number;
}
