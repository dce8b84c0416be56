/** Rows that an operator makes, for its main output and its side outputs: gathered in batches, handed over as there are credits. */

import { WeirError } from '#base/errors.ts';
import { BatchBuilder } from '../batch/cursor.ts';
import { Dictionary } from '../batch/dictionary.ts';
import type { Schema } from '../batch/schema.ts';
import type { OperatorContext } from './operator.ts';
import type { Output } from './output.ts';
import type { OutputTag } from './process.ts';

interface Built {
  readonly output: Output;
  readonly builder: BatchBuilder;
}

export class BuiltOutputs {
  readonly #name: string;
  readonly #main: Built;
  readonly #sides = new Map<string, Built>();
  readonly #all: Built[];

  constructor(context: OperatorContext, name: string, schema: Schema, tags: readonly OutputTag[]) {
    const dictionary = new Dictionary();
    context.own(dictionary);
    this.#name = name;
    this.#main = { output: context.output, builder: new BatchBuilder(schema, dictionary, name) };
    for (const tag of tags) {
      const builder = new BatchBuilder(tag.schema, dictionary, `${name}, side output ${tag.id}`);
      this.#sides.set(tag.id, { output: context.sideOutput(tag.id), builder });
    }
    this.#all = [this.#main, ...this.#sides.values()];
  }

  /** `time`: event timestamp, NaN for none; `watermark`: in force before the row, NaN where it does not move among the rows. */
  collect(row: Readonly<Record<string, unknown>>, time: number, watermark: number): void {
    this.#main.builder.add(row, time, watermark);
  }

  side(tag: OutputTag, row: Readonly<Record<string, unknown>>, time: number, watermark: number): void {
    const side = this.#sides.get(tag.id);
    if (side === undefined) {
      throw new WeirError(
        'UNDECLARED_TAG',
        `${this.#name}: side output "${tag.id}" was not declared; list it in sideOutputs.`,
      );
    }
    side.builder.add(row, time, watermark);
  }

  /** A batch is full. */
  get overflowing(): boolean {
    for (const { builder } of this.#all) if (builder.overflowing) return true;
    return false;
  }

  /** A new element has come: whoever read what was handed over before has done with it. */
  reuse(): void {
    for (const { builder } of this.#all) builder.reuse();
  }

  /** Hands over full batches, and with `all` what is left; false: out of credits. */
  drain(all: boolean): boolean {
    let done = true;
    for (const { output, builder } of this.#all) {
      if (builder.empty || !(all || builder.overflowing)) continue;
      done =
        builder.drain(
          () => output.ready(),
          (batch) => output.emit(batch),
          all,
        ) && done;
    }
    return done;
  }
}
