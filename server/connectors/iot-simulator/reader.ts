/**
 * Reads splits of the simulator in one subtask: splits with rows due take turns, a batch each, so that they stay near each other in time
 * and (at parallelism 1, rate=max) the order is the same every time.
 */

import type { RecordBatch } from '#engine/batch/record-batch.ts';
import { Poll, type ReaderContext, type SourceReader } from '#engine/io/source.ts';
import { isOrder, type ReaderNews, type ReaderOrder, type SimulatorSplit } from './messages.ts';
import type { SimulatorOptions } from './options.ts';
import { SplitStream } from './split-stream.ts';

/** Progress of an injection is reported this often at most. */
const REPORT_MS = 200;

/** What this reader knows of an injection that it takes part in. */
interface Progress {
  /** Events of splits that are done with it. */
  settled: number;
  /** As reported last. */
  reported: number;
}

export class IotSimulatorReader implements SourceReader<SimulatorSplit> {
  readonly #context: ReaderContext;
  readonly #options: SimulatorOptions;
  readonly #splits: SplitStream[] = [];
  readonly #injections = new Map<number, Progress>();
  /** Rows of splits that were read to the end here. */
  readonly #ended = new Map<string, number>();
  #noMore = false;
  /** Position in `#splits` whose turn it is. */
  #turn = 0;
  #wakeAt = Number.POSITIVE_INFINITY;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(context: ReaderContext, options: SimulatorOptions) {
    this.#context = context;
    this.#options = options;
    context.dictionary.hold((mark) => {
      for (const stream of this.#splits) stream.hold(mark);
    });
  }

  get wakeAt(): number {
    return this.#wakeAt;
  }

  addSplit(split: SimulatorSplit, index: number): void {
    const stream = new SplitStream(split, index, this.#options, this.#context.dictionary);
    this.#splits.push(stream);
    for (const { id } of stream.injections.all()) this.#progressOf(id);
    for (const [id, events] of split.settled) this.#progressOf(id).settled += events;
    this.#context.wake();
  }

  noMoreSplits(): void {
    this.#noMore = true;
    this.#context.wake();
  }

  poll(batch: RecordBatch): Poll {
    const now = this.#context.clock.now();
    this.#retire();
    if (this.#injections.size > 0) this.#followInjections(now);
    if (this.#splits.length === 0) {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      return this.#noMore ? Poll.END : Poll.WAIT;
    }
    for (let i = 0; i < this.#splits.length; i++) {
      const turn = (this.#turn + i) % this.#splits.length;
      const stream = this.#splits[turn] as SplitStream;
      if (this.#context.paused.has(stream.index) || !stream.isDue(now)) continue;
      const filled = stream.fill(batch, now);
      // A split that still registers its devices keeps its turn, or the order would depend on how many it has.
      if (filled) this.#turn = (turn + 1) % this.#splits.length;
      if (!filled || batch.size > 0 || stream.finished || stream.isDue(now)) return Poll.MORE;
    }
    this.#wakeAt = this.#nextWake(now);
    return Poll.WAIT;
  }

  /** In the order of their turns. A split is there until its last rows have been processed (`#retire`). */
  snapshot(): readonly SimulatorSplit[] {
    const inTurn = [...this.#splits.slice(this.#turn), ...this.#splits.slice(0, this.#turn)];
    const settled = [...this.#injections].map(([id, progress]): [number, number] => [id, progress.settled]);
    return inTurn.map((stream, i) => ({ ...stream.split, state: stream.snapshot(), settled: i === 0 ? settled : [] }));
  }

  given(): Map<string, number> {
    return new Map([...this.#ended, ...this.#splits.map(({ split, rows }): [string, number] => [split.id, rows])]);
  }

  onEvent(event: unknown): void {
    if (isOrder(event)) this.#obey(event);
  }

  close(): void {
    this.#splits.length = 0;
    this.#injections.clear();
  }

  #obey(order: ReaderOrder): void {
    const now = this.#context.clock.now();
    switch (order.type) {
      case 'settings':
        for (const stream of this.#splits) stream.change(order, now);
        break;
      case 'inject':
        this.#progressOf(order.injection.id);
        for (const stream of this.#splits) {
          const lane = order.lanes.indexOf(stream.split.index);
          if (lane >= 0 && !stream.finished) stream.injections.start(order.injection, lane, order.lanes.length);
        }
        // A reader that has ended is not polled any more, but it owes an answer.
        if (this.#splits.length === 0) this.#report(order.injection.id, true);
        break;
      case 'stop':
        if (!this.#injections.has(order.id)) return;
        for (const stream of this.#splits) this.#settle(stream, order.id);
        this.#report(order.id, true);
        break;
      case 'resumed':
        this.#send({
          type: 'reading',
          splits: this.#splits.map((stream) => stream.split.index),
          injections: [...this.#injections.keys()],
        });
        break;
    }
    this.#context.wake();
  }

  /** Lets go of splits whose last rows went out with an earlier poll: by now they have been processed. */
  #retire(): void {
    for (let i = 0; i < this.#splits.length; i++) {
      const stream = this.#splits[i] as SplitStream;
      if (!stream.finished) continue;
      for (const { id } of stream.injections.all()) this.#settle(stream, id);
      this.#splits.splice(i, 1);
      this.#ended.set(stream.split.id, stream.rows);
      if (this.#turn > i) this.#turn--;
      i--;
      this.#context.splitFinished(stream.index);
      this.#send({ type: 'split-finished', split: stream.split.index });
    }
    if (this.#turn >= this.#splits.length) this.#turn = 0;
  }

  /** Ends what is over and reports what moved. */
  #followInjections(now: number): void {
    for (const stream of this.#splits) {
      if (!stream.injections.any) continue;
      for (const { id } of stream.injections.over(now)) this.#settle(stream, id);
    }
    const mayReport = now - this.#reportedAt >= REPORT_MS || now < this.#reportedAt;
    for (const [id, progress] of this.#injections) {
      const done = this.#splits.every((stream) => !stream.injections.has(id));
      if (done || (mayReport && this.#affected(id) !== progress.reported)) {
        this.#report(id, done);
        this.#reportedAt = now;
      }
    }
  }

  #progressOf(id: number): Progress {
    const progress = this.#injections.get(id) ?? { settled: 0, reported: 0 };
    this.#injections.set(id, progress);
    return progress;
  }

  #settle(stream: SplitStream, id: number): void {
    const progress = this.#injections.get(id);
    const affected = stream.end(id);
    if (progress !== undefined) progress.settled += affected;
  }

  #affected(id: number): number {
    let sum = this.#injections.get(id)?.settled ?? 0;
    for (const stream of this.#splits) if (stream.injections.has(id)) sum += stream.affected(id);
    return sum;
  }

  #report(id: number, done: boolean): void {
    const count = this.#affected(id);
    const progress = this.#injections.get(id);
    if (progress !== undefined) progress.reported = count;
    if (done) this.#injections.delete(id);
    this.#send({ type: 'affected', id, count, done });
  }

  #nextWake(now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const stream of this.#splits)
      if (!this.#context.paused.has(stream.index)) at = Math.min(at, stream.wakeAt(now));
    for (const [id, progress] of this.#injections) {
      if (this.#affected(id) !== progress.reported) at = Math.min(at, this.#reportedAt + REPORT_MS);
    }
    // Nothing was due now, so the next thing is at least a tick of the clock away, whatever rounding says.
    return Math.max(at, now + 1);
  }

  #send(news: ReaderNews): void {
    this.#context.send(news);
  }
}
