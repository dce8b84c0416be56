import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { i32, schema, string } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { valueState } from '#engine/state/descriptors.ts';
import type { StateBackendName, ValueState } from '#engine/state/keyed-state.ts';
import { RecordList } from '#engine/state/record-list.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { LocalExecutor } from '../local/local-executor.ts';
import { LevelStore, levelBackend } from './level-store.ts';

const In = schema({ k: string(), v: i32() });
const Out = schema({ k: string(), sum: i32() });
const directories: string[] = [];

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'weir-level-'));
  directories.push(directory);
  return directory;
}

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** Running sums of many keys, few of which fit into the cache. */
function job(stateBackend: StateBackendName, keys: number, sink: CollectSink): JobGraph {
  const random = new Random(7);
  const rows = Array.from({ length: 6 * keys }, (_, i) => ({
    row: { k: `key-${random.below(keys)}`, v: i % 100 },
    time: i,
  }));
  const env = new StreamExecutionEnvironment({ name: 'sums', parallelism: 2, stateBackend, stateCacheBytes: 100_000 });
  env
    .fromSource(fromRows(In, rows), 'rows')
    .setParallelism(1)
    .keyBy('k')
    .process('sum', {
      output: Out,
      create: () => {
        let sum: ValueState<number, number>;
        return {
          open: (ctx) => {
            sum = ctx.getState(valueState('sum', { default: 0 }));
          },
          processElement: (row, _ctx, out) => {
            sum.update(sum.value() + row.v);
            out.collect({ k: row.k, sum: sum.value() });
          },
        };
      },
    })
    .sinkTo(sink, 'results');
  return env.jobGraph();
}

const byKey = (sink: CollectSink): Map<unknown, unknown[]> => {
  const sums = new Map<unknown, unknown[]>();
  for (const { row } of sink.rows) sums.set(row.k, [...(sums.get(row.k) ?? []), row.sum]);
  return sums;
};

const key = (n: number) => Uint8Array.of(0, n);

function list(...entries: (readonly [Uint8Array, Uint8Array | null])[]): RecordList {
  const made = new RecordList();
  for (const [name, record] of entries) {
    made.out.raw(name);
    made.key();
    if (record !== null) made.out.raw(record);
    made.add();
  }
  return made;
}

describe('state in a LevelDB', () => {
  it('ST3 a job with many more keys than the cache holds gives what it gives on the heap, and leaves no files', async () => {
    const [heap, level] = [new CollectSink(), new CollectSink()];
    new LocalExecutor(job('heap', 3000, heap)).run();
    const directory = scratch();
    await new LocalExecutor(job('level', 3000, level), { levelBackend: levelBackend(directory) }).runAsync();
    expect(level.rows).toHaveLength(18_000);
    expect(byKey(level)).toEqual(byKey(heap));
    await expect.poll(() => readdirSync(directory)).toEqual([]);
  });

  it('ST4 a store that cannot be written fails the job, with operator and directory', async () => {
    const directory = scratch();
    const executor = new LocalExecutor(job('level', 50_000, new CollectSink()), {
      levelBackend: levelBackend(directory),
    });
    // It is opened in the next turn of the event loop.
    for (const store of readdirSync(directory)) {
      rmSync(join(directory, store), { recursive: true });
      writeFileSync(join(directory, store), '');
    }
    await expect(executor.runAsync()).rejects.toThrow(/sum: state could not be (read|written) in .*weir-level-/);
    executor.close();
    const file = join(scratch(), 'file');
    writeFileSync(file, '');
    expect(() => new LocalExecutor(job('level', 1, new CollectSink()), { levelBackend: levelBackend(file) })).toThrow(
      /sum: state could not be kept in .*file/,
    );
  });

  it('ST4 a job that wants its state on disk does not run where there is none', () => {
    expect(() => new LocalExecutor(job('level', 1, new CollectSink()))).toThrow('sum: the job wants state on disk');
  });

  it.each([
    ['as long as it is small', undefined],
    ['when it has grown', -1],
  ])('ST5 reads, writes, deletes, looks at what comes next and at everything as it was, %s', async (_, inMemory) => {
    const fail = (error: Error): never => {
      throw error;
    };
    const store = new LevelStore(scratch(), 'test', fail, inMemory);
    const written = (...changes: Parameters<typeof list>) =>
      new Promise<void>((resolve) => store.write(list(...changes), null, resolve));
    await written(...[3, 1, 2].map((n) => [key(n), Uint8Array.of(n)] as const));
    const view = store.view();
    await written([key(1), null], [key(2), Uint8Array.of(22)]);
    const found = await new Promise((resolve) =>
      store.getMany(list([key(1), null], [key(2), null], [key(3), null]), resolve),
    );
    expect(found).toEqual([undefined, Uint8Array.of(22), Uint8Array.of(3)].map((v) => v && Buffer.from(v)));
    const scan = (after: Uint8Array | null, limit: number) =>
      new Promise<number[]>((resolve) => store.scan(after, limit, (e) => resolve(e.map(([k]) => k[1] as number))));
    expect([await scan(null, 1), await scan(key(2), 5)]).toEqual([[2], [3]]);
    const firsts = async (limit: number) => (await view.next(limit)).map(([, record]) => record[0]);
    expect([await firsts(2), await firsts(2), await firsts(2)]).toEqual([[1, 2], [3], []]);
    store.close();
    await expect
      .poll(() => existsSync(directories.at(-1) as string) && readdirSync(directories.at(-1) as string))
      .toEqual([]);
  });

  it.each([
    ['as long as it is small', undefined],
    ['when it has grown', -1],
  ])('ST5 keys and records of any length come back as they were, %s', async (_, inMemory) => {
    const fail = (error: Error): never => {
      throw error;
    };
    const store = new LevelStore(scratch(), 'test', fail, inMemory);
    const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * seed + length) & 255);
    const changes = Array.from({ length: 200 }, (_, n) => [bytes(1 + n, 7), bytes(1 + ((n * 37) % 200), 11)] as const);
    // Only behind the first it is open.
    for (const some of [changes.slice(0, 1), changes])
      await new Promise<void>((resolve) => store.write(list(...some), null, resolve));
    const found = await new Promise<readonly (Uint8Array | undefined)[]>((resolve) =>
      store.getMany(list(...changes.map(([key]) => [key, null] as const)), resolve),
    );
    expect(found.map((record) => record && [...record])).toEqual(changes.map(([, record]) => [...record]));
    store.close();
  });

  it('ST9 what is written again before it has been written is there as it was written last', async () => {
    const store = new LevelStore(scratch(), 'test', (error) => {
      throw error;
    });
    const written = (n: number, version: number) =>
      new Promise<void>((resolve) => store.write(list([key(n), Uint8Array.of(version)]), null, resolve));
    const last = 200;
    const keys = Array.from({ length: 50 }, (_, n) => n);
    // It is open, so that nothing waits for that.
    await written(0, 0);
    for (const n of keys) await Promise.all(Array.from({ length: last }, (_, version) => written(n, version + 1)));
    const found = await new Promise<readonly (Uint8Array | undefined)[]>((resolve) =>
      store.getMany(list(...keys.map((n) => [key(n), null] as const)), resolve),
    );
    expect(found.map((record) => record?.[0])).toEqual(keys.map(() => last));
    store.close();
  });
});
