import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fill } from '#testing/harness.ts';
import { Dictionary } from '../batch/dictionary.ts';
import type { RecordBatch } from '../batch/record-batch.ts';
import { f64, i32, nullable, schema, string } from '../batch/schema.ts';
import type { Partitioner } from '../graph/job-graph.ts';
import type { LatencyMarker } from '../metrics/latency.ts';
import type { CheckpointBarrier } from './barrier.ts';
import type { ChannelWriter } from './channel.ts';
import { javaHash, keyGroupOf, subtaskOf } from './key-groups.ts';
import { PartitionWriter } from './partition-writer.ts';

const S = schema({ k: string(), id: i32(), v: f64() });

/** Keeps rows and control elements in order; takes `room` more rows. */
class FakeChannel implements ChannelWriter {
  readonly got: string[] = [];
  room = Number.POSITIVE_INFINITY;

  ready(): boolean {
    return this.room > 0;
  }

  write(batch: RecordBatch, rows: Int32Array | null, from: number, to: number): number {
    let i = from;
    for (; i < to && this.room > 0; i++, this.room--)
      this.got.push(String(batch.f64('v')[rows === null ? i : (rows[i] as number)]));
    return i;
  }

  watermark(watermark: number): void {
    this.got.push(`wm ${watermark}`);
  }

  idle(idle: boolean): void {
    this.got.push(idle ? 'idle' : 'active');
  }

  marker({ markedAt }: LatencyMarker): void {
    this.got.push(`marker ${markedAt}`);
  }

  barrier({ checkpoint }: CheckpointBarrier): void {
    this.got.push(`barrier ${checkpoint}`);
  }

  letGo(): boolean {
    return true;
  }

  end(): void {
    this.got.push('end');
  }

  flush(): void {
    this.got.push('flush');
  }
}

function writer(partitioner: Partitioner, n: number, options: { subtask?: number; keyKind?: 'string' | 'i32' } = {}) {
  const channels = Array.from({ length: n }, () => new FakeChannel());
  const made = new PartitionWriter(partitioner, channels, {
    schema: S,
    maxParallelism: 128,
    subtask: options.subtask ?? 0,
    keyKind: options.keyKind ?? null,
  });
  return { writer: made, channels, got: () => channels.map((c) => c.got.splice(0).join(' ')) };
}

const dictionary = new Dictionary();
const batchOf = (rows: readonly { k?: string; id?: number; v: number }[], d = dictionary): RecordBatch =>
  fill(
    S,
    d,
    rows.map((r) => ({ k: '', id: 0, ...r })),
    [],
  );
const counted = (n: number): RecordBatch => batchOf(Array.from({ length: n }, (_, v) => ({ v })));

describe('partitioners', () => {
  it('EX14 forward gives everything to the one channel', () => {
    const w = writer({ kind: 'forward' }, 1);
    w.writer.batch(counted(4));
    expect(w.got()).toEqual(['0 1 2 3']);
  });

  it('EX14 rebalance goes round, on from where the last batch stopped; subtasks start at different channels', () => {
    const w = writer({ kind: 'rebalance' }, 3);
    w.writer.batch(counted(4));
    w.writer.batch(counted(3));
    expect(w.got()).toEqual(['0 3 2', '1 0', '2 1']);
    const second = writer({ kind: 'rebalance' }, 3, { subtask: 4 });
    second.writer.batch(counted(3));
    expect(second.got()).toEqual(['2', '0', '1']);
  });

  it('EX14 rescale goes round over its own channels', () => {
    const w = writer({ kind: 'rescale' }, 2);
    w.writer.batch(counted(5));
    expect(w.got()).toEqual(['0 2 4', '1 3']);
  });

  it('EX14 broadcast gives every row to every channel, also those of a selection', () => {
    const w = writer({ kind: 'broadcast' }, 2);
    const batch = counted(4);
    batch.selection = Int32Array.of(1, 3);
    batch.selected = 2;
    w.writer.batch(batch);
    expect(w.got()).toEqual(['1 3', '1 3']);
  });

  for (const n of [2, 3, 5]) {
    it(`EX15 hash sends a string to the subtask of its key group (${n} channels), also behind a filter`, () => {
      const w = writer({ kind: 'hash', column: 0 }, n, { keyKind: 'string' });
      const keys = ['device-0', 'device-1', 'a', '', 'ä', 'device-2', 'device-0', 'sensor-001'];
      const expected = Array.from({ length: n }, () => [] as string[]);
      const batch = batchOf(keys.map((k, v) => ({ k, v })));
      batch.selection = Int32Array.of(0, 1, 3, 4, 5, 6, 7);
      batch.selected = 7;
      for (const i of batch.selection)
        expected[subtaskOf(keyGroupOf(javaHash(keys[i] as string), 128), n, 128)]?.push(String(i));
      w.writer.batch(batch);
      expect(w.got()).toEqual(expected.map((e) => e.join(' ')));
    });

    it(`EX15 hash sends a whole number to the subtask of its key group (${n} channels)`, () => {
      const w = writer({ kind: 'hash', column: 1 }, n, { keyKind: 'i32' });
      const ids = [0, 1, -1, 42, 123456, 1000, -2147483648];
      const expected = Array.from({ length: n }, () => [] as string[]);
      for (const [v, id] of ids.entries()) expected[subtaskOf(keyGroupOf(id, 128), n, 128)]?.push(String(v));
      w.writer.batch(batchOf(ids.map((id, v) => ({ id, v }))));
      expect(w.got()).toEqual(expected.map((e) => e.join(' ')));
    });
  }

  it('EX15 a string keeps its subtask when codes are swept and used again, and when dictionaries change', () => {
    const w = writer({ kind: 'hash', column: 0 }, 3, { keyKind: 'string' });
    const d = new Dictionary(2);
    for (let n = 0; n < 200; n++) {
      const k = `key-${n}`;
      w.writer.batch(batchOf([{ k, v: n }], n % 10 === 9 ? new Dictionary() : d));
      d.sweepIfLarge();
      expect(w.got().indexOf(String(n))).toBe(subtaskOf(keyGroupOf(javaHash(k), 128), 3, 128));
    }
  });

  it('EX15 a null key is an error, not a row that goes nowhere', () => {
    const N = schema({ k: nullable(string()) });
    for (const n of [2, 3]) {
      const w = writer({ kind: 'hash', column: 0 }, n, { keyKind: 'string' });
      expect(() => w.writer.batch(fill(N, new Dictionary(), [{ k: 'a' }, { k: null }], []))).toThrow('null');
    }
  });

  it('EX16 watermarks, status, end and flush go to every channel', () => {
    const w = writer({ kind: 'rebalance' }, 2);
    w.writer.watermark(5);
    w.writer.idle(true);
    w.writer.flush();
    w.writer.end();
    expect(w.got()).toEqual(['wm 5 idle flush end', 'wm 5 idle flush end']);
  });

  it('LM4 a marker goes to one channel, whatever the partitioner, drawn alike in every run', () => {
    for (const kind of [{ kind: 'broadcast' }, { kind: 'hash', column: 0 }] as const) {
      const run = (): string[] => {
        const w = writer(kind, 3, { keyKind: 'string', subtask: 1 });
        for (let markedAt = 0; markedAt < 30; markedAt++) w.writer.marker({ markedAt, source: 0, subtask: 1 });
        return w.got();
      };
      const got = run().map((channel) => channel.split(/ (?=marker)/));
      expect(got.flat().sort()).toEqual(Array.from({ length: 30 }, (_, i) => `marker ${i}`).sort());
      for (const channel of got) expect(channel.length).toBeGreaterThan(3);
      expect(run()).toEqual(run());
    }
  });

  it('EX17 is ready only if all channels are, and stops in the middle of a batch without losing or doubling a row', () => {
    const kinds = fc.constantFrom<Partitioner>(
      { kind: 'rebalance' },
      { kind: 'broadcast' },
      { kind: 'hash', column: 0 },
      { kind: 'rescale' },
    );
    fc.assert(
      fc.property(
        kinds,
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }),
        fc.infiniteStream(fc.nat(4)),
        fc.boolean(),
        (kind, n, sizes, room, picks) => {
          const w = writer(kind, n, { keyKind: 'string' });
          const free = writer(kind, n, { keyKind: 'string' });
          for (const c of w.channels) c.room = room.next().value as number;
          let v = 0;
          for (const size of sizes) {
            const batch = batchOf(Array.from({ length: size }, () => ({ k: `k${v % 7}`, v: v++ })));
            if (picks && size > 1) {
              batch.selection = Int32Array.from({ length: size >> 1 }, (_, i) => i * 2);
              batch.selected = size >> 1;
            }
            for (let tries = 0; !w.writer.ready(); tries++) {
              if (tries > 10_000) throw new Error('never ends');
              for (const c of w.channels) c.room = room.next().value as number;
              w.writer.resume();
            }
            w.writer.batch(batch);
            free.writer.batch(batch);
          }
          for (const c of w.channels) c.room = Number.POSITIVE_INFINITY;
          w.writer.resume();
          expect(w.writer.pending).toBe(false);
          expect(w.got()).toEqual(free.got());
        },
      ),
      { numRuns: 300 },
    );
  });
});
