/** Open sessions as bytes per key group: of each session key, start, end, whether it has fired, contents. */

import { ByteReader, ByteWriter } from '../batch/row-bytes.ts';
import type { WindowContents } from './contents.ts';
import type { KeyCodes } from './key-codes.ts';
import type { Sessions } from './sessions.ts';

export function saveSessions(
  sessions: Sessions,
  keys: KeyCodes,
  contents: WindowContents,
  maxParallelism: number,
): Map<number, Uint8Array> {
  const writers = new Map<number, ByteWriter>();
  for (const slot of sessions.all()) {
    const code = sessions.keyOf[slot] as number;
    const group = keys.group(code, maxParallelism);
    const to = writers.get(group) ?? new ByteWriter();
    writers.set(group, to);
    keys.save(code, to);
    to.f64(sessions.start(slot));
    to.f64(sessions.end(slot));
    to.u8(sessions.fired(slot) ? 1 : 0);
    contents.save(slot, to);
  }
  return new Map([...writers].map(([group, writer]) => [group, writer.done()]));
}

/** Adds the sessions of one key group; `opened` is told of each. */
export function loadSessions(
  bytes: Uint8Array,
  sessions: Sessions,
  keys: KeyCodes,
  contents: WindowContents,
  opened: (slot: number) => void,
): void {
  const from = new ByteReader(bytes);
  while (from.more) {
    const code = keys.load(from);
    sessions.reserveKeys(keys.dictionary?.capacity ?? 0);
    const start = from.f64();
    const slot = sessions.open(code, sessions.latest(code, start), start, from.f64());
    if (from.u8() === 1) sessions.markFired(slot);
    else sessions.makeCurrent(slot);
    contents.load(slot, from);
    opened(slot);
  }
}
