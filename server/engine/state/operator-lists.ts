/**
 * State that belongs to a subtask instead of a key: lists, whose items find a place when the job goes on at some parallelism
 * (`flink-reference` §3.1). While it runs every subtask sees its own list only; items pass from one to another nowhere but in a restore.
 *
 * | list  | same parallelism  | another one                                                                         |
 * | ----- | ----------------- | ----------------------------------------------------------------------------------- |
 * | split | each its own back | items of all, in the order of subtasks, in runs of equal length                     |
 * | union | all get all       | all get all                                                                         |
 *
 * Where items do not divide evenly the first subtasks get one more, those of the next name begin where these ended (Flink's
 * RoundRobinOperatorStateRepartitioner); names are taken in their order.
 */

import { UsageError, WeirError } from '#base/errors.ts';
import type { OperatorContext } from '../operators/operator.ts';
import type { StateDescriptor } from './descriptors.ts';
import type { ListState } from './keyed-state.ts';
import { checkedItem } from './list-handle.ts';
import { migrationOf } from './migration.ts';
import { sizeOf } from './size.ts';
import type { OperatorState, OwnSnapshot } from './snapshot.ts';
import { ByteReader, ByteWriter } from './value-codec.ts';

type Place = Pick<OperatorContext, 'subtask' | 'parallelism'>;
type Distribution = 'split' | 'union';

interface DeclaredList {
  readonly distribution: Distribution;
  readonly version: number;
  readonly list: OperatorList;
}

/** The lists of one subtask of an operator. */
export class OperatorLists {
  readonly #operator: string;
  readonly #place: Place;
  readonly #declared = new Map<string, DeclaredList>();
  /** Restored, and nobody has asked for it since. */
  readonly #unread = new Map<string, OperatorState>();

  /** `operator`: its name, for errors. */
  constructor(operator: string, { subtask, parallelism }: Place) {
    this.#operator = operator;
    this.#place = { subtask, parallelism };
  }

  /**
   * The list of that name, with what was restored under it; always the same one. Items of an older version are migrated or refused, as
   * keyed state is (`migration.ts`).
   */
  list<T>(descriptor: StateDescriptor<ListState<T>>, distribution: Distribution): ListState<T> {
    const { name, kind, ttl, version } = descriptor;
    if (kind !== 'list' || ttl !== null) {
      throw new UsageError(
        `${this.#operator}: state "${name}" belongs to no key, so it must be a list without time to live.`,
      );
    }
    const before = this.#declared.get(name);
    if (before !== undefined && (before.distribution !== distribution || before.version !== version)) {
      throw new WeirError(
        'STATE_NAME',
        `${this.#operator}: two different states are called "${name}"; give one of them another name.`,
      );
    }
    const declared = before ?? {
      distribution,
      version,
      list: new OperatorList(name, this.#take(descriptor, distribution)),
    };
    this.#declared.set(name, declared);
    return declared.list as ListState<unknown> as ListState<T>;
  }

  /** Takes this subtask's share; before the first `list`. */
  load(snapshots: readonly OwnSnapshot[]): void {
    for (const [name, state] of shareOf(snapshots, this.#place)) this.#unread.set(name, state);
  }

  /** A union list that nobody has asked for stays the concern of one subtask, so that it does not multiply. */
  save(): Record<string, OperatorState> {
    const unread = [...this.#unread].filter(([, state]) => state.redistribute !== 'union' || this.#place.subtask === 0);
    const declared = [...this.#declared].map(([name, { distribution, version, list }]): [string, OperatorState] => [
      name,
      { redistribute: distribution, items: list.get().map((value) => written(version, value)) },
    ]);
    return Object.fromEntries([...unread, ...declared]);
  }

  /** Bytes held, an estimate. */
  get bytes(): number {
    let bytes = 0;
    for (const { items } of this.#unread.values()) for (const item of items) bytes += item.length;
    for (const { list } of this.#declared.values()) bytes += sizeOf(list.get());
    return Math.round(bytes);
  }

  #take(descriptor: StateDescriptor, distribution: Distribution): unknown[] {
    const { name } = descriptor;
    const state = this.#unread.get(name);
    if (state === undefined) return [];
    if (state.redistribute !== distribution) {
      throw new WeirError(
        'STATE_MIGRATION',
        `${this.#operator}: state "${name}" cannot be restored: it was a ${state.redistribute} list and is declared as a ${distribution} list.`,
      );
    }
    this.#unread.delete(name);
    return state.items.map((bytes) => {
      const from = new ByteReader(bytes);
      const stored = { name, kind: 'list', version: from.varint(), timed: false } as const;
      const items = [from.value()];
      const migrate = migrationOf(stored, descriptor, this.#operator);
      return (migrate === null ? items : (migrate(items) as unknown[]))[0];
    });
  }
}

function written(version: number, value: unknown): Uint8Array {
  const to = new ByteWriter();
  to.varint(version);
  to.value(value);
  return to.take();
}

class OperatorList implements ListState<unknown> {
  readonly name: string;
  #items: unknown[];

  constructor(name: string, items: unknown[]) {
    this.name = name;
    this.#items = items;
  }

  get(): readonly unknown[] {
    return this.#items;
  }

  add(value: unknown): void {
    this.#items.push(checkedItem(this, value));
  }

  addAll(values: Iterable<unknown>): void {
    for (const value of [...values]) this.add(value);
  }

  update(values: Iterable<unknown>): void {
    this.#items = [...values].map((value) => checkedItem(this, value));
  }

  clear(): void {
    this.#items = [];
  }
}

/** By name, what one subtask gets of the lists of all subtasks of the operator before. */
export function shareOf(
  snapshots: readonly OwnSnapshot[],
  { subtask, parallelism }: Place,
): Map<string, OperatorState> {
  const names = new Set(
    snapshots.flatMap(({ operator }) =>
      Object.keys(operator).filter((name) => operator[name]?.redistribute !== 'broadcast'),
    ),
  );
  const share = new Map<string, OperatorState>();
  /** The subtask that begins: it gets one more if anybody does. */
  let begin = 0;
  for (const name of [...names].sort()) {
    const states = snapshots.flatMap(({ operator }) =>
      Object.hasOwn(operator, name) ? [operator[name] as OperatorState] : [],
    );
    const { redistribute } = states[0] as OperatorState;
    const all = states.flatMap(({ items }) => items);
    if (redistribute === 'union') {
      share.set(name, { redistribute, items: all });
    } else if (snapshots.length === parallelism) {
      share.set(name, { redistribute, items: snapshots[subtask]?.operator[name]?.items ?? [] });
    } else {
      const each = Math.floor(all.length / parallelism);
      const more = all.length % parallelism;
      const turn = (subtask - begin + parallelism) % parallelism;
      const from = turn * each + Math.min(turn, more);
      share.set(name, { redistribute, items: all.slice(from, from + each + (turn < more ? 1 : 0)) });
      begin = (begin + more) % parallelism;
    }
  }
  return share;
}
