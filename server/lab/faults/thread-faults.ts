/** Faults in the thread of one task manager: keeps the orders that hold, and applies them to what is deployed there now and later. */

import type { Operator } from '#engine/operators/operator.ts';
import type { Subtask } from '#runtime/task/subtask.ts';
import type { Disturber } from '#runtime/task-manager/disturber.ts';
import type { DiskSeam } from './disk-seam.ts';
import { disturb, type Undo } from './disturbed-operator.ts';
import type { FaultOrder, OperatorEffect } from './orders.ts';

interface Held {
  readonly effect: OperatorEffect;
  readonly undo: Map<Operator, Undo>;
}

export class ThreadFaults implements Disturber {
  readonly #disk: DiskSeam;
  readonly #subtasks = new Set<Subtask>();
  readonly #held = new Map<number, Held>();

  constructor(disk: DiskSeam) {
    this.#disk = disk;
  }

  receive(order: unknown): void {
    // Both ends are this room.
    const told = order as FaultOrder;
    if (told.type === 'end') this.#end(told.fault);
    else if (!this.#held.has(told.fault)) this.#begin(told);
  }

  deployed(subtasks: readonly Subtask[]): void {
    for (const subtask of subtasks) {
      this.#subtasks.add(subtask);
      for (const [fault, held] of this.#held) this.#apply(fault, held, subtask);
    }
  }

  disposed(subtasks: readonly Subtask[]): void {
    for (const subtask of subtasks) {
      this.#subtasks.delete(subtask);
      for (const { effect, undo } of this.#held.values()) {
        const operator = subtask.operator(effect.operator);
        if (operator !== null) undo.delete(operator);
      }
    }
  }

  #begin({ fault, effect }: Extract<FaultOrder, { readonly type: 'begin' }>): void {
    switch (effect.type) {
      case 'hang':
        Atomics.wait(new Int32Array(effect.gate), 0, 0, effect.ms);
        break;
      case 'disk':
        this.#disk.begin(fault, effect.disk);
        break;
      default: {
        const held: Held = { effect, undo: new Map() };
        this.#held.set(fault, held);
        for (const subtask of this.#subtasks) this.#apply(fault, held, subtask);
      }
    }
  }

  #end(fault: number): void {
    this.#disk.end(fault);
    for (const undo of this.#held.get(fault)?.undo.values() ?? []) undo();
    this.#held.delete(fault);
  }

  #apply(fault: number, { effect, undo }: Held, subtask: Subtask): void {
    const operator = subtask.operator(effect.operator);
    if (operator === null || ('subtask' in effect && effect.subtask !== subtask.index)) return;
    undo.set(
      operator,
      disturb(operator, fault, effect, () => this.#held.delete(fault)),
    );
  }
}
