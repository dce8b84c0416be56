import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CHECKPOINT_FAILURES, type CheckpointFailureReason } from './checkpoint-failure.ts';
import { checkpointSettings, concurrencyOf } from './checkpoint-settings.ts';
import { CoordinatorHarness, outcome, settled } from './coordinator-harness.ts';

/** What may happen next; `which` picks among the checkpoints that were ever triggered, the latest more often. */
type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'ack'; readonly which: number; readonly index: number }
  | { readonly do: 'decline'; readonly which: number; readonly reason: CheckpointFailureReason }
  | { readonly do: 'ask'; readonly kind: 'checkpoint' | 'savepoint' | 'stop' | 'final' }
  | { readonly do: 'written'; readonly well: boolean }
  | { readonly do: 'restart' };

const which = fc.oneof(fc.constant(0), fc.nat(3));
const reasons = Object.keys(CHECKPOINT_FAILURES).filter((name) =>
  /DECLINED|ASYNC|TASK_CHECKPOINT/.test(name),
) as CheckpointFailureReason[];
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('ack' as const), which, index: fc.nat(1) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('decline' as const), which, reason: fc.constantFrom(...reasons) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      kind: fc.constantFrom('checkpoint', 'checkpoint', 'savepoint', 'savepoint', 'stop', 'final'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('written' as const), well: fc.constantFrom(true, true, false) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);
const settings = fc.record({
  intervalMs: fc.constantFrom(null, 20, 50),
  minPauseMs: fc.constantFrom(0, 0, 30),
  maxConcurrent: fc.integer({ min: 1, max: 3 }),
  timeoutMs: fc.constantFrom(40, 200),
  tolerableFailures: fc.integer({ min: 0, max: 2 }),
  savepoints: fc.constantFrom(null, { intervalMs: 90, retained: 2 }),
});

it('CK20 whatever happens: bounded, in order, nothing leaks, and failures are counted as a plain count does', async () => {
  await fc.assert(
    fc.asyncProperty(settings, fc.array(step, { maxLength: 60 }), async (given, steps) => {
      const harness = new CoordinatorHarness(given);
      const { coordinator } = harness;
      const limit = concurrencyOf(checkpointSettings(given));
      const triggered = new Map<number, string>();
      const ended = new Set<number>();
      const owned = new Set<string>();
      const owes: Promise<string>[] = [];
      const writes = new Map<
        number,
        { resolve: (written: { path: string }) => void; reject: (error: Error) => void }
      >();
      let [streak, lastComplete, lastSubsuming, jobFailures, expectedFailures] = [0, 0, 0, 0, 0];
      harness.write = (id) => new Promise((resolve, reject) => writes.set(id, { resolve, reject }));

      /** One counted failure of that checkpoint, as plainly as it can be said. */
      const count = (): void => {
        streak++;
        if (streak <= given.tolerableFailures) return;
        streak = 0;
        expectedFailures++;
      };
      /** Reads what has happened. `declined`: the reason that a task gave in this step, for that checkpoint. */
      const observe = (declined: { id: number; reason: CheckpointFailureReason } | null = null): void => {
        for (const event of harness.story) {
          if (typeof event === 'string') did(event, declined);
          else if (event.id !== 0 && event.type === 'failed') end(event.id);
          else if (event.type === 'completed') completed(event.id, event.kind);
        }
        expect(coordinator.pending).toBe(triggered.size - ended.size);
        for (const [id, kind] of triggered)
          if (kind === 'checkpoint' && id < lastSubsuming) expect(ended.has(id)).toBe(true);
      };
      const did = (line: string, declined: { id: number; reason: CheckpointFailureReason } | null): void => {
        const [word, first, second = 'checkpoint'] = line.split(' ') as [string, string, string?];
        const id = Number(first);
        switch (word) {
          case 'trigger':
            expect(id).toBe(triggered.size + 1);
            if (second === 'checkpoint') expect(triggered.size - ended.size).toBeLessThan(limit);
            triggered.set(id, second);
            break;
          case 'write':
            expect(writes.size).toBe(1);
            break;
          case 'discard':
            for (const state of line.split(' ').slice(1)) owned.delete(state);
            break;
          case 'notify':
            expect(id).toBe(lastSubsuming);
            break;
          case 'abort': {
            const [kind, reason] = [triggered.get(id), second as CheckpointFailureReason];
            const byTask = declined?.id === id && declined.reason === reason;
            if (kind === 'stop') expectedFailures += byTask ? 1 : 0;
            else if ((kind === 'checkpoint' || byTask) && CHECKPOINT_FAILURES[reason].counts && id > lastComplete)
              count();
            break;
          }
          case 'fail:':
            jobFailures++;
        }
      };
      const end = (id: number): void => {
        expect(ended.has(id)).toBe(false);
        ended.add(id);
      };
      const completed = (id: number, kind: string): void => {
        end(id);
        // Its states belong to it from now on.
        for (const index of [0, 1]) owned.delete(`s${id}.${index}`);
        if (id > lastComplete) [streak, lastComplete] = [0, id];
        if (kind === 'savepoint') return;
        expect(id).toBeGreaterThan(lastSubsuming);
        lastSubsuming = id;
      };

      coordinator.start();
      for (const next of steps) {
        const id = 'which' in next ? triggered.size - next.which : 0;
        switch (next.do) {
          case 'wait':
            await harness.until(harness.clock.now() + next.ms);
            break;
          case 'ack':
            if (id < 1) break;
            owned.add(`s${id}.${next.index}`);
            harness.ack(id, next.index);
            break;
          case 'decline':
            if (id >= 1) harness.decline(id, next.reason);
            break;
          case 'ask': {
            const asked =
              next.kind === 'checkpoint'
                ? coordinator.triggerCheckpoint()
                : next.kind === 'final'
                  ? coordinator.triggerFinal()
                  : coordinator.triggerSavepoint(next.kind);
            owes.push(outcome(asked));
            break;
          }
          case 'written':
            for (const [written, write] of writes) {
              writes.delete(written);
              if (next.well) write.resolve({ path: `chk-${written}` });
              else write.reject(new Error('disk full'));
            }
            break;
          case 'restart':
            void coordinator.stop('JOB_FAILURE');
            await settled();
            observe();
            coordinator.start();
            break;
        }
        await settled();
        observe(next.do === 'decline' ? { id, reason: next.reason } : null);
        expect(coordinator.statistics().failureStreak).toBe(streak);
        expect(jobFailures).toBe(expectedFailures);
      }

      const stopped = coordinator.stop('CHECKPOINT_COORDINATOR_SHUTDOWN');
      for (let i = 0; i < 3; i++) {
        for (const [id, write] of writes) {
          writes.delete(id);
          write.resolve({ path: `chk-${id}` });
        }
        await settled();
      }
      await stopped;
      observe();
      // Everything triggered has ended, everybody who asked has an answer, and no state belongs to nobody.
      expect(coordinator.pending).toBe(0);
      await Promise.all(owes);
      expect([...owned]).toEqual([]);
      const { counts } = coordinator.statistics();
      expect(counts.inProgress).toBe(0);
      expect(counts.triggered).toBe(counts.completed + counts.failed);
    }),
    { numRuns: 300 },
  );
});
