/**
 * What Weir is measured against, each in a thread of its own that does nothing else: started once, so that it is as warm as the task managers.
 *
 *   Rival (main thread) ── what to do ──> worker.ts ──> Yardstick / runScript ── result ──> Rival
 */

import { Worker } from 'node:worker_threads';
import { messageOf } from '#base/errors.ts';
import { runScript, type ScriptOptions, type ScriptResult } from './script.ts';
import { Yardstick, type YardstickOptions, type YardstickResult } from './yardstick.ts';

/** What `worker.ts` is started with for a thread that is no task manager. */
export interface RivalInit {
  readonly role: 'rival';
}

type Question =
  | { readonly kind: 'yardstick'; readonly options: YardstickOptions }
  | { readonly kind: 'script'; readonly options: ScriptOptions };
type Answer = { readonly result: YardstickResult | ScriptResult } | { readonly error: string };

export class Rival {
  readonly #worker: Worker;

  constructor(entry: URL) {
    const workerData: RivalInit = { role: 'rival' };
    this.#worker = new Worker(entry, { workerData, name: 'rival', execArgv: [] });
  }

  yardstick(options: YardstickOptions): Promise<YardstickResult> {
    return this.#ask({ kind: 'yardstick', options }) as Promise<YardstickResult>;
  }

  script(options: ScriptOptions): Promise<ScriptResult> {
    return this.#ask({ kind: 'script', options }) as Promise<ScriptResult>;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  /** One question at a time. */
  #ask(question: Question): Promise<YardstickResult | ScriptResult> {
    return new Promise((resolve, reject) => {
      this.#worker.once('error', reject);
      this.#worker.once('message', (answer: Answer) => {
        this.#worker.off('error', reject);
        if ('result' in answer) resolve(answer.result);
        else reject(new Error(answer.error));
      });
      this.#worker.postMessage(question);
    });
  }
}

/** The other side: answers one question after the other. Accumulators are kept from pass to pass. */
export function answerQuestions(port: {
  on(event: 'message', listener: (question: Question) => void): unknown;
  postMessage(answer: Answer): void;
}): void {
  const yardsticks = new Map<number, Yardstick>();
  port.on('message', (question) => {
    try {
      port.postMessage({ result: answer(question, yardsticks) });
    } catch (error) {
      port.postMessage({ error: messageOf(error) });
    }
  });
}

function answer(question: Question, yardsticks: Map<number, Yardstick>): YardstickResult | ScriptResult {
  if (question.kind === 'script') return runScript(question.options);
  const { devices } = question.options;
  const yardstick = yardsticks.get(devices) ?? new Yardstick(devices);
  yardsticks.set(devices, yardstick);
  return yardstick.run(question.options);
}
