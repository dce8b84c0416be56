import { describe, expect, it } from 'vitest';
import { ManualClock, systemTimers } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import { f64, schema } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import { NO_OBSTACLES, type Obstacles, type Sink } from '#engine/io/sink.ts';
import { EMPTY_SNAPSHOT } from '#engine/state/snapshot.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { SimulatedDisk } from '#testing/simulated-disk.ts';
import { processNamed } from '#testing/stored-checkpoints.ts';
import { describeVertices } from '../checkpoint/checkpoint-metadata.ts';
import { checkpointSettings } from '../checkpoint/checkpoint-settings.ts';
import { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import { StateWriter } from '../checkpoint/state-writer.ts';
import { JobCheckpoints, type Resume } from './job-checkpoints.ts';
import type { JobExecution } from './job-execution.ts';
import type { JobNews } from './job-news.ts';

const ROOT = '/checkpoints/early';

/** A job of one task, whose sink says of each checkpoint what `obstacles` gives, in turn. */
function job(
  resume: Resume,
  obstacles: readonly Partial<Obstacles>[] = [],
  execution: Partial<JobExecution> | null = null,
  { machine = new SimulatedDisk({ random: new Random(1) }), name = 'early' } = {},
) {
  const disk = machine.mount();
  const left = [...obstacles];
  const sink: Sink = new CollectSink() as Sink;
  sink.check = () => ({ ...NO_OBSTACLES, ...left.shift() });
  const env = new StreamExecutionEnvironment({ name: 'early' });
  env.fromSource(fromRows(schema({ v: f64() }), []), 'rows').sinkTo(sink, 'collect');
  const graph = env.jobGraph();
  const news: JobNews[] = [];
  const checkpoints = new JobCheckpoints(
    {
      settings: checkpointSettings({ retained: 3 }),
      directory: '/checkpoints',
      disk,
      resume,
      process: processNamed('2'),
    },
    {
      spec: () => ({ name, params: null }),
      graph: () => graph,
      clock: new ManualClock(),
      timers: systemTimers,
      random: new Random(1),
      execution: () => execution as JobExecution | null,
      failJob: () => {},
      tell: (one) => news.push(one),
    },
  );
  /** What another process has left: so many checkpoints. */
  const taken = async (count: number): Promise<void> => {
    const random = new Random(1);
    const process = processNamed('1');
    const store = await CheckpointStore.open({
      ...{ disk, directory: '/checkpoints', job: 'early', retained: 3, process, random },
    });
    const writer = new StateWriter({ disk, root: store.root, subtask: { vertex: 0, index: 0 } });
    for (let id = 1; id <= count; id++) {
      const parts = graph.vertices[0]?.operators.map(({ id: operator }) => ({ operator, snapshot: EMPTY_SNAPSHOT }));
      const handle = await writer.write({ checkpoint: id, kind: 'checkpoint' }, parts ?? []);
      await store.complete({
        ...{ id, kind: 'checkpoint', triggeredAt: id, completedAt: id, job: { name: 'early', params: null } },
        vertices: describeVertices(graph, [[handle]]),
        enumerators: {},
      });
    }
    await store.close();
  };
  /** Numbers of those that can be gone on from. */
  const kept = (): number[] =>
    machine.files().flatMap((path) => (path.endsWith('/_metadata') ? [Number(/chk-(\d+)/.exec(path)?.[1])] : []));
  return { machine, checkpoints, news, taken, kept, run: <T>(work: Promise<T>): Promise<T> => machine.run(work) };
}

describe('the checkpoints of a job', () => {
  it('say by name that one which has not begun takes no savepoint, and no checkpoint', async () => {
    const { checkpoints } = job({ from: 'beginning' });
    const refused = { code: 'NOT_RUNNING', message: expect.stringMatching(/^Job early has not begun: /) };
    await expect(checkpoints.savepoint('savepoint', null)).rejects.toMatchObject(refused);
    await expect(checkpoints.checkpoint()).rejects.toMatchObject(refused);
  });

  it('CK3 numbers go on from that of the checkpoint or savepoint that a job begins from', async () => {
    const other = job({ from: 'beginning' });
    await other.run(other.taken(3));
    const path = { from: 'path', path: `${ROOT}/chk-3`, claim: 'no-claim', allowNonRestoredState: false } as const;
    const running = {
      running: () => true,
      enumeratorSnapshots: () => new Map(),
      toSources: () => {},
      broadcast: () => {},
    };
    const { checkpoints, news, run } = job(path, [], running, { machine: other.machine, name: 'next' });
    checkpoints.start(await run(checkpoints.open()));
    void checkpoints.checkpoint().catch(() => {});
    expect(news).toMatchObject([{}, { type: 'checkpoint', change: { type: 'triggered', id: 4 } }]);
    await run(checkpoints.close());
  });

  it('CS22 the one before is taken where the newest cannot commit what it holds, and its reason is told', async () => {
    const { checkpoints, taken, run, kept } = job({ from: 'latest' }, [{ damage: 'A part is gone.' }]);
    await run(taken(3));
    const point = await run(checkpoints.open());
    expect([point?.checkpoint.id, point?.skipped]).toMatchObject([2, [{ id: 3, reason: 'A part is gone.' }]]);
    expect(kept()).toEqual([1, 2]);
  });

  it('CS23 none is gone back to where that doubles rows: the error names what is damaged and what was committed, and nothing is changed', async () => {
    const { machine, checkpoints, taken, run, kept } = job({ from: 'latest' }, [{ doubled: '7 rows are in a table.' }]);
    await run(taken(3));
    machine.flip(`${ROOT}/chk-3/0-0.state`);
    await expect(run(checkpoints.open())).rejects.toMatchObject({
      code: 'NO_WAY_BACK',
      message: expect.stringMatching(
        /^Job early does not go back to \/checkpoints\/early\/chk-2, .*Checkpoint 3 cannot be used: \/checkpoints\/early\/chk-3\/0-0\.state is damaged.*7 rows are in a table\. Nothing was changed/,
      ),
    });
    expect(kept()).toEqual([1, 2, 3]);
    // Whoever asks for that one has it.
    const path = { from: 'path', path: `${ROOT}/chk-2`, claim: 'no-claim', allowNonRestoredState: false } as const;
    const asked = job(path, [{ doubled: '7 rows are in a table.' }]);
    await asked.run(asked.taken(3));
    expect((await asked.run(asked.checkpoints.open()))?.checkpoint.id).toBe(2);
  });

  it('CS23 nor where a later one has left no trace but what it has committed', async () => {
    const { checkpoints, taken, run } = job({ from: 'latest' }, [{ doubled: '7 rows are in a table.' }]);
    await run(taken(1));
    await expect(run(checkpoints.open())).rejects.toThrow(
      /A later checkpoint, or a savepoint .*7 rows are in a table\./,
    );
  });

  it('CS24 where none is left the job is refused with what is damaged in each; where there never was one it begins', async () => {
    const { machine, checkpoints, taken, run, kept } = job({ from: 'latest' }, [{ damage: 'A part is gone.' }]);
    await run(taken(2));
    machine.flip(`${ROOT}/chk-2/0-0.state`);
    await expect(run(checkpoints.open())).rejects.toMatchObject({
      code: 'NO_CHECKPOINT_LEFT',
      message: expect.stringMatching(/chk-2\/0-0\.state is damaged.* Checkpoint 1 cannot be used: A part is gone\./),
    });
    expect(kept()).toEqual([1, 2]);
    const none = job({ from: 'latest' });
    expect(await none.run(none.checkpoints.open())).toBeNull();
    expect(none.news).toMatchObject([{ type: 'restored', checkpoint: null, skipped: [] }]);
  });
});
