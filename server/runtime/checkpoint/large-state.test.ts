/** State that comes block by block: it is written as it comes, and read as it is wanted. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import type { KeyedBlock, KeyedBlocks } from '#engine/state/keyed-blocks.ts';
import type { Disk } from './disk.ts';
import { NodeDisk } from './node-disk.ts';
import type { SubtaskStateHandle } from './state-handle.ts';
import { damageOf, openOperator, readOperator } from './state-reader.ts';
import { StateWriter } from './state-writer.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-large-state-'));
afterAll(() => rmSync(directory, { recursive: true }));

const OPERATOR = 'keep';
const BLOCKS = 16;
const BLOCK_BYTES = 1 << 20;
const random = new Random(11);
const STATE = Uint8Array.from({ length: BLOCKS * BLOCK_BYTES }, () => random.below(256));
/** Two key groups in several blocks each, cut every so many bytes. */
const blocksOf = (state: Uint8Array, bytes = BLOCK_BYTES): KeyedBlock[] =>
  Array.from({ length: Math.ceil(state.length / bytes) }, (_, i) => {
    const from = i * bytes;
    return [from < state.length / 2 ? 3 : 4, state.subarray(from, from + bytes)];
  });

interface Told {
  given: number;
  ended: boolean;
  /** The disk has all of it. */
  onDisk: boolean;
  /** Whoever gave the blocks was told that they are where they were to go. */
  written: boolean;
}

const NOTHING: Told = { given: 0, ended: false, onDisk: false, written: false };

function* oneByOne(blocks: readonly KeyedBlock[], told: Told): KeyedBlocks {
  try {
    for (const block of blocks) {
      yield undefined;
      told.given++;
      yield block;
    }
  } finally {
    told.ended = true;
  }
}

async function taskOf(name: string, incremental: boolean) {
  const root = join(directory, name);
  const disk = new NodeDisk();
  await disk.makeDirectory(`${root}/shared`);
  const subtask = { vertex: 0, index: 0 };
  const told: Told = { ...NOTHING };
  let begunAt = -1;
  const watched: Disk = Object.assign(Object.create(disk) as Disk, {
    write: async (...[path, pieces]: Parameters<Disk['write']>) => {
      begunAt = told.given;
      await disk.write(path, pieces);
      told.onDisk = true;
    },
  });
  const writer = new StateWriter({ disk: watched, root, subtask, incremental, seed: 5, pause: async () => {} });
  const write = (checkpoint: number, blocks: readonly KeyedBlock[], pause?: () => Promise<void>) => {
    Object.assign(told, NOTHING);
    const written = (): void => {
      expect(told.onDisk).toBe(true);
      told.written = true;
    };
    const snapshot = { watermark: 7, operator: {}, keyed: oneByOne(blocks, told), written };
    return writer.write({ checkpoint, kind: 'checkpoint' }, [{ operator: OPERATOR, snapshot }], pause);
  };
  const stateOf = (handle: SubtaskStateHandle) => ({ operator: OPERATOR, name: 'keep', root, subtasks: [handle] });
  return { root, disk, writer, write, told, stateOf, begunAt: () => begunAt };
}

describe('state that comes block by block', () => {
  it('CS28 is on its way to the disk before all of it has been made, and is read again bit by bit, a part at a time', async () => {
    const { root, disk, write, told, stateOf, begunAt } = await taskOf('whole', false);
    const handle = await write(1, blocksOf(STATE));
    expect(told).toEqual({ given: BLOCKS, ended: true, onDisk: true, written: true });
    expect(begunAt()).toBeGreaterThan(0);
    expect(begunAt()).toBeLessThan(6);
    expect(await damageOf(disk, root, handle.file)).toBeNull();
    expect(handle.operators[0]?.groups).toEqual([3, STATE.length / 2, 4, STATE.length / 2]);
    const [restored] = await openOperator(disk, stateOf(handle), [0, 10]);
    expect(restored?.watermark).toBe(7);
    expect(restored?.keyed.length).toBeLessThan(6);
    const read = [...(restored?.keyed ?? [])];
    for await (const block of restored?.rest ?? []) read.push(block);
    expect(read.map(([group]) => group)).toEqual(blocksOf(STATE).map(([group]) => group));
    expect(Buffer.compare(Buffer.concat(read.map(([, bytes]) => bytes)), STATE)).toBe(0);
    const [some] = await readOperator(disk, stateOf(handle), [4, 4]);
    expect(some?.keyed.length).toBe(BLOCKS / 2);
  });

  it('CS28 leaves nothing behind when it is given up in the middle', async () => {
    const { root, disk, write, told } = await taskOf('given-up', false);
    const pause = async (): Promise<void> => {
      if (told.given > 10) throw new Error('Nobody wants it.');
    };
    await expect(write(1, blocksOf(STATE), pause)).rejects.toThrow('Nobody wants it.');
    expect(told).toMatchObject({ ended: true, written: false });
    expect(told.given).toBeLessThan(BLOCKS);
    expect(await disk.list(`${root}/chk-1`)).toEqual([]);
  });

  it('CS10 what has not changed is known again in whatever block it comes', async () => {
    const { disk, writer, write, stateOf } = await taskOf('incremental', true);
    const first = await write(1, blocksOf(STATE));
    writer.completed(1);
    const changed = STATE.slice();
    changed[100] = (changed[100] as number) ^ 1;
    changed[9 * BLOCK_BYTES] = (changed[9 * BLOCK_BYTES] as number) ^ 1;
    const second = await write(2, blocksOf(changed));
    writer.completed(2);
    const third = await write(3, blocksOf(changed, 700_000));
    const indexBytes = (handle: SubtaskStateHandle): number => handle.operators[0]?.length ?? 0;
    expect(first.file.bytes).toBeGreaterThan(STATE.length);
    expect(second.file.bytes - indexBytes(second)).toBeLessThan(5_000);
    expect(third.file.bytes - indexBytes(third)).toBeLessThan(100_000);
    for (const handle of [second, third]) {
      const [read] = await readOperator(disk, stateOf(handle), [0, 10]);
      const bytes = Buffer.concat((read?.keyed ?? []).map(([, block]) => block));
      expect(Buffer.compare(bytes, changed)).toBe(0);
    }
  });
});
