import { describe, expect, it } from 'vitest';
import { ManualClock } from '#base/clock.ts';
import { f64, schema } from '#engine/batch/schema.ts';
import { StreamExecutionEnvironment } from '#engine/graph/data-stream.ts';
import type { EnumeratorContext, Split } from '#engine/io/source.ts';
import { CollectSink, fromRows, type RowsOptions, type RowsSplit } from '#testing/collect.ts';
import { SourceCoordinators } from './source-coordinators.ts';

/** A source of two readers and six splits, and what its enumerator tells them. */
function coordinators(deal: NonNullable<RowsOptions['deal']>, takesBack = true) {
  const source = fromRows(schema({ v: f64() }), [], { splits: 6, deal });
  const made: unknown[] = [];
  const env = new StreamExecutionEnvironment({ name: 'job', parallelism: 2 });
  const createEnumerator = (context: EnumeratorContext<RowsSplit>) => {
    made.push(context.restored);
    const enumerator = source.createEnumerator(context);
    return takesBack ? enumerator : Object.assign(enumerator, { addSplitsBack: undefined });
  };
  env
    .fromSource({ ...source, createEnumerator }, 'rows')
    .uid('rows')
    .sinkTo(new CollectSink() as never, 'out');
  let told: string[] = [];
  const failures: string[] = [];
  const sources = new SourceCoordinators({
    graph: env.jobGraph(),
    clock: new ManualClock(),
    command: ({ index }, command) => {
      const what = command.type === 'add-split' ? (command.split as Split).id : command.type;
      told.push(`${index}: ${what}`);
    },
    fail: (error) => failures.push(error.message),
  });
  return {
    sources,
    made,
    failures,
    ask: (index: number) => sources.onSplitRequest({ vertex: 0, index }),
    readers: (...indexes: number[]) => indexes.map((index) => ({ vertex: 0, index })),
    /** Since it was last asked for. */
    get told(): string[] {
      const before = told;
      told = [];
      return before;
    },
  };
}

describe('the enumerators of a job', () => {
  it('RS12 get back what one reader was assigned since the last checkpoint, and deal it again; splits of others stay where they are', () => {
    const job = coordinators('one-by-one');
    const { sources, readers, ask } = job;
    sources.start(null);
    ask(0);
    ask(1);
    sources.snapshots(1);
    ask(0);
    ask(1);
    // Taken beside it, and never complete.
    sources.snapshots(2);
    sources.completed(1);
    ask(1);
    expect(job.told).toEqual(['0: rows-0', '1: rows-1', '0: rows-2', '1: rows-3', '1: rows-4']);
    sources.leave(readers(1));
    ask(0);
    expect(job.told).toEqual(['0: rows-5']);
    sources.comeBack(readers(1), new Map());
    expect(sources.snapshots(3).get('rows')).toMatchObject({ next: 6, back: [{ index: 3 }, { index: 4 }] });
    for (let i = 0; i < 3; i++) ask(1);
    expect(job.told).toEqual(['1: rows-3', '1: rows-4', '1: no-more-splits']);
  });

  it('RS12 a reader that asks before all of its region runs gets its answer then, and one that fails again its splits once more', () => {
    const job = coordinators('one-by-one');
    const { sources, readers, ask } = job;
    ask(1);
    sources.start(null);
    expect(job.told).toEqual(['1: rows-0']);
    for (let i = 0; i < 2; i++) {
      sources.leave(readers(1));
      ask(1);
      expect(job.told).toEqual([]);
      sources.comeBack(readers(1), null);
      expect(job.told).toEqual(['1: rows-0']);
    }
  });

  it('RS12 splits dealt at the start come back to their reader, with the word that there are no more', () => {
    const job = coordinators('together');
    job.sources.start(null);
    expect(job.told).toHaveLength(8);
    job.sources.leave(job.readers(1));
    job.sources.comeBack(job.readers(1), null);
    expect(job.told).toEqual(['1: rows-1', '1: rows-3', '1: rows-5', '1: no-more-splits']);
  });

  it('RS12 a source all of whose readers fail goes on from the checkpoint with a new enumerator', () => {
    const job = coordinators('one-by-one', false);
    const { sources, readers, ask } = job;
    sources.start(null);
    ask(0);
    const restored = sources.snapshots(1);
    ask(0);
    expect(sources.obstacle(readers(0, 1))).toBeNull();
    sources.leave(readers(0, 1));
    sources.comeBack(readers(0, 1), restored);
    ask(1);
    expect(job.told).toEqual(['0: rows-0', '0: rows-1', '1: rows-1']);
    expect(job.made).toEqual([null, { next: 1, back: [] }]);
  });

  it('RS11 one that takes no splits back is named, and the job fails where not all of its readers come back', () => {
    const { sources, readers, failures } = coordinators('one-by-one', false);
    sources.start(null);
    expect(sources.obstacle(readers(1))).toBe('source rows takes no splits back');
    sources.leave(readers(0, 1));
    sources.comeBack(readers(1), null);
    expect(failures).toEqual(['Source rows takes no splits back.']);
  });
});
