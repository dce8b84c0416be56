import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WatermarkValve } from './watermark-valve.ts';

/**
 * Plays `c:w` (watermark w on channel c), `cI` / `cA` (idle / active), `cF` (ended) and returns what came out, in order; `I` and `A` are the
 * output's status.
 */
function play(channels: number): (script: string) => string {
  const out: string[] = [];
  const valve = new WatermarkValve(channels, {
    watermark: (w) => out.push(w === Number.POSITIVE_INFINITY ? 'MAX' : String(w)),
    idle: (idle) => out.push(idle ? 'I' : 'A'),
  });
  return (script) => {
    for (const word of script.split(' ')) {
      const channel = Number(word[0]);
      const rest = word.slice(1);
      if (rest === 'I' || rest === 'A') valve.onIdle(rest === 'I', channel);
      else if (rest === 'F') valve.onFinished(channel);
      else valve.onWatermark(rest === ':MAX' ? Number.POSITIVE_INFINITY : Number(rest.slice(1)), channel);
    }
    return out.splice(0).join(' ');
  };
}

describe('the watermark valve, as Flink’s', () => {
  it('V1 one channel: watermarks pass, smaller ones do not', () => {
    const p = play(1);
    expect([p('0:25'), p('0:18'), p('0:42')]).toEqual(['25', '', '42']);
  });

  it('V2 one channel: each change of status passes once', () => {
    const p = play(1);
    expect([p('0A'), p('0I'), p('0I'), p('0A')]).toEqual(['', 'I', '', 'A']);
  });

  it('V3 watermarks of an idle channel are ignored', () => {
    const p = play(1);
    expect([p('0:25'), p('0I'), p('0:50'), p('0A'), p('0:50')]).toEqual(['25', 'I', '', 'A', '50']);
  });

  it('V4 three channels: the minimum passes when it advances', () => {
    const p = play(3);
    expect([p('0:0 1:0'), p('2:0'), p('0:12 2:8 2:10'), p('1:15'), p('2:17'), p('0:20')]).toEqual([
      '',
      '0',
      '',
      '10',
      '12',
      '15',
    ]);
  });

  it('V5 watermarks that go back change nothing', () => {
    const p = play(3);
    expect([p('0:25 1:10 2:17'), p('0:12 1:8 2:15')]).toEqual(['10', '']);
  });

  it('V6 idle only when all channels are, active with the first', () => {
    const p = play(2);
    expect([p('1I'), p('0I'), p('0I 1I'), p('1A'), p('0A')]).toEqual(['', 'I', '', 'A', '']);
  });

  it('V7 a channel that goes idle holds back no more', () => {
    const p = play(3);
    expect([p('0:15 1:10'), p('2I'), p('1:18'), p('0:20')]).toEqual(['', '10', '15', '18']);
  });

  it('V8 the watermark rises as one after the other goes idle', () => {
    const p = play(3);
    expect([p('0:25 1:10 2:17'), p('1I'), p('2I')]).toEqual(['10', '17', '25']);
  });

  it('V9 when the last one goes idle the furthest decides, then the status', () => {
    const p = play(3);
    expect([p('0:10 1:5 2:3'), p('0I 1I'), p('2I')]).toEqual(['3', '', '10 I']);
  });

  it('V10 a channel that wakes up behind the output does not count until it has caught up', () => {
    const p = play(3);
    expect([p('0:10 1:7 2:3'), p('2I'), p('2A'), p('2:5'), p('2:9'), p('1:12')]).toEqual(['3', '7', '', '', '', '9']);
  });

  it('V10 nor does it hold the others back', () => {
    const p = play(3);
    expect([p('0:10 1:7 2:3'), p('2I'), p('2A'), p('1:12'), p('0:20'), p('2:15')]).toEqual([
      '3',
      '7',
      '',
      '10',
      '12',
      '',
    ]);
  });

  it('V11 nothing comes out while only channels behind the output are active', () => {
    const p = play(3);
    expect([p('0:10 1:7 2I'), p('2A'), p('0I 1I')]).toEqual(['7', '', '']);
  });

  it('V12 an idle channel that had not caught up does not make the output jump', () => {
    const p = play(2);
    expect([p('0:7 1:10'), p('0I'), p('0A 0:9'), p('0I')]).toEqual(['7', '10', '', '']);
  });
});

describe('the watermark valve where channels end, beyond Flink', () => {
  it('V13 an ended channel holds back nothing', () => {
    const p = play(3);
    expect([p('0:10 1:20 2:30'), p('0F'), p('1F'), p('2:40')]).toEqual(['10', '20', '30', '40']);
  });

  it('V13 a channel that ends before its first watermark holds back nothing either', () => {
    const p = play(2);
    expect([p('0:10'), p('1F'), p('0:11')]).toEqual(['', '10', '11']);
  });

  it('V14 an ended channel never makes the output jump when the others go idle (FLINK-38477)', () => {
    const p = play(3);
    expect([p('0:10 1:7 2:30'), p('2F'), p('1I'), p('0I')]).toEqual(['7', '', '10', 'I']);
    expect([p('1A'), p('1:8'), p('1:12')]).toEqual(['A', '', '12']);
  });

  it('V14 that holds for one that ended with the maximum watermark too', () => {
    const p = play(2);
    expect([p('0:10 1:10'), p('0:MAX'), p('1I'), p('0F'), p('1A'), p('1:12')]).toEqual(['10', '', 'I', '', 'A', '12']);
  });

  it('V15 when all have ended the maximum watermark comes out, once', () => {
    const p = play(2);
    expect([p('0:10'), p('0F'), p('1F'), p('1F 0F')]).toEqual(['', '', 'MAX', '']);
  });

  it('V15 also when they were idle: status first', () => {
    const p = play(2);
    expect([p('0I 1I'), p('0F'), p('1F')]).toEqual(['I', '', 'A MAX']);
  });

  it('V16 when the last active channel ends while others are idle, the output goes idle', () => {
    const p = play(2);
    expect([p('0:10 1:5'), p('1I'), p('0F'), p('1A'), p('1:20')]).toEqual(['5', '10', 'I', 'A', '20']);
  });

  it('V16 nothing comes from an ended channel any more', () => {
    const p = play(2);
    expect([p('0:10 1:10'), p('0F'), p('0:50 0I 0A'), p('1:20')]).toEqual(['10', '', '', '20']);
  });

  const step = fc.record({ channel: fc.nat(3), kind: fc.constantFrom('w', 'w', 'w', 'I', 'A', 'F'), to: fc.nat(50) });

  it('V17 the output never decreases, never passes an aligned channel that is active, and tells each change of status once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (channels, steps) => {
        let last = Number.NEGATIVE_INFINITY;
        let idle = false;
        const status = new Array<string>(channels).fill('A');
        /** Highest watermark that each channel has ever given. */
        const given = new Array<number>(channels).fill(Number.NEGATIVE_INFINITY);
        const valve = new WatermarkValve(channels, {
          watermark: (w) => {
            expect(w).toBeGreaterThan(last);
            if (w !== Number.POSITIVE_INFINITY) expect(given).toContain(w);
            else expect(status.every((s) => s === 'F')).toBe(true);
            last = w;
          },
          idle: (now) => {
            expect(now).toBe(!idle);
            idle = now;
          },
        });
        for (const { channel: c, kind, to } of steps) {
          const channel = c % channels;
          if (kind === 'w') {
            if (status[channel] === 'A') given[channel] = Math.max(given[channel] as number, to);
            valve.onWatermark(to, channel);
          } else if (kind === 'F') {
            status[channel] = 'F';
            valve.onFinished(channel);
          } else {
            if (status[channel] !== 'F') status[channel] = kind;
            valve.onIdle(kind === 'I', channel);
          }
          expect(valve.watermark).toBe(last);
          expect(idle).toBe(!status.includes('A') && status.includes('I'));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('V17 while all channels are active the output is the minimum of their maxima', () => {
    const watermark = fc.tuple(fc.nat(3), fc.nat(100));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(watermark, { maxLength: 40 }), (channels, steps) => {
        const valve = new WatermarkValve(channels, { watermark: () => {}, idle: () => {} });
        const maxima = new Array<number>(channels).fill(Number.NEGATIVE_INFINITY);
        for (const [c, w] of steps) {
          maxima[c % channels] = Math.max(maxima[c % channels] as number, w);
          valve.onWatermark(w, c % channels);
          expect(valve.watermark).toBe(Math.min(...maxima));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
