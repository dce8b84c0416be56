/**
 * The IoT simulator: a source of readings made up from a seed. See `options.ts` for what can be asked for, `split-stream.ts` for how rows
 * come about, `messages.ts` for what can be changed while it runs.
 */

import type { EnumeratorContext, ReaderContext, Source } from '#engine/io/source.ts';
import type { SimulatorSettings } from '#shared/live.ts';
import { RawReading } from '../iot/reading.ts';
import { formatDisorder } from './disorder.ts';
import { type InjectionListener, IotSimulatorEnumerator, stopInjection } from './enumerator.ts';
import type { RunningInjection, SettingsChange, SimulatorSplit } from './messages.ts';
import type { SimulatorOptions } from './options.ts';
import { IotSimulatorReader } from './reader.ts';

export class IotSimulator implements Source<typeof RawReading.fields, SimulatorSplit> {
  readonly schema = RawReading;
  readonly bounded: boolean;
  readonly options: SimulatorOptions;
  #changed: SettingsChange = {};
  readonly #listeners = new Set<InjectionListener>();
  readonly #injections = new Map<number, RunningInjection>();
  readonly #stopped = new Set<number>();

  constructor(options: SimulatorOptions) {
    this.options = options;
    this.bounded = options.events !== null;
  }

  /** Settings in force: the options, and what was changed since. On the main thread only. */
  get settings(): SimulatorSettings {
    const { devices, rate, malformed, late, disorder } = this.options;
    return { devices, rate, malformed, late, disorder: formatDisorder(disorder), ...this.#changed };
  }

  /** Tells of every report about an injection, about five a second and subtask and at its end. Returns how to stop listening. */
  onInjectionProgress(listener: InjectionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops an injection while the job stands: it does not go on with it. On the main thread only. */
  stopInjection(id: number): void {
    stopInjection({ injections: this.#injections, stopped: this.#stopped }, id);
  }

  createEnumerator(context: EnumeratorContext<SimulatorSplit>): IotSimulatorEnumerator {
    return new IotSimulatorEnumerator(context, {
      splits: this.options.splits,
      changed: () => this.#changed,
      change: (settings) => {
        this.#changed = { ...this.#changed, ...settings };
      },
      injections: this.#injections,
      stopped: this.#stopped,
      progress: (id, affected, done) => {
        for (const listener of this.#listeners) listener(id, affected, done);
      },
    });
  }

  createReader(context: ReaderContext): IotSimulatorReader {
    return new IotSimulatorReader(context, this.options);
  }
}
