/**
 * What a completed checkpoint is, and `_metadata`, the file that makes it one: JSON, with a checksum over itself and those of all files. A
 * directory without it is no checkpoint.
 */

import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { WeirError } from '#base/errors.ts';
import type { CheckpointKind } from '#engine/exchange/barrier.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { ByteReader, ByteWriter } from '#engine/state/value-codec.ts';
import type { JobSpec } from '../messages.ts';
import { filesOf, type StateFile, type SubtaskStateHandle } from './state-handle.ts';
import { CorruptState } from './storage-error.ts';

export const METADATA = '_metadata';
const FORMAT = 'weir-checkpoint';
const VERSION = 2;

export interface CheckpointVertex {
  readonly id: string;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly operators: readonly { readonly id: string; readonly name: string }[];
  /** Per subtask; null: that one had finished, and gave nothing. */
  readonly subtasks: readonly (SubtaskStateHandle | null)[];
}

/** What all subtasks and enumerators have given. */
export interface CheckpointContent {
  readonly id: number;
  readonly kind: CheckpointKind;
  /** Processing time, ms. */
  readonly triggeredAt: number;
  readonly completedAt: number;
  /** Parameters are plain data. */
  readonly job: JobSpec;
  readonly vertices: readonly CheckpointVertex[];
  /** By id of the source operator, what `Enumerator.snapshot` gave: plain data. */
  readonly enumerators: Readonly<Record<string, unknown>>;
}

/** A savepoint or checkpoint from which the job began. */
export interface Origin {
  readonly path: string;
  /** It belongs to the job, which removes it when it is needed no more (`flink-reference` §4.5). */
  readonly claimed: boolean;
}

export interface CompletedCheckpoint extends CheckpointContent {
  /** Directory that the paths in handles start from. */
  readonly root: string;
  /** Its own directory, where `_metadata` is. */
  readonly path: string;
  /** Bytes written for it. */
  readonly written: number;
  /** Bytes of all its state. */
  readonly full: number;
  /** Where the job had begun, while that is still one of those to fall back on. */
  readonly origin: Origin | null;
}

/** A graph's vertices with what their subtasks have written, by vertex and subtask. */
export function describeVertices(
  graph: JobGraph,
  handles: readonly (readonly (SubtaskStateHandle | null)[])[],
): CheckpointVertex[] {
  return graph.vertices.map(({ id, name, parallelism, maxParallelism, operators }, vertex) => ({
    id,
    name,
    parallelism,
    maxParallelism,
    operators: operators.map((operator) => ({ id: operator.id, name: operator.name })),
    subtasks: Array.from({ length: parallelism }, (_, subtask) => handles[vertex]?.[subtask] ?? null),
  }));
}

export function completedFrom(
  content: CheckpointContent,
  place: Pick<CompletedCheckpoint, 'root' | 'path' | 'origin'>,
): CompletedCheckpoint {
  const handles = handlesOf(content);
  return {
    ...content,
    ...place,
    written: handles.reduce((sum, { file }) => sum + file.bytes, 0),
    full: handles.reduce((sum, { full }) => sum + full, 0),
  };
}

export function handlesOf({ vertices }: Pick<CheckpointContent, 'vertices'>): SubtaskStateHandle[] {
  return vertices.flatMap(({ subtasks }) => subtasks.filter((handle) => handle !== null));
}

/** Every file once. */
export function allFilesOf(content: Pick<CheckpointContent, 'vertices'>): Map<string, StateFile> {
  return new Map(handlesOf(content).flatMap((handle) => filesOf(handle).map((file) => [file.path, file])));
}

/** `content` with paths as they are in the checkpoint's root. */
export function encodeMetadata(content: CheckpointContent, origin: Origin | null): Uint8Array {
  const { id, kind, triggeredAt, completedAt, job, vertices } = content;
  const enumerators = Object.entries(content.enumerators).map(([operator, state]) => [operator, toJson(state)]);
  const checkpoint = {
    id,
    kind,
    triggeredAt,
    completedAt,
    job: { name: job.name, params: toJson(job.params) },
    vertices,
    enumerators: Object.fromEntries(enumerators),
    origin,
  };
  const checksum = checksumOf(VERSION, checkpoint);
  return new TextEncoder().encode(
    `${JSON.stringify({ format: FORMAT, version: VERSION, crc32: checksum, checkpoint }, null, 1)}\n`,
  );
}

/** A damaged file must not look like one of another version: the checksum begins with that. The first version's did not. */
function checksumOf(version: unknown, checkpoint: unknown): number {
  const begun = typeof version === 'number' && version > 1 ? version >>> 0 : 0;
  return crc32(JSON.stringify(checkpoint), begun);
}

/** `path`: of the file, for errors. Throws `CorruptState` where it is damaged, another error where it is of another format. */
export function decodeMetadata(bytes: Uint8Array, path: string): { content: CheckpointContent; origin: Origin | null } {
  let read: Partial<{ format: string; version: number; crc32: number; checkpoint: Encoded }>;
  try {
    read = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof read;
  } catch (error) {
    throw new CorruptState(`${path} is damaged (it is no JSON).`, { cause: error });
  }
  if (read?.checkpoint === undefined || checksumOf(read.version, read.checkpoint) !== read.crc32) {
    throw new CorruptState(`${path} is damaged (its checksum is wrong).`);
  }
  // It was never called anything else.
  if (read.format !== FORMAT) throw new CorruptState(`${path} is damaged (its format is ${read.format}).`);
  if (read.version !== VERSION) {
    throw new WeirError(
      'CHECKPOINT_FORMAT',
      `${path} has format ${FORMAT} ${read.version}; this version of Weir reads ${FORMAT} ${VERSION}. Resume with the version that wrote it.`,
    );
  }
  const { origin, enumerators, job, ...rest } = read.checkpoint;
  const content = {
    ...rest,
    job: { name: job.name, params: fromJson(job.params) },
    enumerators: Object.fromEntries(
      Object.entries(enumerators).map(([operator, state]) => [operator, fromJson(state)]),
    ),
  };
  return { content, origin };
}

/** Plain data as JSON where that keeps it as it is, so that people can read it; otherwise as bytes. */
type AsJson = { readonly json: unknown } | { readonly base64: string };

interface Encoded extends Omit<CheckpointContent, 'job' | 'enumerators'> {
  readonly job: { readonly name: string; readonly params: AsJson };
  readonly enumerators: Readonly<Record<string, AsJson>>;
  readonly origin: Origin | null;
}

function toJson(value: unknown): AsJson {
  const text = JSON.stringify(value);
  if (text !== undefined && isDeepStrictEqual(JSON.parse(text), value)) return { json: value };
  const to = new ByteWriter();
  to.value(value);
  return { base64: Buffer.from(to.written()).toString('base64') };
}

function fromJson(value: AsJson): unknown {
  return 'json' in value ? value.json : new ByteReader(Buffer.from(value.base64, 'base64')).value();
}
