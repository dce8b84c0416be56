/** Queries to all subtasks of a tap, and their answers checked: they come from another thread as `unknown`. */

import type { ErrorsAnswer, LateAnswer, ResultsAnswer } from './queries.ts';

/** `JobMaster.inspect` bound to nothing else: one answer per subtask. */
export type Inspect = (operatorId: string, query: unknown) => Promise<unknown[]>;

type Answer = ResultsAnswer | ErrorsAnswer | LateAnswer;

function isAnswer(value: unknown): value is Answer {
  return (
    typeof value === 'object' &&
    value !== null &&
    'subtask' in value &&
    typeof value.subtask === 'number' &&
    'cursor' in value &&
    typeof value.cursor === 'number' &&
    'rows' in value &&
    Array.isArray(value.rows)
  );
}

/** The answers among what came; a subtask that has ended, or not begun, has none. */
export function readAnswers<A extends Answer>(answers: readonly unknown[]): A[] {
  // The shape of the rows is the tap's own: both halves are of one build.
  return answers.filter(isAnswer).map((answer) => answer as A);
}

/** The last word of a writer (`FinalReport`), or null when the message is something else. */
export function readFinal<A extends Answer>(message: unknown): A | null {
  if (typeof message !== 'object' || message === null || !('final' in message)) return null;
  return isAnswer(message.final) ? (message.final as A) : null;
}
