import { describe, expect, it } from 'vitest';
import { BACKENDS } from '#testing/backends.ts';
import { SteppedState } from '#testing/stepped-state.ts';
import { OperatorCell } from '../metrics/cells.ts';
import { aggregatingState, listState, mapState, reducingState, type StateOptions, valueState } from './descriptors.ts';
import { type StateTtl, timeToLive } from './ttl.ts';

const never = (settings: Partial<StateTtl> = {}): { ttl: StateTtl } => ({
  ttl: timeToLive(100, { incremental: null, compaction: null, ...settings }),
});
const sum = (name: string, options: StateOptions<number>) => reducingState<number>(name, (a, b) => a + b, options);

describe.each(BACKENDS)('time to live on %s', (_name, backend) => {
  describe.each([
    ['as it is', false],
    ['with a restore before every step', true],
  ])('%s', (_how, restores) => {
    const value = (options: StateOptions<string>) =>
      new SteppedState(backend, valueState<string>('v', options), restores);

    it('T1 written and created, never returned when expired', async () => {
      const s = value(never());
      await s.at(0, (v) => v.update('a'));
      expect(await s.at(20, (v) => v.value())).toBe('a');
      await s.at(50, (v) => v.update('b'));
      expect(await s.at(120, (v) => v.value())).toBe('b');
      await s.at(170, (v) => v.update('c'));
      expect(await s.at(220, (v) => v.value())).toBe('c');
      expect(await s.at(300, (v) => v.value())).toBeNull();
      expect(await s.cleared(300)).toBe(true);
      expect(s.cells[OperatorCell.EXPIRED]).toBe(1);
    });

    it('T1 a value written at 0 can be read at 99 and is gone at 100', async () => {
      const s = value(never());
      await s.at(0, (v) => v.update('a'));
      expect(await s.at(99, (v) => v.value())).toBe('a');
      expect(await s.at(100, (v) => v.value())).toBeNull();
    });

    it('T2 what expired is returned once by the read that removes it, where that is wanted', async () => {
      const s = value(never({ visibility: 'ReturnExpiredIfNotCleanedUp' }));
      await s.at(0, (v) => v.update('a'));
      expect(await s.at(120, (v) => v.value())).toBe('a');
      expect(await s.cleared(120)).toBe(true);
      expect(await s.at(120, (v) => v.value())).toBeNull();
    });

    it('T3 reads refresh, with OnReadAndWrite', async () => {
      const s = value(never({ updateType: 'OnReadAndWrite' }));
      await s.at(0, (v) => v.update('a'));
      expect(await s.at(50, (v) => v.value())).toBe('a');
      expect(await s.at(120, (v) => v.value())).toBe('a');
      expect(await s.at(250, (v) => v.value())).toBeNull();
      expect(await s.cleared(250)).toBe(true);
    });

    it('T4 a read of what expired does not refresh it', async () => {
      const s = value(never({ updateType: 'OnReadAndWrite', visibility: 'ReturnExpiredIfNotCleanedUp' }));
      await s.at(0, (v) => v.update('a'));
      expect(await s.at(50, (v) => v.value())).toBe('a');
      expect(await s.at(170, (v) => v.value())).toBe('a');
      expect(await s.at(170, (v) => v.value())).toBeNull();
    });

    it('T5 a time to live without end', async () => {
      const s = value({ ttl: timeToLive(Number.POSITIVE_INFINITY) });
      await s.at(10, (v) => v.update('a'));
      expect(await s.at(50, (v) => v.value())).toBe('a');
      expect(await s.at(8.64e15, (v) => v.value())).toBe('a');
    });

    it('T6 every key has its own time', async () => {
      const s = value(never());
      await s.at(0, (v) => v.update('a'), 'id2');
      await s.at(50, (v) => v.update('a'), 'id1');
      await s.at(50, (v) => v.update('b'), 'id2');
      expect([await s.at(120, (v) => v.value(), 'id1'), await s.at(120, (v) => v.value(), 'id2')]).toEqual(['a', 'b']);
      await s.at(170, (v) => v.update('c'), 'id2');
      expect([await s.at(230, (v) => v.value(), 'id1'), await s.at(230, (v) => v.value(), 'id2')]).toEqual([null, 'c']);
      expect([await s.at(300, (v) => v.value(), 'id1'), await s.at(300, (v) => v.value(), 'id2')]).toEqual([
        null,
        null,
      ]);
    });

    it('T7 a sum lives and expires as a whole', async () => {
      const s = new SteppedState(backend, sum('sum', never()), restores);
      await s.at(0, (v) => v.add(5));
      expect(await s.at(20, (v) => v.get())).toBe(5);
      await s.at(50, (v) => v.add(7));
      expect(await s.at(120, (v) => v.get())).toBe(12);
      await s.at(170, (v) => v.add(6));
      expect(await s.at(220, (v) => v.get())).toBe(6);
      expect(await s.at(300, (v) => v.get())).toBeNull();
    });

    it('T7 namespaces that merge bring what has not expired', async () => {
      const s = new SteppedState(backend, sum('sum', never()), restores);
      for (const namespace of ['target', 'a', 'b']) await s.at(0, (v) => v.add(1000), 'k', namespace);
      for (const [namespace, n] of [
        ['target', 1],
        ['a', 2],
        ['b', 4],
      ] as const)
        await s.at(120, (v) => v.add(n), 'k', namespace);
      for (const [namespace, n] of [
        ['target', 10],
        ['a', 20],
        ['b', 40],
      ] as const)
        await s.at(150, (v) => v.add(n), 'k', namespace);
      await s.at(230, (_v, b) => b.mergeNamespaces(sum('sum', never()), 'target', ['a', 'b']));
      expect(await s.at(230, (v) => v.get(), 'k', 'target')).toBe(77);
      expect(await s.at(230, (v) => v.get(), 'k', 'a')).toBeNull();
    });

    it('T11 elements of a list and entries of a map expire one by one', async () => {
      const list = new SteppedState(backend, listState<string>('l', never()), restores);
      await list.at(0, (l) => l.add('a'));
      await list.at(50, (l) => l.addAll(['b', 'c']));
      expect(await list.at(99, (l) => l.get())).toEqual(['a', 'b', 'c']);
      expect(await list.at(100, (l) => l.get())).toEqual(['b', 'c']);
      expect(await list.at(150, (l) => l.get())).toEqual([]);
      const map = new SteppedState(backend, mapState<string, number>('m', never()), restores);
      await map.at(0, (m) => m.put('x', 1));
      await map.at(50, (m) => m.put('y', 2));
      expect(await map.at(100, (m) => [m.get('x'), m.contains('x'), m.get('y'), [...m.keys()]])).toEqual([
        null,
        false,
        2,
        ['y'],
      ]);
      expect(await map.at(150, (m) => [...m.entries()])).toEqual([]);
    });

    it('T12 downtime counts: times are kept by a snapshot', async () => {
      const s = new SteppedState(
        backend,
        aggregatingState<number, number, string>(
          'agg',
          { create: () => 0, add: (acc, v) => acc + v, result: (acc) => `=${acc}` },
          never(),
        ),
        restores,
      );
      await s.at(0, (v) => v.add(1));
      const taken = await s.snapshot(50);
      s.restore(taken);
      expect(await s.at(99, (v) => v.get())).toBe('=1');
      s.restore(taken);
      expect(await s.at(100, (v) => v.get())).toBeNull();
    });
  });

  it('T8 what was written behind a snapshot is not in it', async () => {
    const s = new SteppedState(backend, valueState<string>('v', never()), false);
    await s.at(0, (v) => v.update('a'), 'k1');
    await s.at(50, (v) => v.update('b'), 'k1');
    await s.at(100, (v) => v.update('c'), 'k2');
    const taken = await s.snapshot(100);
    await s.at(170, (v) => v.update('lost'), 'k1');
    await s.at(170, (v) => v.update('lost'), 'k2');
    s.restore(taken);
    expect([await s.at(180, (v) => v.value(), 'k1'), await s.at(180, (v) => v.value(), 'k2')]).toEqual([null, 'c']);
  });

  it('T9 incremental cleanup removes what nobody reads', async () => {
    const s = new SteppedState(
      backend,
      valueState<string>('v', { ttl: timeToLive(100, { incremental: { entries: 5, everyRecord: true } }) }),
      false,
    );
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    for (const key of keys) await s.at(0, (v) => v.update('a'), key);
    for (const key of keys) await s.at(120, (v) => v.value(), key);
    expect(await s.cleared(120)).toBe(true);
    expect(s.cells[OperatorCell.EXPIRED]).toBe(50);
  });

  it('T16 a clock that steps back shortens and lengthens no life: what is written then lives its time from there', async () => {
    const options = { ttl: timeToLive(100, { incremental: { entries: 5000, everyRecord: false } }) };
    const s = new SteppedState(backend, valueState<string>('v', options), false);
    await s.at(9_000, (v) => v.update('x'), 'other');
    for (const now of [10_000, 10_001, 10_002]) await s.at(now, (v) => v.update('old'));
    await s.at(5000, (v) => v.update('new'));
    expect(await s.at(5099, (v) => v.value())).toBe('new');
    expect(await s.at(5100, (v) => v.value())).toBe(null);
  });

  it('T10 state with a time to live does not become state without, nor the other way round', async () => {
    for (const [from, to] of [
      [never(), {}],
      [{}, never()],
    ]) {
      const s = new SteppedState(backend, valueState<string>('v', from), false);
      await s.at(0, (v) => v.update('a'));
      const other = new SteppedState(backend, valueState<string>('v', to), false);
      const stored = await s.snapshot(0);
      expect(() => other.restore(stored)).toThrow(/alerts.*"v"/);
    }
  });

  it('T13 a full snapshot leaves out what has expired, where that is wanted, and changes nothing', async () => {
    const s = new SteppedState(
      backend,
      valueState<string>('v', never({ fullSnapshot: true, visibility: 'ReturnExpiredIfNotCleanedUp' })),
      false,
    );
    await s.at(0, (v) => v.update('a'));
    expect((await s.snapshot(99)).length).toBe(1);
    expect((await s.snapshot(100)).length).toBe(0);
    expect(await s.at(100, (v) => v.value())).toBe('a');
  });

  it('T14 times to live that cannot be are refused', async () => {
    expect(() => timeToLive(0)).toThrow('more than 0 ms');
    expect(() => timeToLive(-1)).toThrow('more than 0 ms');
    expect(() => timeToLive(Number.NaN)).toThrow('more than 0 ms');
    expect(() => timeToLive(1, { incremental: { entries: 0, everyRecord: false } })).toThrow('1 or more');
  });
});
