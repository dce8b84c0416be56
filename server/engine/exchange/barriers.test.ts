import { describe, expect, it } from 'vitest';
import { CollectingConsumer, type Emission, fill } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { f64, schema, string } from '../batch/schema.ts';
import type { CheckpointKind } from './barrier.ts';
import { BarrierAligner } from './barrier-aligner.ts';
import type { ChannelWriter } from './channel.ts';
import { InputGate } from './input-gate.ts';
import { Ring, ringBytes } from './ring-layout.ts';
import { RingWriter } from './ring-writer.ts';

const S = schema({ k: string(), v: f64() });

/** A gate with an aligner; `step` does what a task does: takes what it may, and notes the snapshot when it is due. */
function bench(...kinds: readonly ('ring' | 'local')[]) {
  const log: Emission[] = [];
  const consumer = new CollectingConsumer('main', S, log);
  const aligner = new BarrierAligner('exactly-once', () => 0, { aligned: () => {}, givenUp: () => {} });
  const gate = new InputGate(S, kinds.length, consumer, aligner);
  const dictionaries = kinds.map(() => new Dictionary());
  const channels = kinds.map((kind, c): ChannelWriter => {
    if (kind === 'local')
      return gate.addLocal(
        c,
        () => 0,
        () => {},
      );
    const memory = new SharedArrayBuffer(ringBytes(S));
    gate.addRing(c, new Ring(memory, S), () => {});
    return new RingWriter(new Ring(memory, S), S, () => {});
  });
  const seen: string[] = [];
  const collect = (): void => {
    for (const e of log.splice(0)) {
      if (e.kind === 'row') seen.push(`${e.row.k}${e.row.v}`);
      else if (e.kind === 'watermark') seen.push(`wm ${e.watermark}`);
      else seen.push(e.kind);
    }
  };
  return {
    consumer,
    channel: (c: number) => channels[c] as ChannelWriter,
    row(c: number, v: number): boolean {
      const batch = fill(S, dictionaries[c] as Dictionary, [{ k: 'abc'[c], v }], []);
      return this.channel(c).write(batch, null, 0, 1, -1) === 1;
    },
    barrier(c: number, checkpoint: number, kind: CheckpointKind = 'checkpoint'): void {
      this.channel(c).barrier({ checkpoint, triggeredAt: 123.5, kind });
    },
    settle(): string[] {
      for (let worked = true; worked; ) {
        worked = gate.poll();
        const { aligned } = aligner;
        if (aligned === null || !gate.ready()) continue;
        collect();
        seen.push(`snapshot ${JSON.stringify(aligned.barrier)}`);
        aligner.release();
        worked = true;
      }
      collect();
      return seen.splice(0);
    },
  };
}

const BARRIER = '{"checkpoint":1,"triggeredAt":123.5,"kind":"checkpoint"}';

describe('barriers among rows', () => {
  for (const kind of ['ring', 'local'] as const) {
    it(`BA9 keep their place in a ${kind}, and are seen at once`, () => {
      const { channel, row, barrier, settle } = bench(kind);
      const one = { channel, row, barrier };
      one.row(0, 1);
      channel(0).watermark(5);
      one.barrier(0, 1);
      expect(settle()).toEqual(['a1', 'wm 5', `snapshot ${BARRIER}`]);
      one.row(0, 2);
      channel(0).idle(true);
      one.barrier(0, 2, 'stop');
      expect(settle()).toEqual(['a2', 'idle', 'snapshot {"checkpoint":2,"triggeredAt":123.5,"kind":"stop"}']);
    });
  }

  it('BA9 a ring is not read behind its barrier until the snapshot, nor does it count as something to read', () => {
    const b = bench('ring', 'ring');
    b.row(0, 1);
    b.barrier(0, 1);
    b.row(0, 2);
    b.channel(0).flush();
    b.row(1, 3);
    b.channel(1).flush();
    expect(b.settle()).toEqual(['a1', 'b3']);
    b.barrier(1, 1);
    expect(b.settle()).toEqual([`snapshot ${BARRIER}`, 'a2']);
  });

  it('BA9 a producer in the same thread is not ready behind its barrier until the snapshot', () => {
    const b = bench('local', 'ring');
    b.barrier(0, 1);
    expect([b.channel(0).ready(), b.row(0, 1)]).toEqual([false, false]);
    b.barrier(1, 1);
    expect(b.settle()).toEqual([`snapshot ${BARRIER}`]);
    expect([b.channel(0).ready(), b.row(0, 1)]).toEqual([true, true]);
    expect(b.settle()).toEqual(['a1']);
  });

  it('BA9 what the chain could not take before the barrier comes before the snapshot', () => {
    const b = bench('local', 'local');
    b.consumer.credits = 1;
    b.row(0, 1);
    b.channel(0).watermark(7);
    b.channel(1).watermark(7);
    b.barrier(0, 1);
    b.barrier(1, 1);
    expect(b.settle()).toEqual(['a1']);
    b.consumer.credits = 10;
    expect(b.settle()).toEqual(['wm 7', `snapshot ${BARRIER}`]);
  });

  it('BA10 barriers pass behind the end of the data', () => {
    const b = bench('ring', 'local');
    b.channel(0).end();
    b.channel(1).end();
    expect(b.settle()).toEqual(['wm Infinity', 'end']);
    b.barrier(1, 1);
    b.barrier(0, 1);
    expect(b.settle()).toEqual([`snapshot ${BARRIER}`]);
  });
});
