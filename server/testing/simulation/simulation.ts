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
import type { Parallelism } from './readings.ts';
import { expected, OUTPUT } from './simulated-jobs.ts';
import { SimulatedProcess } from './simulated-process.ts';
import type { Seams } from './simulated-task-managers.ts';
import { judge, judgeStuck, type Outcome, type SeenPart, type Verdict } from './verdict.ts';

export { failed, type Outcome, type Verdict } from './verdict.ts';

export interface SimulationOptions {
  readonly seams?: Seams;
  /** Told what happens, as it happens. */
  readonly say?: (line: string) => void;
}

/** After the last fault, ms of simulated time, and steps in all: whoever needs more is stuck. */
const PATIENCE_MS = 5_000;
const MOST_STEPS = 30_000;
/** Steps between two looks at the visible parts. */
const LOOK_STEPS = 25;
const AGAIN_MS = 20;
/** Whoever looks after the job begins it anew when it has said so often in a row that no checkpoint is left. */
const REFUSALS = 3;
/** What keeps a job from beginning from a savepoint, or a part that this has to commit, for good. */
const UNUSABLE = /cannot be restored\.|is no savepoint|An older checkpoint writes/;
/** Of an unaligned checkpoint: rows in flight fit no other parallelism. */
const OTHER_PARALLELISM =
  /cannot be restored at another parallelism|the job is not the same any more|at the parallelism it was taken at/;
const NONE_LEFT = /none of its checkpoints is left/;

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
  #refusals = 0;
  /** Paths of savepoints that were taken, but for those that have become a job's own. Also one of a history that was given up can be gone back to. */
  #savepoints: string[] = [];
  /** What the next life begins from, until it has a checkpoint of its own; null: from the last checkpoint there is. */
  #origin: { readonly path: string; readonly claim: boolean; readonly before: Parallelism } | null = null;
  /** Every parallelism that the job may have run at. */
  readonly #used: Parallelism[] = [];
  /** The job is being stopped with a savepoint. */
  #stopping = false;
  /** It has ended meanwhile. */
  #stopped = false;
  /** Life that has ended meanwhile: nobody has heard of its savepoint, and what was committed with that is taken back by those after it. */
  #unheard: number | null = null;
  #diskMs: number;
  /** It has said that something was synced, and it was not. */
  #lied = false;
  /** It has lied, or bits of it have turned. */
  #damaged = false;
  /** It has refused to read what it has. */
  #refused = false;
  /** It has said that output may be missing or doubled, or that it cannot go on. */
  readonly #reports: string[] = [];
  readonly #seen = new Map<string, Uint8Array>();
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
    const { outcome, text } = this.#verdict ?? this.#judge();
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
    const { outcome, text } = judgeStuck(this.#process?.master.state ?? 'down', this.#lied, this.#reports);
    this.#end(outcome, text);
  }

  #judge(): { readonly outcome: Outcome; readonly text: string } {
    const parts = this.#visible();
    return judge({
      expected: expected(this.#scenario.job),
      output: OUTPUT,
      parts: [...parts].map(([path, content]): SeenPart => ({ path, content: Buffer.from(content).toString() })),
      lied: this.#lied,
      reports: this.#reports,
    });
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
    const anew = this.#refusals >= REFUSALS;
    if (anew) this.#refusals = 0;
    const origin = this.#origin;
    const from = anew ? ' anew' : origin === null ? '' : ` from ${origin.path}${origin.claim ? ', claimed' : ''}`;
    this.#say(`life ${life} begins${from}: ${source} sources, ${main} in the middle, ${sink} sinks`);
    this.#stopping = false;
    this.#stopped = false;
    this.#used.push(this.#parallelism);
    this.#process = new SimulatedProcess({
      scenario: this.#scenario,
      life,
      resume: anew
        ? { from: 'beginning' }
        : origin === null
          ? { from: 'latest' }
          : {
              from: 'path',
              path: origin.path,
              claim: origin.claim ? 'claim' : 'no-claim',
              allowNonRestoredState: false,
            },
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
          if (this.#stopping) this.#stopped = true;
          else this.#finished = true;
          return;
        }
        if (error !== null) this.#heard(error);
        if (OTHER_PARALLELISM.test(error ?? '')) this.#tryOthers();
        if (this.#origin !== null && UNUSABLE.test(error ?? '')) this.#leaveOrigin(error ?? '');
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

  /** One after the other, until it is the one at which the checkpoint was taken. */
  #tryOthers(): void {
    this.#parallelism = this.#used.shift() as Parallelism;
  }

  /** It cannot begin from its savepoint: then from the last checkpoint, at the parallelism that was taken at. */
  #leaveOrigin(error: string): void {
    if (!this.#damaged && !this.#refused) this.#end('uncommitted', `the disk was honest: ${error}`);
    this.#parallelism = this.#origin?.before ?? this.#parallelism;
    this.#origin = null;
  }

  /** Why the job has failed, or does not begin. */
  #heard(message: string): void {
    this.#reports.push(message);
    if (!NONE_LEFT.test(message)) return;
    if (!this.#damaged && !this.#refused) this.#end('uncommitted', `the disk was honest: ${message}`);
    if (++this.#refusals < REFUSALS) return;
    const life = this.#life;
    this.#at(1, () => {
      if (life === this.#life) this.#die(false, AGAIN_MS, this.#parallelism);
    });
  }

  #onNews(news: JobNews): void {
    if (news.type === 'checkpoint') {
      const { type, kind, id, text } = news.change;
      if (type === 'completed') this.#checkpoints++;
      if (type === 'completed' && kind === 'checkpoint') this.#origin = null;
      if (type === 'completed' && kind === 'savepoint') this.#savepoints.push(text);
      if (type !== 'acknowledged') this.#say(`${kind} ${id} ${type} ${text}`);
    }
    if (news.type === 'failure') {
      this.#restarts++;
      this.#say(`failure: ${news.message}; restart of ${news.scope ?? 'the job'} in ${news.restartInMs} ms`);
      this.#heard(news.message);
    }
    if (news.type === 'regions-restarted') this.#say(`${news.regions} of ${news.of} regions run again`);
    if (news.type === 'rescaled') this.#say(`rescaled ${JSON.stringify(news.vertices)}`);
    if (news.type === 'restored') {
      this.#say(`restored from ${news.checkpoint ?? 'the beginning'} ${JSON.stringify([news.skipped, news.notes])}`);
      this.#refusals = 0;
      const said = [...news.skipped.map(({ id, reason }) => `checkpoint ${id}: ${reason}`), ...news.notes];
      this.#reports.push(...said);
      if (said.length === 0) return;
      // An honest disk loses no checkpoint, and nothing of a checkpoint that is not complete has ever been visible.
      const unheard = this.#unheard !== null && this.#unheard < this.#life;
      const wanted = unheard || (this.#origin !== null && news.path === this.#origin.path);
      if (unheard) this.#unheard = null;
      if (!this.#damaged && !this.#refused && !(wanted && news.skipped.length === 0))
        this.#end('uncommitted', `the disk was honest: ${said.join('; ')}`);
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
        if (this.#process !== null) this.#die(type === 'machine', fault.downMs, this.#next(fault.next));
        break;
      case 'stop':
        this.#stop(fault);
        break;
      case 'back': {
        const savepoint = this.#savepoints.at(-1);
        if (this.#process === null || savepoint === undefined) break;
        this.#beginFrom(savepoint, fault);
        break;
      }
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
        this.#lied = true;
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
        this.#used.push({ ...this.#parallelism, main: fault.to });
        this.#ask('rescaled', (master) => master.rescale({ main: fault.to }));
        break;
      case 'savepoint':
        this.#ask('a savepoint', (master) => master.savepoint());
        break;
    }
  }

  /** Rows in flight come without watermarks to another parallelism: what was late would not be. */
  #next(next: Parallelism): Parallelism {
    const { checkpoints, job } = this.#scenario;
    return checkpoints.unaligned && job.late && this.#origin === null ? this.#parallelism : next;
  }

  #stop(fault: Fault & { readonly type: 'stop' }): void {
    const life = this.#life;
    const master = this.#process?.master;
    if (master?.state !== 'RUNNING' || this.#stopping) return;
    this.#stopping = true;
    this.#unheard = life;
    master.stopWithSavepoint().then(
      ({ path }) => {
        if (life !== this.#life) return;
        this.#unheard = null;
        this.#savepoints.push(path);
        this.#beginFrom(path, fault);
      },
      (error: Error) => {
        if (life !== this.#life) return;
        this.#say(`not stopped: ${error.message}`);
        this.#unheard = null;
        this.#stopping = false;
        this.#finished = this.#stopped;
        const path = /^Job simulated has failed while it was being stopped.* is in (.*)\.$/.exec(error.message)?.[1];
        // The job goes on from there, and so must those who come after it.
        if (path !== undefined) this.#origin = { path, claim: false, before: this.#parallelism };
      },
    );
  }

  /** The process ends; the next one begins from a savepoint. */
  #beginFrom(path: string, { downMs, next, claim }: Fault & { readonly type: 'stop' | 'back' }): void {
    const before = this.#origin?.before ?? this.#parallelism;
    if (claim) this.#savepoints = this.#savepoints.filter((other) => other !== path);
    this.#origin = { path, claim, before };
    this.#die(false, downMs, next);
  }

  #ask(what: string, ask: (master: JobMaster) => Promise<unknown>): void {
    const master = this.#process?.master;
    if (master?.state !== 'RUNNING') return;
    ask(master).catch((error: Error) => this.#say(`not ${what}: ${error.message}`));
  }

  /** Visible parts and what is in them. */
  #visible(): Map<string, Uint8Array> {
    const parts = new Map<string, Uint8Array>();
    for (const { path, content } of this.#disk.filesIn(OUTPUT)) {
      if (partOf(path.slice(path.lastIndexOf('/') + 1))?.state === 'visible') parts.set(path, content);
    }
    return parts;
  }

  /** What a reader has seen in a part stays as it was. */
  #look(): void {
    for (const [path, content] of this.#visible()) {
      const before = this.#seen.get(path);
      if (before === content) continue;
      this.#seen.set(path, content);
      if (before === undefined || Buffer.compare(before, content) === 0) continue;
      if (this.#lied) this.#say(`${path} has changed under the disk`);
      else this.#end('changed', `${path} was "${Buffer.from(before)}" and is "${Buffer.from(content)}"`);
    }
  }
}

/** Everything that promises have still to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
