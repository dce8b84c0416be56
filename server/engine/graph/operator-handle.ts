/** Settings of an operator of a job that is being written. */

import type { StreamNode } from './stream-graph.ts';

/** Settings of one operator. */
export class OperatorHandle {
  /** @internal */
  readonly node: StreamNode;

  /** @internal */
  constructor(node: StreamNode) {
    this.node = node;
  }

  setParallelism(parallelism: number): this {
    this.node.parallelism = parallelism;
    return this;
  }

  setMaxParallelism(maxParallelism: number): this {
    this.node.maxParallelism = maxParallelism;
    return this;
  }

  /** Stable id: what state, metrics and control address the operator by. */
  uid(uid: string): this {
    this.node.uid = uid;
    return this;
  }

  /** Runs in a task of its own. */
  disableChaining(): this {
    this.node.chaining = 'never';
    return this;
  }

  /** Starts a new chain here. */
  startNewChain(): this {
    this.node.chaining = 'head';
    return this;
  }
}
