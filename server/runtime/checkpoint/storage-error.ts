/** What a disk refuses, in words for people: what could not be done, where, and what to do about it. */

import { messageOf, WeirError } from '#base/errors.ts';
import { diskCode } from './disk.ts';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space, or keep checkpoints in another directory.',
  EDQUOT: 'The quota of this user is used up: free some space, or keep checkpoints in another directory.',
  EROFS: 'The file system is read-only: mount it writable, or keep checkpoints in another directory.',
  EACCES: 'Permission is missing: give the user that runs Weir the right to read and write there.',
  EPERM: 'The operation is not permitted: give the user that runs Weir the right to read and write there.',
  ENOENT: 'It is not there: has somebody removed it while the job was running?',
  ENOTDIR: 'A part of the path is a file, not a directory.',
  EEXIST: 'The name is taken: does another job keep its checkpoints in this directory?',
  EMFILE: 'Too many files are open: raise the limit (ulimit -n).',
  ENFILE: 'Too many files are open on this machine.',
  EIO: 'The disk reports a defect.',
};

/** `what`: "Checkpoint 7 of readings could not be written". */
export function storageError(what: string, path: string, error: unknown): WeirError {
  if (error instanceof WeirError) return error;
  const code = diskCode(error);
  const advice = code === null ? messageOf(error) : (ADVICE[code] ?? messageOf(error));
  return new WeirError('CHECKPOINT_STORAGE', `${what} in ${path}${code === null ? '' : ` (${code})`}. ${advice}`, {
    cause: error,
  });
}

/** A file of a checkpoint is not what was written: the checkpoint before has to do. */
export class CorruptState extends WeirError {
  constructor(message: string, options?: ErrorOptions) {
    super('CHECKPOINT_CORRUPT', message, options);
  }
}
