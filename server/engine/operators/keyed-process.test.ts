import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import { BACKENDS } from '#testing/backends.ts';
import type { HarnessOptions, OperatorHarness } from '#testing/harness.ts';
import { harnessOf } from '#testing/harness-of.ts';
import { MemoryStore } from '#testing/memory-store.ts';
import { f64, i32, schema, string } from '../batch/schema.ts';
import { javaHash, keyGroupOf, subtaskOf } from '../exchange/key-groups.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { CachedBackend } from '../state/cached-backend.ts';
import { mapState, valueState } from '../state/descriptors.ts';
import type { MapState, ValueState } from '../state/keyed-state.ts';
import { timeToLive } from '../state/ttl.ts';
import type { KeyedProcessFunction } from './keyed-process.ts';
import { OutputTag } from './process.ts';

const In = schema({ k: string(), v: f64() });
const Out = schema({ k: string(), says: string() });
const odd = new OutputTag('odd', schema({ k: string() }));
type In = typeof In.fields;
type Out = typeof Out.fields;
type Fn = KeyedProcessFunction<In, Out>;
type Settings = Pick<HarnessOptions, 'subtask' | 'parallelism' | 'restore' | 'stateBackend'>;

describe.each(BACKENDS)('functions with state and timers per key on %s', (_name, stateBackend) => {
  const harness = (create: () => Fn, settings: Settings = {}): OperatorHarness =>
    harnessOf(In, (rows) => rows.keyBy('k').process('watch', { output: Out, sideOutputs: [odd], create }), {
      stateBackend,
      ...settings,
    });
  const rows = (h: OperatorHarness, script: string, watermarks?: number[]): OperatorHarness => {
    const parsed = script.split(' ').map((part) => {
      const [, k, v, time] = /^(\w+?)(-?\d+)@(\d+)$/.exec(part) ?? [];
      return { k, v: Number(v), time: Number(time) };
    });
    return h.rows(
      parsed.map(({ k, v }) => ({ k, v })),
      { times: parsed.map((p) => p.time), ...(watermarks === undefined ? {} : { watermarks }) },
    );
  };
  const says = (h: OperatorHarness): string[] =>
    h
      .emissions()
      .filter((e) => e.output === 'main' || e.kind === 'row')
      .flatMap((e) => {
        if (e.kind === 'row')
          return [`${e.output === 'main' ? '' : `${e.output} `}${e.row.k}:${e.row.says ?? ''}@${e.time}`];
        return e.kind === 'watermark' ? [`wm ${e.watermark}`] : [e.kind];
      });

  /** Counts rows of a key; at a timer says how many there were. `v` above 0 asks for a timer that much later. */
  class Counting implements Fn {
    #count!: ValueState<number, number>;

    open(ctx: Parameters<NonNullable<Fn['open']>>[0]): void {
      this.#count = ctx.getState(valueState('count', { default: 0 }));
    }

    processElement(...[row, ctx]: Parameters<Fn['processElement']>): void {
      this.#count.update(this.#count.value() + 1);
      if (row.v !== 0) ctx.timerService.registerEventTimeTimer((ctx.timestamp as number) + row.v);
    }

    onTimer(...[time, ctx, out]: Parameters<NonNullable<Fn['onTimer']>>): void {
      out.collect({ k: String(ctx.currentKey), says: `${this.#count.value()} until ${time}` });
    }
  }

  it('KP1 state belongs to the key of the row, whatever the batch', () => {
    const h = harness(() => {
      let sum: ValueState<number, number>;
      return {
        open: (ctx) => {
          sum = ctx.getState(valueState('sum', { default: 0 }));
        },
        processElement: (row, ctx, out) => {
          sum.update(sum.value() + row.v);
          out.collect({ k: row.k, says: `${ctx.currentKey} ${sum.value()}` });
        },
      };
    });
    rows(h, 'a1@5 b10@6 a2@7');
    rows(h, 'b20@8 c5@9');
    expect(says(h)).toEqual(['a:a 1@5', 'b:b 10@6', 'a:a 3@7', 'b:b 30@8', 'c:c 5@9']);
  });

  it('KP1 whole numbers are keys too', () => {
    const Numbered = schema({ n: i32(), v: f64() });
    const h = harnessOf(
      Numbered,
      (r) =>
        r.keyBy('n').process('sum', {
          output: schema({ n: i32(), sum: f64() }),
          create: () => {
            let sum: ValueState<number, number>;
            return {
              open: (ctx) => {
                sum = ctx.getState(valueState('sum', { default: 0 }));
              },
              processElement: (row, ctx, out) => {
                sum.update(sum.value() + row.v);
                out.collect({ n: ctx.currentKey as number, sum: sum.value() });
              },
            };
          },
        }),
      { stateBackend },
    );
    h.rows([
      { n: -3, v: 1 },
      { n: 7, v: 2 },
      { n: -3, v: 4 },
    ]);
    expect(h.take()).toEqual(['{"n":-3,"sum":1} @null', '{"n":7,"sum":2} @null', '{"n":-3,"sum":5} @null']);
  });

  it('KP2 timers run in the order of their instants, before the watermark that has reached them goes on', () => {
    const h = harness(() => new Counting());
    rows(h, 'a30@10 b5@10 a10@10');
    h.watermark(14).watermark(39).watermark(40);
    expect(says(h)).toEqual(['wm 14', 'b:1 until 15@15', 'a:2 until 20@20', 'wm 39', 'a:2 until 40@40', 'wm 40']);
  });

  it('KP3 a watermark among rows makes timers run before the first row that finds it there', () => {
    const h = harness(() => new Counting());
    rows(h, 'a5@10 a0@11 a0@12 a0@13', [0, 14, 15, 20]);
    expect(says(h)).toEqual(['a:2 until 15@15', 'wm 15']);
    h.watermark(30);
    expect(says(h)).toEqual(['wm 30']);
  });

  it('KP4 a timer behind the watermark runs when the watermark next rises', () => {
    const h = harness(() => new Counting());
    h.watermark(100);
    rows(h, 'a1@10');
    expect(says(h)).toEqual(['wm 100']);
    rows(h, 'b0@11 b0@12', [100, 101]);
    expect(says(h)).toEqual(['a:1 until 11@11', 'wm 101']);
  });

  it('KP5 a timer is there once per key and instant, can be deleted, and may ask for others', () => {
    const h = harness(() => ({
      processElement: (row, ctx) => {
        const { timerService } = ctx;
        if (row.v > 0) timerService.registerEventTimeTimer(row.v);
        else timerService.deleteEventTimeTimer(-row.v);
      },
      onTimer: (time, ctx, out) => {
        out.collect({ k: String(ctx.currentKey), says: `${ctx.timeDomain} ${ctx.timestamp}` });
        if (time === 50) ctx.timerService.registerEventTimeTimer(60);
        if (time === 60) ctx.timerService.registerEventTimeTimer(200);
      },
    }));
    rows(h, 'a50@1 a50@1 b50@1 a70@1 c80@1 c-80@1');
    h.watermark(100);
    expect(says(h).sort()).toEqual([
      'a:event 50@50',
      'a:event 60@60',
      'a:event 70@70',
      'b:event 50@50',
      'b:event 60@60',
      'wm 100',
    ]);
    h.watermark(Number.POSITIVE_INFINITY);
    expect(says(h).sort()).toEqual(['a:event 200@200', 'b:event 200@200', 'wm Infinity']);
  });

  it('KP6 timers of the clock run when it shows their instant, without timestamp, and not at all behind the end', () => {
    const h = harness(() => ({
      processElement: (row, ctx) => {
        const { timerService } = ctx;
        timerService.registerProcessingTimeTimer(timerService.currentProcessingTime() + row.v);
      },
      onTimer: (time, ctx, out) => {
        out.collect({ k: String(ctx.currentKey), says: `${ctx.timeDomain} ${time} ${ctx.timestamp}` });
      },
    }));
    rows(h, 'a30@1 b20@1 c500@1');
    h.advance(19);
    expect(says(h)).toEqual([]);
    h.advance(1);
    expect(says(h)).toEqual(['b:processing 20 null@null']);
    h.advance(100);
    expect(says(h)).toEqual(['a:processing 30 null@null']);
    h.watermark(Number.POSITIVE_INFINITY).end();
    expect(says(h)).toEqual(['wm Infinity', 'end']);
  });

  it('KP7 stops anywhere for want of credits and goes on where it was', () => {
    const h = harness(() => new Counting());
    const keys = Array.from({ length: 6000 }, (_, i) => `k${i}`);
    for (let at = 0; at < keys.length; at += 2000) {
      h.rows(
        keys.slice(at, at + 2000).map((k) => ({ k, v: 10 })),
        { times: Array.from({ length: 2000 }, () => 5) },
      );
    }
    h.credits(1).watermark(20);
    expect(h.pending).toBe(true);
    h.drip();
    const said = says(h);
    expect(said.at(-1)).toBe('wm 20');
    expect(said.slice(0, -1).sort()).toEqual(keys.map((k) => `${k}:1 until 15@15`).sort());
  });

  it('KP8 side outputs, the current row as it is, and plain functions', () => {
    const h = harness(() => ({
      processElement: (row, ctx, out) => {
        if (row.v % 2 !== 0) ctx.output(odd, { k: row.k });
        else out.collect({ k: row.k, says: 'even' });
      },
    }));
    rows(h, 'a1@3 b2@4');
    expect(says(h).sort()).toEqual(['b:even@4', 'odd a:@3']);
    const plain = harnessOf(In, (r) =>
      r
        .keyBy('k')
        .process('narrow', { output: schema({ k: string() }), create: () => (_row, _ctx, out) => out.forward() }),
    );
    plain.rows([{ k: 'x', v: 1 }], { times: [9] });
    expect(plain.take()).toEqual(['{"k":"x"} @9']);
    const undeclared = harness(() => ({
      processElement: (_row, ctx) => ctx.output(new OutputTag('other', In), { k: '', v: 0 }),
    }));
    expect(() => rows(undeclared, 'a1@1')).toThrow('watch: side output "other" was not declared');
  });

  it('KP8 what cannot work is refused by name', () => {
    const shape = harness(() => ({ processElement: (_row, _ctx, out) => out.forward() }));
    expect(() => rows(shape, 'a1@1')).toThrow('watch: forward() needs');
    const timeless = harness(() => ({
      processElement: (_row, ctx) => ctx.timerService.registerEventTimeTimer(Number.NaN),
    }));
    expect(() => rows(timeless, 'a1@1')).toThrow('watch: a timer needs an instant');
    const twice = (): OperatorHarness =>
      harness(() => ({
        open: (ctx) => {
          ctx.getState(valueState<number>('s'));
          ctx.getState(mapState<string, number>('s'));
        },
        processElement: () => {},
      }));
    expect(twice).toThrow('two different states are called "s"');
  });

  it('KP9 state, timers and watermark move by key group to any parallelism', async () => {
    const one = harness(() => new Counting());
    const keys = Array.from({ length: 40 }, (_, i) => `device${i}`);
    const feed = (h: OperatorHarness, of: readonly string[]) =>
      h.rows(
        of.map((k) => ({ k, v: 100 })),
        { times: of.map(() => 7) },
      );
    feed(one, keys);
    one.watermark(50);
    feed(one, keys);
    const taken = [await one.snapshotLater()];
    const three = [0, 1, 2].map((subtask) =>
      harness(() => new Counting(), { subtask, parallelism: 3, restore: taken }),
    );
    for (const [subtask, h] of three.entries()) {
      const mine = keys.filter((k) => subtaskOf(keyGroupOf(javaHash(k), 128), 3, 128) === subtask);
      expect((await h.snapshotLater()).watermark).toBe(50);
      h.watermark(200);
      expect(says(h).sort()).toEqual([...mine.map((k) => `${k}:2 until 107@107`), 'wm 200'].sort());
    }
    const back = harness(() => new Counting(), { restore: await Promise.all(three.map((h) => h.snapshotLater())) });
    feed(back, keys);
    back.watermark(300);
    expect(says(back).filter((s) => s.includes(':3 until 107@107'))).toHaveLength(40);
  });

  it('KP10 state of another version is migrated, or refused by operator, state and versions', async () => {
    const versioned =
      (version: number, migrate?: (stored: unknown, from: number) => string): (() => Fn) =>
      () => {
        let last: ValueState<string>;
        return {
          open: (ctx) => {
            last = ctx.getState(valueState<string>('last', { version, ...(migrate === undefined ? {} : { migrate }) }));
          },
          processElement: (row, _ctx, out) => {
            out.collect({ k: row.k, says: `${last.value()}` });
            last.update(String(row.v));
          },
        };
      };
    const old = harness(versioned(1));
    rows(old, 'a7@1');
    const restore = [await old.snapshotLater()];
    const same = harness(versioned(1), { restore });
    rows(same, 'a8@1');
    expect(says(same)).toEqual(['a:7@1']);
    const migrated = harness(
      versioned(2, (stored, from) => `v${from} ${stored}`),
      { restore },
    );
    rows(migrated, 'a8@1');
    expect(says(migrated)).toEqual(['a:v1 7@1']);
    expect(() => harness(versioned(2), { restore })).toThrow(/"last".*version 1.*2/);
    const newer = [await migrated.snapshotLater()];
    expect(() => harness(versioned(1), { restore: newer })).toThrow(/"last".*2.*1/);
  });

  it('KP11 several states of a key, and maps in them', () => {
    const h = harness(() => {
      let seen: MapState<string, number>;
      let last: ValueState<string>;
      return {
        open: (ctx) => {
          seen = ctx.getState(mapState<string, number>('seen'));
          last = ctx.getState(valueState<string>('last'));
        },
        processElement: (row, _ctx, out) => {
          const what = String(row.v);
          seen.put(what, (seen.get(what) ?? 0) + 1);
          out.collect({ k: row.k, says: `${last.value()} ${JSON.stringify([...seen.entries()])}` });
          last.update(what);
          if (row.v === 9) seen.clear();
        },
      };
    });
    rows(h, 'a1@1 a2@1 b1@1 a1@1 a9@1 a1@1');
    expect(says(h).map((s) => s.split('@')[0])).toEqual([
      'a:null [["1",1]]',
      'a:1 [["1",1],["2",1]]',
      'b:null [["1",1]]',
      'a:2 [["1",2],["2",1]]',
      'a:1 [["1",2],["2",1],["9",1]]',
      'a:9 [["1",1]]',
    ]);
  });
});

describe('functions with state and timers per key', () => {
  it('T9 every row cleans up some state of other keys, where that is wanted', async () => {
    const ttl = timeToLive(100, { incremental: { entries: 1024, everyRecord: true } });
    const create = (): Fn => {
      let last: ValueState<number>;
      return {
        open: (ctx) => {
          last = ctx.getState(valueState<number>('last', { ttl }));
        },
        processElement: (row) => {
          if (row.v > 0) last.update(row.v);
        },
      };
    };
    const clock = new ManualClock(0);
    const h = harnessOf(In, (rows) => rows.keyBy('k').process('watch', { output: Out, create }), { clock });
    const feed = (...rows: { k: string; v: number }[]) => h.rows(rows, { times: rows.map(() => 0) });
    feed({ k: 'a', v: 1 }, { k: 'b', v: 1 });
    clock.set(60);
    feed({ k: 'c', v: 1 });
    clock.set(120);
    feed({ k: 'other', v: 0 }, { k: 'other', v: 0 });
    expect(h.cells[OperatorCell.EXPIRED]).toBe(2);
    expect((await h.snapshotLater()).keyed.length).toBe(1);
  });

  it('KP12 timers of keys whose records lie in a store wait for many at a time, and leave memory again', () => {
    const KEYS = 20_000;
    const random = new Random(3);
    const store = new MemoryStore(random);
    let most = 0;
    const create = (): Fn => {
      let count: ValueState<number, number>;
      return {
        open: (ctx) => {
          count = ctx.getState(valueState('count', { default: 0 }));
        },
        processElement: (row, ctx) => {
          count.update(count.value() + 1);
          ctx.timerService.registerEventTimeTimer(row.v);
        },
        onTimer: (time, ctx, out) => {
          most = Math.max(most, h.stateBytes);
          out.collect({ k: String(ctx.currentKey), says: `${time}: ${count.value()}` });
        },
      };
    };
    const h = harnessOf(In, (rows) => rows.keyBy('k').process('watch', { output: Out, create }), {
      stateBackend: (options) => new CachedBackend({ ...options, store, bufferBytes: 0, cacheBytes: 0 }),
    });
    const settle = (): void => {
      while (h.pending) {
        if (!store.answer()) throw new Error('It waits for nothing.');
        h.resume();
      }
    };
    for (let from = 0; from < KEYS; from += 2000) {
      const rows = Array.from({ length: 2000 }, (_, i) => ({ k: `k${from + i}`, v: (from + i) % 7 }));
      h.rows(rows, { times: rows.map(() => 0) });
      settle();
    }
    while (store.answer());
    store.reads = 0;
    h.watermark(10);
    settle();
    const made = h.emissions().flatMap((e) => (e.kind === 'row' ? [e] : []));
    const expected = Array.from({ length: KEYS }, (_, i) => `k${i} ${i % 7}: 1`);
    expect(made.map(({ row }) => `${row.k} ${row.says}`).sort()).toEqual(expected.sort());
    expect(made.map(({ time }) => time)).toEqual(made.map(({ time }) => time).sort());
    // At most 256 keys a read, two reads at a time; ready ones among them cost some more.
    expect(store.reads).toBeLessThan(100);
    // Records of 264 bytes: not those of all keys at once, after what the timers take.
    expect(most - KEYS * 130).toBeLessThan(10_000 * 280);
  });
});
