/** How a step of a subtask went. */
export const Step = {
  /** Something was done, and there may be more. */
  WORKED: 0,
  /** No input, no timer. */
  IDLE: 1,
  /** There may be input, but no credits. */
  BACKPRESSURED: 2,
  FINISHED: 3,
} as const;
export type Step = (typeof Step)[keyof typeof Step];
