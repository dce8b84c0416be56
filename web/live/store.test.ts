import { describe, expect, it } from 'vitest';
import { sampleEvent, sampleResult, sampleSnapshot, sampleTick } from './sample-frames.ts';
import { LiveStore } from './store.ts';

const NOW = 5_000_000;

function connected(): LiveStore {
  const store = new LiveStore(String);
  store.snapshot(sampleSnapshot({ events: [sampleEvent(1), sampleEvent(2)] }), NOW);
  store.publish(NOW);
  return store;
}

describe('live store', () => {
  it('ignores ticks before the first snapshot and ticks that are not newer', () => {
    const store = new LiveStore(String);
    store.tick(sampleTick(), NOW);
    expect(store.seq).toBe(0);
    store.snapshot(sampleSnapshot(), NOW);
    store.tick(sampleTick({ seq: 10 }), NOW);
    expect(store.seq).toBe(10);
    store.tick(sampleTick({ seq: 15 }), NOW);
    expect(store.seq).toBe(15);
  });

  it('starts over when another server answers, and says so for a while', () => {
    const store = connected();
    store.lost(NOW + 100);
    store.snapshot(
      sampleSnapshot({ epoch: 'second', seq: 1, events: [sampleEvent(1, { text: 'new life' })] }),
      NOW + 2000,
    );
    store.publish(NOW + 2000);
    expect(store.seq).toBe(1);
    expect(store.shown.events.map((event) => event.text)).toEqual(['new life']);
    expect(store.shown.link.state).toBe('restarted');
    store.tick(sampleTick({ seq: 2, serverTime: 1_005_900 }), NOW + 8000);
    store.publish(NOW + 8000);
    expect(store.shown.link.state).toBe('live');
  });

  it('keeps events over a reconnect to the same server without repeating any', () => {
    const store = connected();
    expect(store.eventSeq).toBe(2);
    store.lost(NOW);
    store.snapshot(sampleSnapshot({ events: [sampleEvent(2), sampleEvent(3)] }), NOW + 1000);
    store.publish(NOW + 1000);
    expect(store.shown.events.map((event) => event.seq)).toEqual([1, 2, 3]);
  });

  it('asks for a snapshot after a gap in events, and when a job appears', () => {
    const store = connected();
    expect(store.event(sampleEvent(3))).toBe(false);
    expect(store.event(sampleEvent(5))).toBe(true);
    expect(store.event(sampleEvent(4, { kind: 'job-state', state: 'CREATED' }))).toBe(true);
  });

  it('publishes a key only when it changed, and once', () => {
    const store = connected();
    let told = 0;
    store.subscribe('windows', () => told++);
    store.publish(NOW + 10);
    expect(told).toBe(0);
    const windows = { devicesSeen: 1, devices: ['d1'], results: [sampleResult(1, 0)], open: [] };
    store.tick(sampleTick({ windows }), NOW + 20);
    store.publish(NOW + 20);
    store.publish(NOW + 30);
    expect(told).toBe(1);
    expect(store.shown.windows.rows).toHaveLength(1);
  });

  it('stands still while paused, goes on taking in, and shows all of it afterwards', () => {
    const store = connected();
    store.setPaused(true, NOW);
    const frozen = store.viewTime(NOW);
    store.tick(sampleTick({ seq: 20, serverTime: 1_009_000, totals: null }), NOW + 9000);
    store.event(sampleEvent(3));
    store.publish(NOW + 9000);
    expect(store.viewTime(NOW + 9000)).toBe(frozen);
    expect(store.shown.events).toHaveLength(2);
    expect(store.shown.link.state).toBe('live');
    store.setPaused(false, NOW + 9000);
    expect(store.shown.events).toHaveLength(3);
    expect(store.viewTime(NOW + 9000)).toBe(1_009_000);
  });

  it('measures the age of data against the fastest frame, whatever the two clocks say', () => {
    const store = connected();
    store.tick(sampleTick({ seq: 11, serverTime: 1_000_100 }), NOW + 400);
    expect(store.ageMs(NOW + 400)).toBe(300);
    store.tick(sampleTick({ seq: 12, serverTime: 1_000_500 }), NOW + 450);
    expect(store.ageMs(NOW + 450)).toBe(0);
  });

  it('lets the charts move on by its own clock when nothing arrives', () => {
    const store = connected();
    expect(store.viewTime(NOW + 1500)).toBe(1_000_000);
    expect(store.viewTime(NOW + 6000)).toBe(1_006_000);
  });

  it('keeps quiet about a connection that it closed itself', () => {
    const store = connected();
    store.expectReconnect(NOW, 1500);
    store.lost(NOW);
    store.publish(NOW + 100);
    expect(store.shown.link.stale).toBe(false);
    store.publish(NOW + 1600);
    expect(store.shown.link.state).toBe('reconnecting');
  });

  it('takes the job state from events and ticks', () => {
    const store = connected();
    store.event(sampleEvent(3, { kind: 'job-state', state: 'FAILING' }));
    store.publish(NOW);
    expect(store.shown.job?.state).toBe('FAILING');
    store.tick(sampleTick({ state: 'FAILED' }), NOW);
    store.publish(NOW);
    expect(store.shown.job?.state).toBe('FAILED');
  });
});
