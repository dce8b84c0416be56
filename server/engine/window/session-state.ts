/** Open sessions as bytes per key group: of each session key, start, end, whether it has fired, contents. */

import { ByteReader, ByteWriter } from '../batch/row-bytes.ts';
import type { KeyedBlocks } from '../state/keyed-blocks.ts';
import { PORTION } from '../state/portions.ts';
import type { WindowContents } from './contents.ts';
import type { KeyCodes } from './key-codes.ts';
import { END, type Sessions, SPAN, START } from './sessions.ts';
import type { TimelyContents } from './timely-contents.ts';

/** As of now, though it is written later. */
export function saveSessions(
  sessions: Sessions,
  keys: KeyCodes,
  contents: TimelyContents,
  maxParallelism: number,
): KeyedBlocks {
  // A row that makes a session longer leaves no trace but in here: these few bytes per session are copied at once.
  const span = sessions.span.slice();
  const keyOf = sessions.keyOf.slice();
  const fired = sessions.firedSlots();
  const kept = keys.keep(keyOf);
  const cut = contents.cut([[0, keyOf.length]]);
  return write();

  function* write(): KeyedBlocks {
    const groups: (ByteWriter | undefined)[] = new Array(maxParallelism).fill(undefined);
    let written = 0;
    try {
      for (let slot = 1; slot < keyOf.length; slot++) {
        const code = keyOf[slot] as number;
        if (code < 0) continue;
        const group = kept.group(code, maxParallelism);
        const to = groups[group] ?? new ByteWriter();
        groups[group] = to;
        kept.save(code, to);
        to.f64(span[slot * SPAN + START] as number);
        to.f64(span[slot * SPAN + END] as number);
        to.u8(fired[slot] as number);
        cut.take(slot, to);
        if (++written % PORTION === 0) yield;
      }
    } finally {
      contents.end(cut);
      kept.release();
    }
    for (const [group, to] of groups.entries()) if (to !== undefined) yield [group, to.written()];
  }
}

/** Adds the sessions of a key group; `opened` is told of each. */
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
