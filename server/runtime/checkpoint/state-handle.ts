/** Where the state of a subtask lies. Plain data: handles cross threads, and stand in `_metadata` as JSON. */

/** A file that a checkpoint needs. */
export interface StateFile {
  /** From the root of the checkpoint: the job's directory, or that of a savepoint. */
  readonly path: string;
  readonly bytes: number;
  readonly crc32: number;
}

/** What a subtask has written for a checkpoint. */
export interface SubtaskStateHandle {
  /** The file it wrote. */
  readonly file: StateFile;
  /** Where in it the index of each operator's state is. */
  readonly operators: readonly OperatorEntry[];
  /** Older files that hold parts of the state. */
  readonly shared: readonly StateFile[];
  /** The completed checkpoint it was built on, and whose files a writer may go on using; 0: none. */
  readonly base: number;
  /** Bytes of all state and of its index, whichever file they are in: what the file would have if it referred to no other. */
  readonly full: number;
}

export interface OperatorEntry {
  readonly id: string;
  readonly offset: number;
  readonly length: number;
  /** There is keyed state. */
  readonly keyed: boolean;
  /** There is state of any kind, not only a watermark. */
  readonly stateful: boolean;
  /** Key groups with state, each with its bytes: group, bytes, group, bytes … */
  readonly groups?: readonly number[];
  /** Rows in flight are part of it that no other parallelism knows what to do with. Absent: there are none. */
  readonly here?: boolean;
}

/** The state of one operator in a checkpoint, all subtasks. Plain data. */
export interface OperatorStateHandles {
  readonly operator: string;
  /** Its name, for errors. */
  readonly name: string;
  /** Directory that the paths of files start from. */
  readonly root: string;
  /** In the order of subtasks; null: that one had finished, and gave nothing. */
  readonly subtasks: readonly (SubtaskStateHandle | null)[];
}

/** All files it needs. */
export function filesOf(handle: SubtaskStateHandle): readonly StateFile[] {
  return [handle.file, ...handle.shared];
}
