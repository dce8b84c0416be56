/**
 * State that was restored meets the declaration of the job that runs now: taken as it is, migrated, or refused.
 *
 * | stored version | declared                      |                                   |
 * | -------------- | ----------------------------- | --------------------------------- |
 * | the same       |                               | as it is                          |
 * | older          | with `migrate`                | each value is migrated            |
 * | older          | without                       | refused                           |
 * | newer          |                               | refused                           |
 * | any            | another kind, TTL added or removed | refused (`flink-reference` §3.2) |
 */

import { messageOf, WeirError } from '#base/errors.ts';
import { mapCell } from './cells.ts';
import type { StateDescriptor } from './descriptors.ts';
import type { StateShape } from './table.ts';

/** Null: cells can be used as they are; else what makes a cell of the declared version. */
export function migrationOf(
  stored: StateShape,
  declared: StateDescriptor,
  operator: string,
): ((cell: unknown) => unknown) | null {
  // Of a table, which is of the declared version by the time its cells are migrated.
  const { version } = stored;
  const refuse = (why: string): never => {
    throw new WeirError('STATE_MIGRATION', `${operator}: state "${declared.name}" cannot be restored: ${why}`);
  };
  if (stored.kind !== declared.kind) refuse(`it was a ${stored.kind} state and is declared as ${declared.kind}.`);
  const timed = declared.ttl !== null;
  if (stored.timed !== timed) {
    refuse(
      timed
        ? 'it was stored without a time to live and is declared with one.'
        : 'it was stored with a time to live and is declared without one.',
    );
  }
  if (version === declared.version) return null;
  if (version > declared.version) {
    refuse(`it has version ${version}, newer than the declared version ${declared.version}.`);
  }
  const { migrate } = declared;
  if (migrate === null) {
    return refuse(`it has version ${version}, the job declares version ${declared.version} and no migrate function.`);
  }
  const change = (value: unknown): unknown => {
    let migrated: unknown;
    try {
      migrated = migrate(value, version);
    } catch (error) {
      return refuse(`migrating it from version ${version} to ${declared.version} failed: ${messageOf(error)}`);
    }
    if (migrated === undefined || (migrated === null && declared.kind !== 'map')) {
      refuse(`migrating it from version ${version} to ${declared.version} gave ${migrated}.`);
    }
    return migrated;
  };
  return (cell) => mapCell(stored.kind, stored.timed, cell, change);
}
