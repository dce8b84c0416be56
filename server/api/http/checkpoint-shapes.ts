/** Checkpoints as Flink's REST API shows them (`flink-reference` §11.2). */

import type { CheckpointRow, CheckpointStatistics, Spread } from '#shared/checkpoints.ts';

export function flinkCheckpoints({ counts, summary, latest, history }: CheckpointStatistics): unknown {
  return {
    counts: {
      restored: counts.restored,
      total: counts.triggered,
      in_progress: counts.inProgress,
      completed: counts.completed,
      failed: counts.failed,
    },
    summary: {
      checkpointed_size: spread(summary?.bytes),
      state_size: spread(summary?.fullBytes),
      end_to_end_duration: spread(summary?.durationMs),
      alignment_buffered: spread(undefined),
      processed_data: spread(summary?.processedBytes),
      persisted_data: spread(summary?.persistedBytes),
    },
    latest: {
      completed: latest.completed === null ? null : flinkCheckpoint(latest.completed),
      savepoint: latest.savepoint === null ? null : flinkCheckpoint(latest.savepoint),
      failed: latest.failed === null ? null : flinkCheckpoint(latest.failed),
      restored:
        latest.restored === null
          ? null
          : {
              id: latest.restored.id,
              restore_timestamp: latest.restored.restoredAt,
              is_savepoint: latest.restored.kind !== 'checkpoint',
              external_path: latest.restored.path,
            },
    },
    history: history.map(flinkCheckpoint),
  };
}

function flinkCheckpoint(row: CheckpointRow): unknown {
  const savepoint = row.kind !== 'checkpoint';
  const common = {
    className: row.status.toLowerCase(),
    id: row.id,
    status: row.status,
    is_savepoint: savepoint,
    savepointFormat: savepoint ? 'CANONICAL' : null,
    trigger_timestamp: row.triggeredAt,
    latest_ack_timestamp: row.latestAckAt ?? -1,
    checkpointed_size: row.bytes,
    state_size: row.fullBytes,
    end_to_end_duration: Math.round(row.durationMs),
    alignment_buffered: 0,
    processed_data: row.processedBytes,
    persisted_data: row.persistedBytes,
    num_subtasks: row.subtasks,
    num_acknowledged_subtasks: row.acknowledged,
    checkpoint_type: {
      checkpoint: 'CHECKPOINT',
      savepoint: 'SAVEPOINT',
      stop: 'SYNC_SAVEPOINT',
      drain: 'SYNC_SAVEPOINT',
    }[row.kind],
    tasks: {},
  };
  switch (row.status) {
    case 'COMPLETED':
      return { ...common, external_path: row.path, discarded: false };
    case 'FAILED':
      return { ...common, failure_timestamp: row.endedAt, failure_message: row.failure?.text ?? null };
    case 'IN_PROGRESS':
      return common;
  }
}

function spread(of: Spread | undefined): Spread {
  return of ?? { min: 0, max: 0, avg: 0, p50: 0, p90: 0, p95: 0, p99: 0, p999: 0 };
}
