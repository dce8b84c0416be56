import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CollectingConsumer, type Emission, fill } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import { NEVER_INGESTED, type RecordBatch } from '../batch/record-batch.ts';
import { f64, schema, string } from '../batch/schema.ts';
import type { ChannelWriter } from './channel.ts';
import { InputGate } from './input-gate.ts';
import { Ring, ringBytes, SLOT_MARKERS, SLOTS } from './ring-layout.ts';
import { RingReader } from './ring-reader.ts';
import { RingWriter } from './ring-writer.ts';

const S = schema({ k: string(), v: f64() });

function rows(dictionary: Dictionary, values: readonly number[], ingestedAt = NEVER_INGESTED): RecordBatch {
  const batch = fill(
    S,
    dictionary,
    values.map((v) => ({ k: `k${v % 3}`, v })),
    [],
  );
  batch.ingestedAt = ingestedAt;
  return batch;
}

describe('a ring', () => {
  function pair() {
    const memory = new SharedArrayBuffer(ringBytes(S));
    const dictionary = new Dictionary();
    const writer = new RingWriter(new Ring(memory, S), S, () => {});
    const reader = new RingReader(new Ring(memory, S), S, new Dictionary(), () => {});
    return {
      writer,
      reader,
      write: (values: readonly number[], ingestedAt?: number) =>
        writer.write(rows(dictionary, values, ingestedAt), null, 0, values.length),
      /** Everything published, slot by slot. */
      drain: () => {
        const slots = [];
        for (let arrival = reader.take(); arrival !== null; arrival = reader.take()) {
          slots.push({
            rows: arrival.rows === null ? 0 : arrival.rows.count,
            rowsIngestedAt: arrival.rows?.ingestedAt,
            watermarksIngestedAt: arrival.watermarksIngestedAt,
            markers: arrival.markers.map((m) => m.markedAt),
            idle: arrival.idle,
          });
          reader.release();
        }
        return slots;
      },
    };
  }

  it('LM3 markers travel in the slot of the rows before them and need no credit of their own', () => {
    const p = pair();
    p.write([1, 2]);
    p.writer.marker({ markedAt: 5, source: 3, subtask: 7 });
    p.writer.marker({ markedAt: 6, source: 0, subtask: 0 });
    p.write([3]);
    p.writer.flush();
    p.writer.marker({ markedAt: 8, source: 1, subtask: 2 });
    p.writer.idle(true);
    const arrival = p.reader.take();
    expect(arrival?.rows?.count).toBe(3);
    expect(arrival?.markers).toEqual([
      { markedAt: 5, source: 3, subtask: 7 },
      { markedAt: 6, source: 0, subtask: 0 },
    ]);
    p.reader.release();
    expect(p.drain()).toMatchObject([{ rows: 0, markers: [8], idle: true }]);
  });

  it('LM3 a slot full of markers goes off, and the ring is full when its slots are', () => {
    const p = pair();
    let sent = 0;
    while (p.writer.ready()) p.writer.marker({ markedAt: sent++, source: 0, subtask: 0 });
    expect(sent).toBe(SLOTS * SLOT_MARKERS);
    const got = p.drain();
    expect(got).toHaveLength(SLOTS);
    expect(got.flatMap((slot) => slot.markers)).toEqual(Array.from({ length: sent }, (_, i) => i));
    expect(p.writer.ready()).toBe(true);
  });

  it('EL5 tells the oldest ingestion of the rows of a slot, and of what raised its watermarks', () => {
    const p = pair();
    p.write([1], 500);
    p.writer.watermark(10, 480);
    p.write([2], 700);
    p.writer.watermark(11, 700);
    // Not higher: it raises nothing.
    p.writer.watermark(11, 1);
    p.writer.flush();
    p.write([3]);
    p.writer.flush();
    expect(p.drain()).toMatchObject([
      { rows: 2, rowsIngestedAt: 500, watermarksIngestedAt: 480 },
      { rows: 1, rowsIngestedAt: NEVER_INGESTED, watermarksIngestedAt: NEVER_INGESTED },
    ]);
  });
});

describe('an input gate', () => {
  /** Channels of both kinds in front of one consumer with credits. */
  function bench(kinds: readonly ('ring' | 'local')[]) {
    const log: Emission[] = [];
    const consumer = new CollectingConsumer('main', S, log);
    const gate = new InputGate(S, kinds.length, consumer);
    const channels = kinds.map((kind, c): ChannelWriter => {
      if (kind === 'local') {
        return gate.addLocal(
          c,
          () => 0,
          () => {},
        );
      }
      const memory = new SharedArrayBuffer(ringBytes(S));
      gate.addRing(c, new Ring(memory, S), () => {});
      return new RingWriter(new Ring(memory, S), S, () => {});
    });
    const dictionaries = kinds.map(() => new Dictionary());
    return { log, consumer, gate, channels, dictionaries };
  }

  const step = fc.record({
    channel: fc.nat(2),
    what: fc.constantFrom('rows' as const, 'rows' as const, 'marker' as const, 'watermark' as const, 'idle' as const),
    count: fc.integer({ min: 1, max: 5 }),
    flush: fc.boolean(),
    credits: fc.option(fc.nat(2)),
    polls: fc.nat(3),
  });

  it('LM2 hands on every marker once, never before rows written earlier, whatever the credits', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(fc.constantFrom('ring' as const, 'local' as const), { minLength: 3, maxLength: 3 }),
        (steps, kinds) => {
          const b = bench(kinds);
          /** Per marker: its channel, and the last value that had been written to it. */
          const before: { channel: number; row: number }[] = [];
          const newest = [-1, -1, -1];
          const owners: number[] = [];
          let watermark = 0;
          for (const { channel: c, what, count, flush, credits, polls } of steps) {
            const channel = b.channels[c] as ChannelWriter;
            for (let tries = 0; !channel.ready(); tries++) {
              if (tries > 1000) throw new Error('never ready');
              b.consumer.credits = 1;
              for (const other of b.channels) other.flush();
              b.gate.poll();
            }
            if (what === 'rows') {
              const values = Array.from({ length: count }, () => owners.push(c) - 1);
              const batch = rows(b.dictionaries[c] as Dictionary, values);
              const written = channel.write(batch, null, 0, values.length, -1);
              expect(written).toBe(values.length);
              newest[c] = values.at(-1) as number;
            } else if (what === 'marker') {
              channel.marker({ markedAt: before.length, source: 0, subtask: c });
              before.push({ channel: c, row: newest[c] as number });
            } else if (what === 'watermark') {
              channel.watermark(++watermark);
            } else {
              channel.idle(false);
            }
            if (flush) channel.flush();
            b.consumer.credits = credits ?? Number.POSITIVE_INFINITY;
            for (let i = 0; i < polls; i++) b.gate.poll();
          }
          b.consumer.credits = Number.POSITIVE_INFINITY;
          for (const channel of b.channels) channel.flush();
          while (b.gate.poll());

          const markers: number[] = [];
          const seen = [-1, -1, -1];
          let rowsSeen = 0;
          for (const e of b.log) {
            if (e.kind === 'row') {
              rowsSeen++;
              const v = e.row.v as number;
              seen[owners[v] as number] = v;
            } else if (e.kind === 'marker') {
              markers.push(e.marker.markedAt);
              const { channel, row } = before[e.marker.markedAt] as { channel: number; row: number };
              expect(e.marker.subtask).toBe(channel);
              expect(seen[channel]).toBeGreaterThanOrEqual(row);
            }
          }
          expect(rowsSeen).toBe(owners.length);
          expect([...markers].sort((a, b) => a - b)).toEqual(before.map((_, i) => i));
          for (const c of [0, 1, 2]) {
            const own = markers.filter((m) => before[m]?.channel === c);
            expect(own).toEqual([...own].sort((a, b) => a - b));
          }
        },
      ),
      { seed: 5, numRuns: 500 },
    );
  });

  it('LM2 a marker comes behind the watermarks and statuses before it, too', () => {
    for (const kind of ['ring', 'local'] as const) {
      const b = bench([kind]);
      const [channel] = b.channels as [ChannelWriter];
      const batch = rows(b.dictionaries[0] as Dictionary, [1]);
      channel.write(batch, null, 0, 1, -1);
      channel.watermark(5);
      channel.marker({ markedAt: 1, source: 0, subtask: 0 });
      channel.idle(true);
      channel.marker({ markedAt: 2, source: 0, subtask: 0 });
      channel.flush();
      while (b.gate.poll());
      expect(b.log.map((e) => e.kind)).toEqual(['row', 'watermark', 'marker', 'idle', 'marker']);
    }
  });

  it('EL5 a watermark comes with the ingestion of what raised the channel that let it pass', () => {
    for (const kind of ['ring', 'local'] as const) {
      const b = bench([kind, kind]);
      const told: number[] = [];
      b.consumer.watermark = (_, ingestedAt = NEVER_INGESTED) => told.push(ingestedAt);
      const raise = (c: number, watermark: number, ingestedAt: number): void => {
        b.channels[c]?.watermark(watermark, ingestedAt);
        b.channels[c]?.flush();
        while (b.gate.poll());
      };
      raise(0, 10, 100);
      raise(1, 5, 200);
      raise(1, 20, 300);
      raise(0, 15, 400);
      expect(told).toEqual([200, 300, 400]);
      b.channels[0]?.end();
      while (b.gate.poll());
      expect(told).toEqual([200, 300, 400, NEVER_INGESTED]);
    }
  });
});
