/** Rows to standard output: a table or coloured notes on a terminal, plain lines elsewhere. Shows at once, so there is nothing to commit. */

import { isatty } from 'node:tty';
import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { Schema } from '#engine/batch/schema.ts';
import type { Sink, SinkWriter, WriterContext } from '#engine/io/sink.ts';
import { ConsoleWriter, type WriteBytes } from './console-writer.ts';
import { LinePrinter, type RowPrinter } from './line-printer.ts';
import { NotePrinter } from './note-printer.ts';
import { TablePrinter } from './table-printer.ts';

export interface ConsoleSinkOptions {
  /**
   * Null, the default: rows are results (a table on a terminal). A word such as `error` or `late`: rows are news, and each line begins
   * with it.
   */
  readonly label?: string | null;
  /** Default: whether standard output is one. */
  readonly terminal?: boolean;
  /** Default: on a terminal, unless the environment has NO_COLOR. */
  readonly colour?: boolean;
  /** Default: standard output. */
  readonly write?: WriteBytes;
}

/** `WriterContext.report` of a writer whose reader has gone (`weir run iot | head`); sent once per subtask. */
export interface BrokenPipeReport {
  readonly type: 'broken-pipe';
}

export class ConsoleSink implements Sink<never> {
  readonly #options: ConsoleSinkOptions;

  constructor(options: ConsoleSinkOptions = {}) {
    this.#options = options;
  }

  createWriter(context: WriterContext): SinkWriter<never> {
    return new ConsoleSinkWriter(context, printerFor(context.schema, this.#options), this.#options.write);
  }

  createCommitter(): null {
    return null;
  }
}

function printerFor(schema: Schema, { label = null, terminal = isatty(1), colour }: ConsoleSinkOptions): RowPrinter {
  if (!terminal) return new LinePrinter(schema, label);
  if (label === null) return new TablePrinter(schema);
  return new NotePrinter(schema, label, colour ?? (process.env.NO_COLOR ?? '') === '');
}

class ConsoleSinkWriter implements SinkWriter<never> {
  readonly #context: WriterContext;
  readonly #printer: RowPrinter;
  readonly #writer: ConsoleWriter;
  #reported = false;

  constructor(context: WriterContext, printer: RowPrinter, write: WriteBytes | undefined) {
    this.#context = context;
    this.#printer = printer;
    this.#writer = new ConsoleWriter(write);
  }

  write(batch: RecordBatch): void {
    const { selection, count } = batch;
    for (let i = 0; i < count && !this.#writer.broken; i++) {
      this.#writer.append(this.#printer.print(batch, selection === null ? i : (selection[i] as number)));
    }
    this.#reportBroken();
  }

  idle(): void {
    this.#writer.flush();
    this.#reportBroken();
  }

  prepareCommit(): never[] {
    this.idle();
    return [];
  }

  close(): void {
    this.idle();
  }

  #reportBroken(): void {
    if (!this.#writer.broken || this.#reported) return;
    this.#reported = true;
    const report: BrokenPipeReport = { type: 'broken-pipe' };
    this.#context.report(report);
  }
}
