/**
 * The IoT job, its windows made by the operator that keeps them in state of either backend, or by those of the IoT job itself: for the test that
 * goes on from one to the other. Its readers stop where they are told to, so that a checkpoint can be taken in the middle, whatever the clock does.
 */

import { writeFileSync } from 'node:fs';
import { FileSink } from '#connectors/file/file-sink.ts';
import { NdjsonFormat } from '#connectors/file/ndjson-format.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import { findOperator, type JobGraph } from '#engine/graph/job-graph.ts';
import { Poll } from '#engine/io/source.ts';
import type { StateBackendName } from '#engine/state/keyed-state.ts';
import { EventTimeTrigger } from '#engine/window/triggers.ts';
import { type IotParams, lateReadings, sensorAggregates, windowsOf } from '#jobs/iot.ts';
import { inEventTime, READINGS, showErrors, showResults, validReadings } from '#jobs/readings.ts';

export interface BackendsParams {
  readonly iot: IotParams & { readonly output: string };
  /** Null: the operators that the IoT job has, which keep windows in a way of their own. */
  readonly backend: StateBackendName | null;
  /** Each reader stops behind so many rows, and says so in a file; null: it reads on. */
  readonly holdAfter: number | null;
}

/** What a reader writes when it has stopped. */
export const heldFile = (output: string, subtask: number): string => `${output}/held-${subtask}`;

export function buildBackendsJob({ iot, backend, holdAfter }: BackendsParams): JobGraph {
  const env = new StreamExecutionEnvironment({
    name: 'backends',
    parallelism: iot.parallelism.window,
    stateBackend: backend ?? 'heap',
    // Less than there is, so that state goes to the disk and comes back.
    stateCacheBytes: 16 << 10,
  });
  const valid = validReadings(env, iot);
  const windowed = inEventTime(valid, iot)
    .keyBy('device_id')
    .window(windowsOf(iot.window, iot.time))
    .allowedLateness(iot.allowedLatenessMs)
    .sideOutputLateData(lateReadings);
  // It is the default, but only the general operator takes one.
  const results = (backend === null ? windowed : windowed.trigger(EventTimeTrigger.create()))
    .aggregate(sensorAggregates(), 'windows')
    .uid('windows');
  showResults(results, 'windows', iot);
  showErrors(valid, iot);
  results
    .sideOutput(lateReadings)
    .sinkTo(new FileSink({ directory: `${iot.output}/late`, format: new NdjsonFormat() }), 'late log')
    .uid('late-files');
  const graph = env.jobGraph();
  if (holdAfter !== null) hold(graph, iot.output, holdAfter);
  return graph;
}

function hold(graph: JobGraph, output: string, rows: number): void {
  const place = findOperator(graph, READINGS.source);
  const source = place === null ? null : graph.vertices[place.vertex]?.operators[place.operator]?.source;
  if (!source) throw new Error('There is no source.');
  const create = source.createReader.bind(source);
  source.createReader = (context) => {
    const reader = create(context);
    const poll = reader.poll.bind(reader);
    let given = 0;
    reader.poll = (batch) => {
      if (given >= rows) {
        writeFileSync(heldFile(output, context.subtask), '');
        return Poll.WAIT;
      }
      const answer = poll(batch);
      given += batch.size;
      return answer;
    };
    return reader;
  };
}
