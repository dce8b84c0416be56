import { describe, expect, it } from 'vitest';
import { LIMITS, type WindowResult } from '#shared/live.ts';
import { sampleResult } from './sample-frames.ts';
import { WindowsBook } from './windows-book.ts';

function book(...results: WindowResult[]): WindowsBook {
  const made = new WindowsBook();
  made.merge({ devicesSeen: 1, devices: ['d1'], results, open: [] });
  return made;
}

describe('windows book', () => {
  it('lets a late update take the place of its forerunner and remembers what was', () => {
    const late = sampleResult(3, 0, { pane: 'late-update', values: [2, 19, 22, 20.5] });
    const { rows } = book(sampleResult(1, 0), sampleResult(2, 5000), late).shown();
    expect(rows.map((row) => row.result.id)).toEqual([3, 2]);
    expect(rows[0]?.was).toEqual([1, 20, 22, 21]);
  });

  it('lets a session that grew, or took in others, take their place', () => {
    const session = (id: number, start: number, end: number) => sampleResult(id, start, { end, values: [id, 0, 0, 0] });
    const { rows } = book(session(1, 0, 3000), session(2, 5000, 9000), session(3, 20_000, 23_000)).shown();
    expect(rows).toHaveLength(3);
    const grown = book(session(1, 0, 3000), session(2, 5000, 9000), session(3, 20_000, 23_000), session(4, 0, 9000));
    grown.merge({ devicesSeen: 1, devices: ['d1'], results: [session(2, 5000, 9000)], open: [] });
    expect(grown.shown().rows.map((row) => [row.result.id, row.was?.[0] ?? null])).toEqual([
      [4, 2],
      [3, null],
    ]);
  });

  it('keeps sliding windows apart, though they overlap', () => {
    const sliding = [1, 2, 3].map((id) => sampleResult(id, id * 1000, { end: id * 1000 + 5000 }));
    expect(book(...sliding).shown().rows).toHaveLength(3);
  });

  it('takes a result once, also when a snapshot repeats it', () => {
    const made = book(sampleResult(1, 0));
    made.merge({ devicesSeen: 1, devices: ['d1'], results: [sampleResult(1, 0)], open: [] });
    expect(made.shown().rows).toHaveLength(1);
    expect(made.shown().rows[0]?.was).toBeNull();
  });

  it('orders the windows of a device by start, whatever their order of arrival', () => {
    const shown = book(sampleResult(1, 10_000), sampleResult(2, 0), sampleResult(3, 5000)).shown();
    expect(shown.byDevice.get('d1')?.map((row) => row.result.start)).toEqual([0, 5000, 10_000]);
  });

  it('keeps a bounded number per device', () => {
    const many = Array.from({ length: LIMITS.resultsPerDevice + 10 }, (_, i) => sampleResult(i + 1, i * 5000));
    const kept = book(...many)
      .shown()
      .byDevice.get('d1');
    expect(kept).toHaveLength(LIMITS.resultsPerDevice);
    expect(kept?.[0]?.result.start).toBe(50_000);
  });

  it('forgets devices that are no longer sent when there are too many', () => {
    const made = new WindowsBook();
    for (let i = 0; i < 200; i++) {
      const device = `d${i}`;
      made.merge({ devicesSeen: i, devices: [device], results: [sampleResult(i + 1, 0, { device })], open: [] });
    }
    expect(made.shown().byDevice.size).toBe(LIMITS.watchedDevices + LIMITS.pinnedDevices);
    expect(made.shown().byDevice.has('d199')).toBe(true);
  });

  it('gives the same rows again while no result came in', () => {
    const made = book(sampleResult(1, 0));
    const before = made.shown();
    made.merge({
      devicesSeen: 1,
      devices: ['d1'],
      results: [],
      open: [{ device: 'd1', start: 5000, end: 10_000, values: [] }],
    });
    expect(made.shown().rows).toBe(before.rows);
    expect(made.shown().open).toHaveLength(1);
  });
});
