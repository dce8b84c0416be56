import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { CollectingConsumer, type Emission, fill } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import { f64, i32, schema, string } from '../batch/schema.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import { CombinedWatermark } from '../time/combined-watermark.ts';
import { WatermarkValve } from '../time/watermark-valve.ts';
import type { ChannelWriter } from './channel.ts';
import { InputPair, type PairConsumer } from './input-pair.ts';
import { Ring, ringBytes } from './ring-layout.ts';
import { RingWriter } from './ring-writer.ts';

const A = schema({ k: string(), v: f64() });
const B = schema({ v: i32(), k: string() });
const SCHEMAS = [A, B] as const;

/** Two schemas, one log, one stock of credits. */
class PairCollector implements PairConsumer {
  readonly log: Emission[] = [];
  readonly #sides = [new CollectingConsumer('0', A, this.log), new CollectingConsumer('1', B, this.log)];
  credits = Number.POSITIVE_INFINITY;

  ready(): boolean {
    return this.credits > 0;
  }

  batch(batch: RecordBatch, input: number): void {
    this.#take();
    (this.#sides[input] as CollectingConsumer).batch(batch);
  }

  watermark(watermark: number): void {
    this.#take().watermark(watermark);
  }

  idle(idle: boolean): void {
    this.#take().idle(idle);
  }

  marker(marker: LatencyMarker): void {
    this.#take().marker(marker);
  }

  end(): void {
    this.#take().end();
  }

  #take(): CollectingConsumer {
    if (this.credits-- <= 0) throw new Error('Something was handed over without credits.');
    return this.#sides[0] as CollectingConsumer;
  }
}

type Kind = 'local' | 'ring';

/** A pair in front of a collector; channels are numbered through both inputs. */
class Bench {
  readonly target = new PairCollector();
  readonly pair: InputPair;
  readonly channels: { readonly input: 0 | 1; readonly writer: ChannelWriter; readonly dictionary: Dictionary }[];

  constructor(first: readonly Kind[], second: readonly Kind[]) {
    this.pair = new InputPair(SCHEMAS, [first.length, second.length], this.target);
    this.channels = [
      ...first.map((kind, c) => this.#add(0, kind, c)),
      ...second.map((kind, c) => this.#add(1, kind, c)),
    ];
  }

  #add(input: 0 | 1, kind: Kind, c: number) {
    const gate = this.pair.gates[input];
    const dictionary = new Dictionary();
    const still = (): void => {};
    if (kind === 'local') return { input, dictionary, writer: gate.addLocal(c, () => 0, still) };
    const memory = new SharedArrayBuffer(ringBytes(SCHEMAS[input]));
    gate.addRing(c, new Ring(memory, SCHEMAS[input]), still);
    return { input, dictionary, writer: new RingWriter(new Ring(memory, SCHEMAS[input]), SCHEMAS[input], still) };
  }

  /** Rows `k0, k1, …`; returns the number of the row where it stopped. */
  rows(channel: number, values: readonly number[], watermarks?: readonly number[]): number {
    const { input, writer, dictionary } = this.channels[channel] as Bench['channels'][number];
    const rows = values.map((v) => ({ k: `${'abc'[channel]}`, v }));
    const batch = fill(SCHEMAS[input], dictionary, rows, []);
    if (watermarks !== undefined) batch.watermarks = Float64Array.from(watermarks);
    return writer.write(batch, null, 0, rows.length, -1);
  }

  writer(channel: number): ChannelWriter {
    return (this.channels[channel] as Bench['channels'][number]).writer;
  }

  settle(): this {
    for (const { writer } of this.channels) writer.flush();
    while (this.pair.poll());
    return this;
  }

  take(): string[] {
    return this.target.log.splice(0).map((e) => {
      if (e.kind === 'row')
        return `${e.output}:${e.row.k}${e.row.v}${e.watermark === null ? '' : ` wm ${e.watermark}`}`;
      if (e.kind === 'watermark') return `wm ${e.watermark}`;
      return e.kind === 'idle' ? (e.idle ? 'idle' : 'active') : e.kind;
    });
  }
}

describe.each(['local', 'ring'] as const)('a pair of gates over %s channels', (kind) => {
  it('TI1 hands on rows with their input, and the lower watermark', () => {
    const bench = new Bench([kind], [kind]);
    bench.rows(0, [1]);
    bench.settle();
    bench.writer(0).watermark(10);
    bench.rows(1, [2]);
    bench.settle();
    bench.writer(1).watermark(7);
    expect(bench.settle().take()).toEqual(['0:a1', '1:b2', 'wm 7']);
  });

  it('TI4 a watermark among the rows of one input counts as far as the other one allows', () => {
    const bench = new Bench([kind], [kind]);
    bench.writer(1).watermark(7);
    bench.settle();
    bench.rows(0, [1, 2, 3], [3, 6, 9]);
    expect(bench.settle().take()).toEqual(['0:a1 wm 3', '0:a2 wm 6', '0:a3 wm 7', 'wm 7']);
    bench.rows(0, [4], [20]);
    expect(bench.settle().take()).toEqual(['0:a4']);
  });

  it('TI3 ends when both inputs have', () => {
    const bench = new Bench([kind], [kind]);
    bench.writer(1).watermark(7);
    bench.writer(0).watermark(Number.POSITIVE_INFINITY);
    bench.writer(0).end();
    expect(bench.settle().take()).toEqual(['wm 7']);
    bench.rows(1, [1]);
    bench.writer(1).watermark(Number.POSITIVE_INFINITY);
    bench.writer(1).end();
    expect(bench.settle().take()).toEqual(['1:b1', 'wm Infinity', 'end']);
  });

  it('TI6 markers of both inputs pass', () => {
    const bench = new Bench([kind], [kind]);
    bench.writer(0).marker({ markedAt: 1, source: 0, subtask: 0 });
    bench.writer(1).marker({ markedAt: 2, source: 1, subtask: 0 });
    expect(bench.settle().take()).toEqual(['marker', 'marker']);
  });
});

describe('a pair of gates', () => {
  it('TI5 takes turns between inputs that both have something', () => {
    const bench = new Bench(['ring'], ['ring']);
    for (let i = 0; i < 3; i++) {
      bench.rows(0, [i]);
      bench.rows(1, [i]);
      for (const c of [0, 1]) bench.writer(c).flush();
    }
    expect(bench.settle().take()).toEqual(['0:a0', '1:b0', '0:a1', '1:b1', '0:a2', '1:b2']);
  });

  it('TI4 rows meet the watermark that each would meet alone, whatever the batches, channels and statuses', () => {
    const script = fc.record({
      seed: fc.integer({ min: 1, max: 2 ** 31 }),
      steps: fc.integer({ min: 1, max: 60 }),
      first: fc.array(fc.constantFrom<Kind>('local', 'ring'), { minLength: 1, maxLength: 2 }),
      second: fc.constantFrom<Kind>('local', 'ring'),
    });
    fc.assert(
      fc.property(script, ({ seed, steps, first, second }) => {
        const random = new Random(seed);
        const bench = new Bench(first, [second]);
        const channels = bench.channels.length;
        const model = new Model(first.length);
        const at = new Array<number>(channels).fill(0);
        const idle = new Array<boolean>(channels).fill(false);
        const ended = new Array<boolean>(channels).fill(false);
        const wanted: string[] = [];
        const got: string[] = [];
        let inForce = Number.NEGATIVE_INFINITY;
        const collect = (): void => {
          for (const e of bench.settle().target.log.splice(0)) {
            if (e.kind === 'watermark') inForce = e.watermark;
            if (e.kind !== 'row') continue;
            // A watermark once met is never lower again.
            expect((e.watermark ?? inForce) >= inForce).toBe(true);
            inForce = e.watermark ?? inForce;
            got.push(`${e.row.k}${e.row.v} ${inForce}`);
          }
        };
        for (let step = 0; step < steps; step++) {
          const c = random.below(channels);
          if (ended[c]) continue;
          const writer = bench.writer(c);
          const what = random.below(10);
          if (what === 0) {
            idle[c] = !idle[c];
            writer.idle(idle[c]);
            model.idle(idle[c], c);
          } else if (what === 1 && random.below(4) === 0) {
            ended[c] = true;
            writer.watermark(Number.POSITIVE_INFINITY);
            writer.end();
            model.watermark(Number.POSITIVE_INFINITY, c);
          } else {
            if (idle[c]) {
              idle[c] = false;
              writer.idle(false);
              model.idle(false, c);
            }
            if (what < 4) {
              at[c] = (at[c] as number) + random.below(20);
              writer.watermark(at[c] as number);
              model.watermark(at[c] as number, c);
            } else {
              const moving = random.below(2) === 0;
              const values = Array.from({ length: 1 + random.below(5) }, (_, i) => step * 10 + i);
              const watermarks = values.map(() => {
                at[c] = (at[c] as number) + (moving ? random.below(8) : 0);
                return at[c] as number;
              });
              expect(bench.rows(c, values, moving ? watermarks : undefined)).toBe(values.length);
              for (const [i, v] of values.entries()) {
                if (moving) model.watermark(watermarks[i] as number, c);
                wanted.push(`${'abc'[c]}${v} ${model.now}`);
              }
            }
          }
          collect();
        }
        expect(got).toEqual(wanted);
        expect(inForce).toBe(model.now);
      }),
      { numRuns: 1000 },
    );
  });

  it('TI7 nothing is handed over without credits, lost, doubled or overtaken', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const kind = (): Kind => (random.below(2) === 0 ? 'local' : 'ring');
        const bench = new Bench([kind(), kind()], [kind()]);
        const sent = [0, 0, 0];
        const ended = [false, false, false];
        for (let guard = 0; !bench.pair.gates.every((gate) => gate.ended); guard++) {
          expect(guard).toBeLessThan(5000);
          bench.target.credits = random.below(3);
          const c = random.below(3);
          const writer = bench.writer(c);
          if (!ended[c] && writer.ready()) {
            if ((sent[c] as number) >= 30) {
              ended[c] = true;
              writer.watermark(Number.POSITIVE_INFINITY);
              writer.end();
            } else {
              const values = Array.from({ length: 1 + random.below(4) }, (_, i) => (sent[c] as number) + i);
              const done = bench.rows(c, values, random.below(2) === 0 ? values : undefined);
              sent[c] = (sent[c] as number) + done;
              if (done === values.length) writer.watermark((sent[c] as number) - 1);
            }
          }
          if (random.below(2) === 0) bench.settle();
        }
        const log = bench.target.log;
        for (const [c, name] of ['a', 'b', 'c'].entries()) {
          const values = log.flatMap((e) => (e.kind === 'row' && e.row.k === name ? [e.row.v as number] : []));
          expect(values).toEqual(Array.from({ length: sent[c] as number }, (_, i) => i));
        }
        expect(log.slice(-2).map((e) => e.kind)).toEqual(['watermark', 'end']);
        expect(log.filter((e) => e.kind === 'end').length).toBe(1);
      }),
      { numRuns: 200 },
    );
  });
});

/** Valve of the first input's channels and the combination of both, fed one by one. */
class Model {
  readonly #channels: number;
  readonly #valves: WatermarkValve[];
  readonly #combined = new CombinedWatermark(2, { watermark: () => {}, idle: () => {} });

  constructor(channels: number) {
    this.#channels = channels;
    this.#valves = [channels, 1].map(
      (count, input) =>
        new WatermarkValve(count, {
          watermark: (watermark) => this.#combined.onWatermark(watermark, input),
          idle: (idle) => this.#combined.onIdle(idle, input),
        }),
    );
  }

  get now(): number {
    return this.#combined.watermark;
  }

  watermark(watermark: number, channel: number): void {
    const [valve, c] = this.#of(channel);
    valve.onWatermark(watermark, c);
  }

  idle(idle: boolean, channel: number): void {
    const [valve, c] = this.#of(channel);
    valve.onIdle(idle, c);
  }

  #of(channel: number): [WatermarkValve, number] {
    const second = channel >= this.#channels;
    return [this.#valves[second ? 1 : 0] as WatermarkValve, second ? 0 : channel];
  }
}
