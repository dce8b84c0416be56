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
}
