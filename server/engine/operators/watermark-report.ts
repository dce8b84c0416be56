/** What a subtask that makes watermarks tells of them when asked. Watermarks are ±Infinity before the first and at the end; times are `Clock.now()`, ms. */
export interface WatermarkReport {
  readonly subtask: number;
  /** Of the stream; never decreases. */
  readonly watermark: number;
  /** Status of the stream: it holds back nothing. */
  readonly idle: boolean;
  /** When the subtask started. */
  readonly since: number;
  /** Those that are assigned and not finished. */
  readonly splits: readonly SplitReport[];
  /** Null: it is aligned with nobody. */
  readonly alignment: AlignmentReport | null;
}

/** How a source subtask stands in its alignment group. */
export interface AlignmentReport {
  readonly group: string;
  readonly maxDriftMs: number;
  /** Nothing at all is read just now. */
  readonly waits: boolean;
}

export interface SplitReport {
  /** `Split.id`; null for rows that came through a channel. */
  readonly name: string | null;
  readonly watermark: number;
  readonly idle: boolean;
  /** When its watermark last rose; when it was assigned, if it has none. */
  readonly since: number;
  /** When it last had rows; null: never. */
  readonly rowsAt: number | null;
  /** Who the row was from that raised its watermark to where it is, at most 256 characters; null: unknown. */
  readonly origin: string | null;
  /** It is not read just now because it is too far ahead. */
  readonly waits: boolean;
}
