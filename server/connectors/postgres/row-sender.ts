/**
 * Rows of one subtask on their way to PostgreSQL: encoded as they come, sent by COPY a quarter of a MiB at a time, one thing after the other on
 * one connection. It takes no rows before it is connected, nor while much is on its way.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import type { WriterContext } from '#engine/io/sink.ts';
import type { RowEncoder } from '../file/format.ts';
import { OutputBuffer } from '../file/output-buffer.ts';
import type { Session } from './session.ts';

const SEND_BYTES = 256 * 1024;
/** Room for rows beyond, so that the buffer seldom grows. */
const HEADROOM = 16 * 1024;
/** Bytes on their way at which no more rows are taken. */
const MOST_BYTES = 8 * SEND_BYTES;

export interface Connected {
  readonly session: Session;
  readonly encoder: RowEncoder;
}

export class RowSender {
  readonly #context: Pick<WriterContext, 'wake' | 'fail'>;
  readonly #store: (session: Session, rows: Uint8Array) => Promise<void>;
  readonly #out = new OutputBuffer(SEND_BYTES + HEADROOM);
  #connected: Connected | null = null;
  #onItsWay = 0;
  #last: Promise<unknown>;
  #closed = false;

  /** `store`: puts rows, in the text format of COPY, where they belong. */
  constructor(
    context: Pick<WriterContext, 'wake' | 'fail'>,
    connect: () => Promise<Connected>,
    store: (session: Session, rows: Uint8Array) => Promise<void>,
  ) {
    this.#context = context;
    this.#store = store;
    this.#last = connect().then((connected) => {
      this.#connected = connected;
      if (this.#closed) connected.session.close();
      else context.wake();
    });
    this.#last.catch((error: Error) => this.#fail(error));
  }

  get ready(): boolean {
    return this.#connected !== null && this.#onItsWay < MOST_BYTES;
  }

  /** Rows that were not sent yet. */
  get holds(): boolean {
    return this.#out.length > 0;
  }

  get idle(): boolean {
    return this.#onItsWay === 0;
  }

  write(batch: RecordBatch): void {
    const { encoder } = this.#connected as Connected;
    const { count, selection } = batch;
    encoder.bind(batch);
    for (let i = 0; i < count; i++) {
      encoder.encode(this.#out, selection === null ? i : (selection[i] as number));
      if (this.#out.length >= SEND_BYTES) this.send();
    }
  }

  send(): void {
    const { bytes, length } = this.#out;
    if (length === 0) return;
    const rows = Buffer.from(bytes.subarray(0, length));
    this.#out.length = 0;
    this.#onItsWay += length;
    this.inTurn(async (session) => {
      await this.#store(session, rows);
      this.#onItsWay -= length;
      this.#context.wake();
    }).catch((error: Error) => this.#fail(error));
  }

  /** Behind everything that was sent; nothing is done any more once something has failed. */
  inTurn<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => work((this.#connected as Connected).session));
    this.#last = turn;
    return turn;
  }

  close(): void {
    this.#closed = true;
    this.#connected?.session.close();
  }

  #fail(error: Error): void {
    if (!this.#closed) this.#context.fail(error);
  }
}
