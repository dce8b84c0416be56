import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Timer, TimerQueue } from './timer-queue.ts';
import { ByteReader, ByteWriter } from './value-codec.ts';

it('KP5 one timer per key, namespace and instant, in the order of instants, whatever is added, deleted, run and restored', () => {
  const timer = fc.record({
    key: fc.nat(5),
    namespace: fc.constantFrom('', 'a', 'b'),
    time: fc.oneof(
      fc.integer({ min: -3, max: 8 }).map((n) => n * 65_536),
      fc.constant(Number.POSITIVE_INFINITY),
    ),
  });
  const step = fc.record({ what: fc.constantFrom('add', 'add', 'add', 'delete', 'drop', 'restore'), timer });
  const same = (a: Timer) => (b: Timer) => a.key === b.key && a.namespace === b.namespace && a.time === b.time;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
      let queue = new TimerQueue();
      let model: Timer[] = [];
      for (const { what, timer } of steps) {
        const { key, namespace, time } = timer;
        if (what === 'add') {
          queue.add(key, namespace, time);
          if (!model.some(same(timer))) model.push(timer);
        } else if (what === 'delete') {
          queue.delete(key, namespace, time);
          model = model.filter((other) => !same(timer)(other));
        } else if (what === 'drop') {
          const first = queue.peek();
          queue.drop();
          expect(first === null).toBe(model.length === 0);
          if (first !== null) {
            expect(model.some(same(first))).toBe(true);
            expect(first.time).toBe(Math.min(...model.map((other) => other.time)));
            model = model.filter((other) => !same(first)(other));
          }
        } else {
          const other = new TimerQueue();
          for (const [of, timers] of savedOf(queue)) for (const [ns, at] of timers) other.add(of, ns, at);
          queue = other;
          // A snapshot keeps the order within a key only.
          model = keysOf(queue).flatMap((of) => model.filter((timer) => timer.key === of));
        }
        const next = Math.min(...model.map((other) => other.time));
        expect([queue.next, queue.due(next - 1)]).toEqual([
          next,
          model.length > 0 && next === Number.POSITIVE_INFINITY,
        ]);
      }
      const at = 4 * 65_536;
      // Those of one instant in the order in which they came; a sort is stable.
      const due = model.filter((other) => other.time <= at).sort((a, b) => a.time - b.time);
      const ids = new Int32Array(40);
      const count = queue.dueKeys(at, ids);
      expect([...ids.subarray(0, count)]).toEqual(due.slice(0, 40).map((other) => other.key));
      const keys = new Set(model.map((other) => other.key));
      expect(new Set(keysOf(queue))).toEqual(keys);
      for (const [key, timers] of savedOf(queue)) {
        expect(timers).toEqual(
          model.filter((other) => other.key === key).map((other) => [other.namespace, other.time]),
        );
      }
    }),
    { seed: 17, numRuns: 150 },
  );
});

function keysOf(queue: TimerQueue): number[] {
  const keys: number[] = [];
  queue.hold((key) => keys.push(key));
  return keys;
}

/** By key, in the order in which they are saved. */
function savedOf(queue: TimerQueue): [key: number, timers: [namespace: string, time: number][]][] {
  const keys = keysOf(queue);
  const cut = queue.cut(Math.max(...keys) + 1);
  return keys.map((key) => {
    const to = new ByteWriter();
    cut.take(key, to);
    const from = new ByteReader(to.take());
    return [key, Array.from({ length: from.varint() }, () => [from.string(), from.f64()])];
  });
}
