/**
 * A whole machine in one thread, with everything that can go wrong on it, drawn from one seed: the real job master, coordinator, store, tasks,
 * operators and file sink under a clock, a scheduler, messages and a disk that the seed decides about. A run is the same every time.
 *
 *   seed ─> scenario (draw.ts) ─> lives of the program, one after the other, on one disk ─> committed files ─> verdict
 *
 * Faults end at some time, after which the job must end too. What it has committed then is compared with the model (`simulated-jobs.ts`).
 */

import { ManualClock } from '#base/clock.ts';
import { Random } from '#base/random.ts';
import { partOf } from '#connectors/file/part-files.ts';
import type { JobMaster } from '#runtime/job/job-master.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import { SimulatedDisk } from '../simulated-disk.ts';
import { draw, type Fault, type Scenario } from './draw.ts';
import { expected, OUTPUT, type Parallelism } from './simulated-jobs.ts';
import { SimulatedProcess } from './simulated-process.ts';
import type { Seams } from './simulated-task-managers.ts';

export type Outcome =
  | 'equal'
  /** Not equal, or no end, and said so by name: only after the disk has lied. */
  | 'reported'
  | 'lost'
  | 'doubled'
  | 'stuck'
  | 'uncommitted'
  | 'changed';

export interface Verdict {
  readonly seed: number;
  readonly outcome: Outcome;
  readonly text: string;
  readonly steps: number;
  readonly ms: number;
  readonly checkpoints: number;
  readonly restarts: number;
}

export interface SimulationOptions {
  readonly seams?: Seams;
  /** Told what happens, as it happens. */
  readonly say?: (line: string) => void;
}

export function failed({ outcome }: Verdict): boolean {
  return outcome !== 'equal' && outcome !== 'reported';
}

/** After the last fault, ms of simulated time, and steps in all: whoever needs more is stuck. */
const PATIENCE_MS = 5_000;
const MOST_STEPS = 30_000;
/** Steps between two looks at the visible parts. */
const LOOK_STEPS = 25;
const AGAIN_MS = 20;

export function simulate(seed: number, options: SimulationOptions = {}): Promise<Verdict> {
  return new Simulation(draw(seed), options).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #seams: Seams;
  readonly #say: (line: string) => void;
  readonly #clock = new ManualClock(1_000_000);
  readonly #random: Random;
  readonly #disk: SimulatedDisk;
  #process: SimulatedProcess | null = null;
  #life = 0;
  #parallelism: Parallelism;
  /** What the world does by itself. */
  #plan: { readonly at: number; readonly run: () => void }[] = [];
  #calmAt = this.#clock.now();
  #throwNext = false;
  #diskMs: number;
  /** The disk has lied, or bits of it have turned. */
  #damaged = false;
  /** It has refused to read what it has. */
  #refused = false;
  /** It has said that output may be missing or doubled, or that it cannot go on. */
  readonly #reports: string[] = [];
  readonly #seen = new Map<string, string>();
  #steps = 0;
  #checkpoints = 0;
  #restarts = 0;
  #finished = false;
  #verdict: { outcome: Outcome; text: string } | null = null;

  constructor(scenario: Scenario, { seams = {}, say = () => {} }: SimulationOptions) {
    this.#scenario = scenario;
    this.#seams = seams;
    this.#random = new Random(scenario.seed, 2);
    this.#parallelism = scenario.parallelism;
    this.#diskMs = scenario.diskMs;
    this.#say = (line) => say(`${String(this.#clock.now() - 1_000_000).padStart(6)} ms  ${line}`);
    this.#disk = new SimulatedDisk({
      random: this.#random,
      clock: this.#clock,
      delay: () => this.#random.below(this.#diskMs + 1),
    });
  }

  async run(): Promise<Verdict> {
    const { faults } = this.#scenario;
    for (const { at, fault } of faults) this.#at(at, () => this.#inject(fault));
    this.#start();
    await settled();
    while (this.#verdict === null && !this.#finished) await this.#step();
    this.#look();
    const { outcome, text } = this.#verdict ?? this.#compare();
    return {
      seed: this.#scenario.seed,
      outcome,
      text,
      steps: this.#steps,
      ms: this.#clock.now() - 1_000_000,
      checkpoints: this.#checkpoints,
      restarts: this.#restarts,
    };
  }

  /** Does one thing of all that could happen now; time moves when there is none, and sometimes before. */
  async #step(): Promise<void> {
    const now = this.#clock.now();
    const soon = this.#plan.filter(({ at }) => at <= now);
    const due = [
      ...soon.map((planned) => () => {
        this.#plan = this.#plan.filter((other) => other !== planned);
        planned.run();
      }),
      ...(this.#process?.due() ?? []),
    ];
    if (this.#disk.nextAt <= now) due.push(() => this.#disk.step());
    const next = Math.min(
      this.#disk.nextAt,
      this.#process?.nextAt ?? Number.POSITIVE_INFINITY,
      ...this.#plan.map(({ at }) => at),
    );
    if (due.length === 0 && next === Number.POSITIVE_INFINITY)
      return this.#end('stuck', 'nothing can ever happen again');
    if (due.length === 0) {
      this.#clock.set(Math.max(now + 1, Math.ceil(next)));
      return;
    }
    if (this.#random.below(30) === 0) this.#clock.advance(1);
    (due[this.#random.below(due.length)] as () => void)();
    await settled();
    this.#steps++;
    if (this.#steps % LOOK_STEPS === 0) this.#look();
    if (this.#steps > MOST_STEPS || (this.#plan.length === 0 && now > this.#calmAt + PATIENCE_MS)) this.#giveUp();
  }

  #giveUp(): void {
    const why = this.#reports.at(-1);
    if (this.#damaged && why !== undefined) this.#end('reported', why);
    else
      this.#end(
        'stuck',
        `faults have ended, and the job has not (${this.#process?.master.state ?? 'down'}); ${why ?? ''}`,
      );
  }

  #end(outcome: Outcome, text: string): void {
    this.#verdict ??= { outcome, text };
  }

  #at(ms: number, run: () => void): void {
    const at = this.#clock.now() + ms;
    this.#plan.push({ at, run });
    this.#calmAt = Math.max(this.#calmAt, at);
  }

  #start(): void {
    const life = ++this.#life;
    const { source, main, sink } = this.#parallelism;
    this.#say(`life ${life} begins: ${source} sources, ${main} in the middle, ${sink} sinks`);
    this.#process = new SimulatedProcess({
      scenario: this.#scenario,
      life,
      parallelism: this.#parallelism,
      clock: this.#clock,
      random: this.#random,
      disk: this.#disk,
      seams: this.#seams,
      trouble: {
        row: () => {
          if (!this.#throwNext) return;
          this.#throwNext = false;
          throw new Error('an operator was told to throw');
        },
      },
      onNews: (news) => {
        if (life === this.#life) this.#onNews(news);
      },
      onEnd: (state, error) => {
        if (life !== this.#life) return;
        this.#say(`job ${state}${error === null ? '' : `: ${error}`}`);
        if (state === 'FINISHED') {
          this.#finished = true;
          return;
        }
        if (error !== null) this.#reports.push(error);
        this.#die(false, AGAIN_MS, this.#parallelism);
      },
    });
  }

  #die(machine: boolean, downMs: number, next: Parallelism): void {
    this.#life++;
    this.#process = null;
    this.#restarts++;
    if (machine) this.#disk.crash();
    else this.#disk.kill();
    this.#parallelism = next;
    this.#at(downMs, () => this.#start());
  }

  #onNews(news: JobNews): void {
    if (news.type === 'checkpoint') {
      const { type, kind, id, text } = news.change;
      if (type === 'completed') this.#checkpoints++;
      if (type !== 'acknowledged') this.#say(`${kind} ${id} ${type} ${text}`);
    }
    if (news.type === 'failure') {
      this.#restarts++;
      this.#say(`failure: ${news.message}; restart in ${news.restartInMs} ms`);
      this.#reports.push(news.message);
    }
    if (news.type === 'rescaled') this.#say(`rescaled ${JSON.stringify(news.vertices)}`);
    if (news.type === 'restored') {
      this.#say(`restored from ${news.checkpoint ?? 'the beginning'} ${JSON.stringify([news.skipped, news.notes])}`);
      const said = [...news.skipped.map(({ id, reason }) => `checkpoint ${id}: ${reason}`), ...news.notes];
      this.#reports.push(...said);
      if (said.length === 0) return;
      // An honest disk loses no checkpoint, and nothing of a checkpoint that is not complete has ever been visible.
      if (!this.#damaged && !this.#refused) this.#end('uncommitted', `the disk was honest: ${said.join('; ')}`);
      for (const [path] of this.#seen) if (news.notes.length > 0 && !this.#visible().has(path)) this.#seen.delete(path);
    }
  }

  #inject(fault: Fault): void {
    if (this.#finished) return;
    const { type } = fault;
    const { faults } = this.#disk;
    this.#say(`fault: ${JSON.stringify(fault)}`);
    const taskManagers = this.#process?.taskManagers;
    switch (type) {
      case 'kill':
        taskManagers?.kill(fault.taskManager, 'it was killed');
        break;
      case 'hang':
        taskManagers?.hang(fault.taskManager, fault.ms);
        this.#at(fault.ms, () => {});
        break;
      case 'throw':
        this.#throwNext = true;
        break;
      case 'process':
      case 'machine':
        if (this.#process !== null) this.#die(type === 'machine', fault.downMs, fault.next);
        break;
      case 'full':
        faults.capacity = 0;
        this.#at(fault.ms, () => {
          faults.capacity = Number.POSITIVE_INFINITY;
        });
        break;
      case 'refuse':
        this.#refused = true;
        faults.refuse = () => (this.#random.next() < fault.share ? 'EIO' : null);
        this.#at(fault.ms, () => {
          this.#refused = true;
          faults.refuse = () => null;
        });
        break;
      case 'slow':
        this.#diskMs = 60;
        this.#at(fault.ms, () => {
          this.#diskMs = this.#scenario.diskMs;
        });
        break;
      case 'lie':
        this.#damaged = true;
        faults.lies = 0.3;
        this.#at(fault.ms, () => {
          faults.lies = 0;
        });
        break;
      case 'flip': {
        const files = this.#disk
          .files()
          .filter((path) => !path.startsWith(OUTPUT) && this.#disk.contentOf(path).length > 0);
        if (files.length === 0) break;
        this.#damaged = true;
        this.#disk.flip(files[this.#random.below(files.length)] as string);
        break;
      }
      case 'rescale':
        this.#ask('rescaled', (master) => master.rescale({ main: fault.to }));
        break;
      case 'savepoint':
        this.#ask('a savepoint', (master) => master.savepoint());
        break;
    }
  }

  #ask(what: string, ask: (master: JobMaster) => Promise<unknown>): void {
    const master = this.#process?.master;
    if (master?.state !== 'RUNNING') return;
    ask(master).catch((error: Error) => this.#say(`not ${what}: ${error.message}`));
  }

  /** Visible parts and what is in them. */
  #visible(): Map<string, string> {
    const parts = new Map<string, string>();
    for (const path of this.#disk.files()) {
      if (!path.startsWith(OUTPUT)) continue;
      if (partOf(path.slice(path.lastIndexOf('/') + 1))?.state !== 'visible') continue;
      parts.set(path, Buffer.from(this.#disk.contentOf(path)).toString());
    }
    return parts;
  }

  /** What a reader has seen in a part stays as it was. */
  #look(): void {
    for (const [path, content] of this.#visible()) {
      const before = this.#seen.get(path);
      this.#seen.set(path, content);
      if (before === undefined || before === content) continue;
      if (this.#damaged) this.#say(`${path} has changed under the disk`);
      else this.#end('changed', `${path} was "${before}" and is "${content}"`);
    }
  }

  #compare(): { outcome: Outcome; text: string } {
    const got = new Map<string, string[]>();
    for (const [path, content] of this.#visible()) {
      const name = path.slice(OUTPUT.length + 1, path.lastIndexOf('/'));
      const rows = content.split('\n').filter((line) => line !== '');
      got.set(name, [...(got.get(name) ?? []), ...rows.map(plain)]);
    }
    const differences: string[] = [];
    let outcome: Outcome = 'equal';
    for (const [name, wanted] of expected(this.#scenario.job)) {
      const rows = got.get(name) ?? [];
      const missing = without(wanted, rows);
      const extra = without(rows, wanted);
      if (missing.length > 0) outcome = 'lost';
      else if (extra.length > 0 && outcome === 'equal') outcome = 'doubled';
      if (missing.length > 0)
        differences.push(`${name} lacks ${missing.length} of ${wanted.length}: ${missing.slice(0, 3).join(' ')}`);
      if (extra.length > 0) differences.push(`${name} has ${extra.length} too many: ${extra.slice(0, 3).join(' ')}`);
    }
    const text = differences.join('; ');
    if (outcome !== 'equal' && this.#damaged && this.#reports.length > 0)
      return { outcome: 'reported', text: `${text}; said: ${this.#reports.join('; ')}` };
    return { outcome, text };
  }
}

/** Everything that promises have still to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function plain(line: string): string {
  try {
    return JSON.stringify(Object.values(JSON.parse(line) as object));
  } catch {
    return line;
  }
}

/** Multiset difference. */
function without(rows: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const row of others) counts.set(row, (counts.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const left = counts.get(row) ?? 0;
    counts.set(row, left - 1);
    return left <= 0;
  });
}
