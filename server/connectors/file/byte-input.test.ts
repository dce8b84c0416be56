import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { AT_END, NOTHING_YET, StreamInput } from './byte-input.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('StreamInput', () => {
  it('stops the stream while it holds enough, and lets it go on when that was read', async () => {
    const piece = Buffer.alloc(1 << 16);
    let given = 0;
    const stream = new Readable({
      read() {
        given += piece.length;
        this.push(given > 16 << 20 ? null : piece);
      },
    });
    const input = new StreamInput(stream, 'test', null, () => {});
    for (let i = 0; i < 100; i++) await turn();
    expect(given).toBeLessThan(2 << 20);
    const target = Buffer.alloc(1 << 20);
    let read = 0;
    for (;;) {
      const count = input.read(target, 0, target.length);
      if (count === AT_END) break;
      if (count === NOTHING_YET) await turn();
      else read += count;
    }
    expect(read).toBe(16 << 20);
    expect(input.bytesRead).toBe(read);
  });

  it('wakes its reader for bytes, for the end and for an error, which comes after the bytes before it', async () => {
    const stream = new PassThrough();
    let woken = 0;
    const input = new StreamInput(stream, 'test', null, () => woken++);
    const target = Buffer.alloc(10);
    expect(input.read(target, 0, 10)).toBe(NOTHING_YET);
    stream.write('abc');
    await turn();
    expect(woken).toBe(1);
    expect([input.read(target, 1, 2), input.read(target, 3, 2), target.toString('utf8', 1, 4)]).toEqual([2, 1, 'abc']);
    stream.write('d');
    await turn();
    stream.destroy(new Error('gone'));
    await turn();
    expect(woken).toBe(3);
    expect(input.read(target, 0, 10)).toBe(1);
    expect(() => input.read(target, 0, 10)).toThrow(/test: reading failed, gone/);
  });
});
