import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { Dictionary } from '#engine/batch/dictionary.ts';
import { i32, schema, string } from '#engine/batch/schema.ts';
import { InFlight, type InFlightElement } from '#engine/exchange/in-flight.ts';
import { javaHash, keyGroupOf, subtaskOf } from '#engine/exchange/key-groups.ts';
import { type DataStream, StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { JobGraph } from '#engine/graph/job-graph.ts';
import { EMPTY_SNAPSHOT, type OperatorSnapshot } from '#engine/state/snapshot.ts';
import { CollectSink, fromRows } from '#testing/collect.ts';
import { fill } from '#testing/harness.ts';
import { restoreInFlight, saveInFlight } from './in-flight-state.ts';
import { type ChainSnapshot, SubtaskCheckpoints } from './subtask-checkpoints.ts';

const S = schema({ k: string(), v: i32() });
type Stream = DataStream<typeof S.fields>;
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

/** source ─> main, one task each; main is vertex 1 and reads edge 0. */
function graphOf(source: number, main: number, connect: (stream: Stream) => Stream, fields = S): JobGraph {
  const env = new StreamExecutionEnvironment({ name: 'test', parallelism: main });
  const read = env
    .fromSource(fromRows(fields as typeof S, []), 'rows')
    .uid('rows')
    .setParallelism(source);
  connect(read)
    .map('main', S, (row) => row)
    .uid('main')
    .disableChaining()
    .sinkTo(new CollectSink(), 'out')
    .uid('out');
  return env.jobGraph();
}

const byKey = (stream: Stream): Stream => stream.keyBy('k') as unknown as Stream;

function inFlight(channel: number, keys: readonly string[]): readonly InFlightElement[] {
  const kept = new InFlight(S, () => new Dictionary());
  kept.add({ kind: 'watermark', channel, watermark: 5, ingestedAt: 0 });
  kept.rows(
    fill(
      S,
      new Dictionary(),
      keys.map((k) => ({ k, v: channel })),
      [],
    ),
    channel,
  );
  return kept.elements;
}

function texts(elements: readonly InFlightElement[] = []): string[] {
  const dictionary = new Dictionary();
  const decoder = new InFlight(S, () => dictionary);
  return elements.flatMap((element) => {
    if (element.kind !== 'rows') return [`${element.channel} ${element.kind}`];
    const batch = decoder.decode(element);
    return Array.from(
      { length: batch.count },
      (_, row) => `${element.channel} ${dictionary.get(batch.codes('k')[row] as number)}`,
    );
  });
}

/** What both subtasks of main had come in, each on both channels. */
function incoming(graph: JobGraph): OperatorSnapshot[] {
  return [0, 1].map((index) => {
    const mine = KEYS.filter((k) => subtaskOf(keyGroupOf(javaHash(k), 128), 2, 128) === index);
    const elements = [0, 1].flatMap((channel) => inFlight(channel, mine));
    const { operator } = saveInFlight({ graph, id: { vertex: 1, index } }, [elements], new Map());
    return { ...EMPTY_SNAPSHOT, operator };
  });
}

describe('rows in flight', () => {
  it('UA5 with the same subtasks each channel has its own back, watermarks among the rows', () => {
    const graph = graphOf(2, 2, byKey);
    const restored = new Map([['main', incoming(graph)]]);
    const back = [0, 1].map((index) =>
      texts(restoreInFlight({ graph, id: { vertex: 1, index } }, restored).inputs.get(0)),
    );
    for (const [index, lines] of back.entries()) {
      const mine = KEYS.filter((k) => subtaskOf(keyGroupOf(javaHash(k), 128), 2, 128) === index);
      expect(lines).toEqual([0, 1].flatMap((c) => [`${c} watermark`, ...mine.map((k) => `${c} ${k}`)]));
    }
  });

  for (const [source, main] of [
    [2, 3],
    [2, 1],
    [3, 2],
    [1, 4],
  ] as const) {
    it(`UA5 with ${source} before and ${main} behind they go where their keys are, once, without watermarks`, () => {
      const restored = new Map([['main', incoming(graphOf(2, 2, byKey))]]);
      const graph = graphOf(source, main, byKey);
      const all: string[] = [];
      for (let index = 0; index < main; index++) {
        const lines = texts(restoreInFlight({ graph, id: { vertex: 1, index } }, restored).inputs.get(0));
        for (const line of lines) expect(subtaskOf(keyGroupOf(javaHash(line.slice(-1)), 128), main, 128)).toBe(index);
        all.push(...lines);
      }
      expect(all.toSorted()).toEqual(KEYS.flatMap((k) => [`-1 ${k}`, `-1 ${k}`]));
    });
  }

  it('UA5 what waits to go out is dealt again', () => {
    const outgoing = (graph: JobGraph): OperatorSnapshot[] =>
      [0, 1].map((index) => {
        const outputs = new Map([[0, inFlight(index, KEYS)]]);
        const { operator } = saveInFlight({ graph, id: { vertex: 0, index } }, [], outputs);
        return { ...EMPTY_SNAPSHOT, operator };
      });
    const balanced = (stream: Stream): Stream => stream.rebalance();
    const restored = new Map([['rows', outgoing(graphOf(2, 2, balanced))]]);
    const graph = graphOf(3, 2, balanced);
    const back = [0, 1, 2].map((index) =>
      texts(restoreInFlight({ graph, id: { vertex: 0, index } }, restored).outputs.get(0)),
    );
    expect(back).toEqual([KEYS.map((k) => `-1 ${k}`), KEYS.map((k) => `-1 ${k}`), []]);
  });

  it('UA6 those of other exchanges, and of a job that has changed, are refused by name', () => {
    const restored = new Map([['main', incoming(graphOf(2, 2, (stream) => stream.rescale()))]]);
    const restore = (graph: JobGraph) => () => restoreInFlight({ graph, id: { vertex: 1, index: 0 } }, restored);
    expect(restore(graphOf(2, 2, (stream) => stream.rescale()))).not.toThrow();
    expect(restore(graphOf(2, 1, (stream) => stream.rescale()))).toThrow(/^main: .*parallelism it was taken at/);
    const other = schema({ k: string(), v: i32(), more: i32() }) as unknown as typeof S;
    expect(restore(graphOf(2, 2, (stream) => stream.rescale(), other))).toThrow(
      /^main: .*the job is not the same any more/,
    );
  });

  it('UA8 the figures of a snapshot say how long it took from the first barrier to the last, and what was kept', async () => {
    const taken: ChainSnapshot[] = [];
    const clock = new ManualClock();
    const checkpoints = new SubtaskCheckpoints(
      { mode: 'exactly-once', take: (one) => taken.push(one), decline: () => {}, ended: () => {} },
      clock,
      () => {},
    );
    const { aligner } = checkpoints;
    const channels = { capture: () => {}, record: () => {}, stop: () => {}, drop: () => {} };
    aligner.addChannels(2, channels);
    const barrier = { checkpoint: 1, triggeredAt: clock.now(), kind: 'checkpoint', overtakesAfterMs: 0 } as const;
    aligner.announce(0, barrier);
    const snapshot = EMPTY_SNAPSHOT;
    const rows = { in: [], out: [], given: null };
    const inFlightState = { operator: { 'in-flight': { redistribute: 'union', items: [] } }, bytes: 77 } as const;
    checkpoints.overtake({
      barrier,
      emit: () => {},
      operators: () => [{ operator: 'main', snapshot }],
      rows: () => rows,
      ended: false,
      inFlight: () => inFlightState,
    });
    aligner.processed(500);
    clock.advance(30);
    aligner.announce(1, barrier);
    const [one] = taken as [ChainSnapshot];
    expect(await one.alignment).toEqual({ alignmentMs: 30, processedBytes: 500, persistedBytes: 77, unaligned: true });
    expect(await one.inFlight).toEqual(inFlightState.operator);
  });
});
