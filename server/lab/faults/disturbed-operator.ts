/**
 * An operator whose input, or commits, are decorated while a fault lasts: the instance gets methods of its own in front of those of its class, and
 * loses them when the fault is over. An operator that nobody disturbs is called as if there were no faults.
 */

import { WeirError } from '#base/errors.ts';
import type { Operator, OperatorContext } from '#engine/operators/operator.ts';
import { SinkOperator } from '#engine/operators/sink.ts';
import { type OperatorEffect, tagOf } from './orders.ts';

/** A thread sleeps for so long at a time, ms: it can be told something in between. */
const NAP_MS = 20;

/** What decorated operators lose again. */
export type Undo = () => void;

/** `done`: it has thrown. */
export function disturb(operator: Operator, fault: number, effect: OperatorEffect, done: () => void): Undo {
  switch (effect.type) {
    case 'throw':
      return throwing(operator, 'processBatch', `${tagOf(fault)}: it was told to throw`, done);
    case 'fail-sink': {
      const commits = operator instanceof SinkOperator && operator.commitsWithCheckpoints;
      return commits
        ? throwing(operator, 'notifyComplete', `${tagOf(fault)}: it was told to fail at its next commit`, done)
        : throwing(operator, 'processBatch', `${tagOf(fault)}: it was told to fail at its next rows`, done);
    }
    case 'slow':
      return slow(operator, effect.msPerRow);
  }
}

function throwing(operator: Operator, method: 'processBatch' | 'notifyComplete', says: string, done: () => void): Undo {
  operator[method] = () => {
    undo();
    done();
    throw new WeirError('INJECTED_FAULT', says);
  };
  const undo = (): void => {
    Reflect.deleteProperty(operator, method);
  };
  return undo;
}

/**
 * Owes time for every row, and sleeps it off before it takes more: in pieces, between which its thread answers. `pending` says so to whoever
 * gives it rows; while it owes, it is not asked for snapshots either.
 */
function slow(operator: Operator, msPerRow: number): Undo {
  const sleeping = new Int32Array(new SharedArrayBuffer(4));
  const { context } = operator as unknown as { readonly context: OperatorContext };
  let owed = 0;
  let pending = operator.pending;
  const pay = (): void => {
    const nap = Math.min(owed, NAP_MS);
    Atomics.wait(sleeping, 0, 0, nap);
    owed -= nap;
    // Nobody else would have it called again.
    if (owed > 0) context.wake();
  };
  const { processBatch, resume } = operator;
  operator.processBatch = (batch, input) => {
    owed += batch.count * msPerRow;
    processBatch.call(operator, batch, input);
    pay();
  };
  operator.resume = () => {
    if (owed > 0) pay();
    if (owed === 0 && pending) resume.call(operator);
  };
  Object.defineProperty(operator, 'pending', {
    configurable: true,
    enumerable: true,
    get: () => owed > 0 || pending,
    set: (value: boolean) => {
      pending = value;
    },
  });
  return () => {
    Reflect.deleteProperty(operator, 'processBatch');
    Reflect.deleteProperty(operator, 'resume');
    Object.defineProperty(operator, 'pending', {
      configurable: true,
      enumerable: true,
      writable: true,
      value: pending,
    });
    context.wake();
  };
}
