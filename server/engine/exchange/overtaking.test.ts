import { describe, expect, it } from 'vitest';
import { CollectingConsumer, type Emission, fill, rowsOf } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { bytes, f64, nullable, schema, string, timestamp } from '../batch/schema.ts';
import type { CheckpointBarrier } from './barrier.ts';
import { type Alignment, BarrierAligner } from './barrier-aligner.ts';
import { InFlight, loadElements, saveElements } from './in-flight.ts';
import { InputGate } from './input-gate.ts';
import { PartitionWriter } from './partition-writer.ts';
import { Ring, ringBytes, SLOTS } from './ring-layout.ts';
import { RingWriter } from './ring-writer.ts';

const S = schema({ k: nullable(string()), v: f64(), raw: nullable(bytes()) });
type Plain = { k: string | null; v: number; raw: Uint8Array | null };

const barrier = (checkpoint: number, overtakesAfterMs = 0): CheckpointBarrier => ({
  checkpoint,
  triggeredAt: 1000,
  kind: 'checkpoint',
  overtakesAfterMs,
});

/** A gate with `n` rings; what a task does is done by hand. */
function bench(n: number) {
  const log: Emission[] = [];
  const done: Alignment[] = [];
  const givenUp: number[] = [];
  const aligner = new BarrierAligner('exactly-once', () => 0, {
    aligned: () => {},
    overtaken: (alignment) => done.push(alignment),
    givenUp: (checkpoint) => givenUp.push(checkpoint),
  });
  const gate = new InputGate(S, n, new CollectingConsumer('main', S, log), aligner);
  const channels = Array.from({ length: n }, (_, channel) => {
    const memory = new SharedArrayBuffer(ringBytes(S));
    gate.addRing(channel, new Ring(memory, S), () => {});
    const writer = new RingWriter(new Ring(memory, S), S, () => {});
    const dictionary = new Dictionary();
    return {
      writer,
      /** How many found room. */
      write: (rows: readonly Plain[]): number => writer.write(fill(S, dictionary, rows, []), null, 0, rows.length, -1),
    };
  });
  return {
    aligner,
    gate,
    done,
    givenUp,
    channel: (c: number) => channels[c] as (typeof channels)[number],
    /** Rows and watermarks that the checkpoint has kept, after they have been bytes; handed over once. */
    kept: (): string[] => textsOf(saveElements(gate.takeKept())),
    delivered: (): string[] => {
      while (gate.poll()) gate.lookForBarriers();
      return log
        .splice(0)
        .flatMap((e) =>
          e.kind === 'row' ? [text(e.row as Plain)] : e.kind === 'watermark' ? [`wm ${e.watermark}`] : [],
        );
    },
    overtake: (): void => {
      gate.lookForBarriers();
      gate.beginKeeping();
      aligner.overtake();
    },
  };
}

const text = ({ k, v, raw }: Plain): string =>
  `${(k ?? 'null').slice(0, 12)}/${k?.length ?? 0} ${v} ${raw === null ? 'null' : `${raw.length}:${raw[0]}`}`;

function textsOf(saved: Uint8Array): string[] {
  const dictionary = new Dictionary();
  const inFlight = new InFlight(S, () => dictionary);
  return loadElements(saved).flatMap((element) => {
    if (element.kind !== 'rows') return element.kind === 'watermark' ? [`wm ${element.watermark}`] : [];
    const batch = inFlight.decode(element);
    return Array.from({ length: batch.count }, (_, row) =>
      text({
        k: dictionary.get(batch.codes('k')[row] as number),
        v: batch.f64('v')[row] as number,
        raw: batch.bytes('raw').get(row),
      }),
    );
  });
}

const row = (v: number, k: string | null = `k${v}`, raw: Uint8Array | null = null): Plain => ({ k, v, raw });

describe('barriers that overtake rows', () => {
  it('UA2 get through a full ring, and what lies before them is copied as it is read later: strings, payloads, watermarks', () => {
    const { channel, overtake, kept, delivered, done } = bench(1);
    const { writer, write } = channel(0);
    const rows = [
      row(1, 'é'.repeat(70_000), new Uint8Array(3).fill(7)),
      row(2, null, new Uint8Array(90_000).fill(9)),
      row(3, '€uro'),
      row(4, 'k3', new Uint8Array(0)),
    ];
    expect(write(rows)).toBe(4);
    writer.watermark(40);
    writer.flush();
    let more = 5;
    for (; writer.ready(); more++) {
      write([row(more, 'k3')]);
      writer.flush();
    }
    expect(more).toBeLessThan(5 + SLOTS);
    writer.barrier(barrier(1));
    overtake();
    expect(done.map((alignment) => alignment.barrier)).toEqual([barrier(1)]);
    const all = kept();
    expect(all).toContain('wm 40');
    const copied = all.filter((line) => !line.startsWith('wm'));
    const read = delivered();
    expect(copied).toEqual(read.filter((line) => !line.startsWith('wm')));
    expect(copied.length).toBe(more - 1);
    // Again and again, from a slot in the middle on.
    for (let n = 2; n < 20; n++) {
      write([row(n, `n${n % 3}`), row(n, 'k3')]);
      writer.barrier(barrier(n));
      write([row(-n)]);
      writer.flush();
      overtake();
      expect(kept().filter((line) => !line.startsWith('wm'))).toEqual([text(row(n, `n${n % 3}`)), text(row(n, 'k3'))]);
      delivered();
    }
  });

  it('UA2 a column that is the event time, and that its slot does not carry, is kept all the same (EX22)', () => {
    const Timed = schema({ at: timestamp(), n: f64() });
    const aligner = new BarrierAligner('exactly-once', () => 0, {
      aligned: () => {},
      overtaken: () => {},
      givenUp: () => {},
    });
    const gate = new InputGate(Timed, 1, new CollectingConsumer('main', Timed, []), aligner);
    const memory = new SharedArrayBuffer(ringBytes(Timed));
    gate.addRing(0, new Ring(memory, Timed), () => {});
    const writer = new RingWriter(new Ring(memory, Timed), Timed, () => {});
    const rows = [1, 2, 3].map((n) => ({ at: 1000 * n, n }));
    const batch = fill(Timed, new Dictionary(), rows, []);
    batch.time = batch.f64('at');
    writer.write(batch, null, 0, rows.length);
    writer.barrier(barrier(1));
    gate.lookForBarriers();
    gate.beginKeeping();
    aligner.overtake();
    const inFlight = new InFlight(Timed, () => new Dictionary());
    const kept = loadElements(saveElements(gate.takeKept())).flatMap((element) => {
      if (element.kind !== 'rows') return [];
      const decoded = inFlight.decode(element);
      return rowsOf(decoded).map((row, k) => [row, decoded.time[k]]);
    });
    expect(kept).toEqual(rows.map((row) => [row, row.at]));
  });

  it('UA2 a slot behind an announced barrier is not read before the barrier is noticed', () => {
    const { channel, gate, aligner, delivered } = bench(2);
    channel(0).write([row(1)]);
    channel(0).writer.barrier(barrier(1, 50));
    channel(0).write([row(2)]);
    channel(0).writer.flush();
    expect(delivered()).toEqual([text(row(1))]);
    expect([gate.blocked(0), gate.blocked(1)]).toEqual([true, false]);
    expect(aligner.overtakesAt).toBe(1050);
  });

  it('UA1 a channel whose barrier is still to come is kept until then, and not behind it', () => {
    const { channel, overtake, gate, kept, delivered, done } = bench(2);
    channel(0).write([row(1)]);
    channel(0).writer.barrier(barrier(1));
    channel(1).write([row(2)]);
    channel(1).writer.flush();
    overtake();
    expect(done).toEqual([]);
    channel(1).write([row(3)]);
    channel(1).writer.flush();
    expect(delivered().toSorted()).toEqual([row(1), row(2), row(3)].map(text));
    channel(1).write([row(4)]);
    channel(1).writer.barrier(barrier(1));
    channel(1).write([row(5)]);
    channel(1).writer.flush();
    gate.lookForBarriers();
    expect(done.length).toBe(1);
    expect(kept().toSorted()).toEqual([row(1), row(2), row(3), row(4)].map(text));
    expect(delivered()).toEqual([row(4), row(5)].map(text));
  });

  it('UA3 until the timeout they keep their place; those that have come in order have nothing in flight', () => {
    const { channel, overtake, gate, kept, delivered, done } = bench(2);
    channel(0).write([row(1)]);
    channel(0).writer.barrier(barrier(1, 50));
    channel(0).write([row(2)]);
    channel(0).writer.flush();
    channel(1).write([row(3)]);
    channel(1).writer.flush();
    expect(delivered().toSorted()).toEqual([row(1), row(3)].map(text));
    channel(1).write([row(4)]);
    channel(1).writer.barrier(barrier(1, 50));
    gate.lookForBarriers();
    overtake();
    expect([done.length, kept(), gate.blocked(0)]).toEqual([1, [text(row(4))], false]);
    expect(delivered().toSorted()).toEqual([row(2), row(4)].map(text));
  });

  it('UA4 a later barrier, or the abort, ends what is being kept', () => {
    const { channel, overtake, aligner, gate, kept, delivered, givenUp, done } = bench(2);
    channel(0).writer.barrier(barrier(1));
    overtake();
    channel(0).writer.barrier(barrier(2));
    gate.lookForBarriers();
    expect(givenUp).toEqual([1]);
    channel(1).write([row(1)]);
    channel(1).writer.flush();
    delivered();
    expect(kept()).toEqual([]);
    overtake();
    aligner.abort(2);
    channel(1).write([row(2)]);
    channel(1).writer.barrier(barrier(2));
    delivered();
    expect([kept(), done]).toEqual([[], []]);
  });

  it('UA10 what was kept belongs to that checkpoint alone: handed over or given up, the next one finds nothing of it', () => {
    const { channel, overtake, aligner, kept, delivered, done } = bench(2);
    channel(0).writer.barrier(barrier(1));
    channel(1).write([row(1)]);
    channel(1).writer.barrier(barrier(1));
    overtake();
    expect([done.length, kept(), kept()]).toEqual([1, [text(row(1))], []]);
    channel(0).writer.barrier(barrier(2));
    overtake();
    channel(1).write([row(2)]);
    channel(1).writer.flush();
    expect(delivered()).toEqual([row(1), row(2)].map(text));
    aligner.abort(2);
    expect(kept()).toEqual([]);
  });

  it('UA7 copies take 64 MiB for each output at most; then it takes no more without credits', () => {
    const { channel } = bench(1);
    const much = { kind: 'rows', channel: -1, bytes: new Uint8Array(64 << 20), ingestedAt: 0 } as const;
    const made = (restored: readonly (typeof much)[]) =>
      new PartitionWriter(
        { kind: 'forward' },
        [channel(0).writer],
        { schema: S, maxParallelism: 1, subtask: 0, keyKind: null },
        restored,
      );
    expect(made([much]).overdraw(true)).toBe(false);
    const writer = made([]);
    expect(writer.overdraw(true)).toBe(true);
    writer.batch(fill(S, new Dictionary(), [row(1)], []));
    expect([writer.ready(), writer.pending]).toEqual([true, false]);
    writer.overdraw(false);
    expect([writer.ready(), writer.pending]).toEqual([false, true]);
    writer.resume();
    expect([writer.ready(), writer.pending]).toEqual([true, false]);
  });
});
