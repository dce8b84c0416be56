/**
 * The live protocol (`shared/live.ts`) over socket.io: one loop that samples and sends, and events in turns of their own.
 *
 *   timer turn      sample, then one volatile `tick` to each client that is due; nothing else is sent in this turn
 *   immediate turn  numbered `event`s to all whose connection takes them; a client too far behind gets a new `snapshot` instead
 *
 * A second volatile frame in a turn, or one behind a reliable frame, would be dropped by socket.io; so a tick goes only to a connection
 * that can take it at once, and cursors move only with frames that were sent.
 */

import { randomUUID } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { type DefaultEventsMap, Server, type Socket } from 'socket.io';
import type { Clock } from '#base/clock.ts';
import type { JobNews } from '#runtime/job/job-news.ts';
import { type ClientToServer, LIMITS, type LiveEvent, type ServerToClient, type Snapshot } from '#shared/live.ts';
import type { Access } from '../access.ts';
import { Client } from './client.ts';
import { Commands } from './commands.ts';
import { EventLog } from './event-log.ts';
import type { LiveJob } from './job-handle.ts';
import { jobView } from './job-view.ts';
import { newsEvent } from './news-event.ts';
import { type Interest, JobObserver } from './observer.ts';

/** Pages that may be connected at a time. */
const MAX_CLIENTS = 64;
/** Events a client may be behind before it gets a snapshot instead of all of them. */
const MAX_BACKLOG = 100;
/** Characters of an event's text; the cause of a failure may be longer and stands in `JobView.failure`. */
const LONGEST_TEXT = 2000;
/** A snapshot waits so long for answers of the job. */
const REFRESH_MS = 500;
/** With nobody connected the cells are read once a second, just after it has begun. */
const IDLE_MS = 1000;
/** The largest message a page has to send is a command with a few fields. */
const MAX_MESSAGE = 16 * 1024;

export interface LiveServerOptions {
  http: HttpServer;
  /** Null: no job was started. */
  job: LiveJob | null;
  clock: Clock;
  access: Access;
  log: (message: string) => void;
}

/** The page's socket; `data` holds what is known of the page once it was let in. */
type LiveSocket = Socket<ClientToServer, ServerToClient, DefaultEventsMap, { mayCommand: boolean }>;

export class LiveServer {
  readonly epoch = randomUUID();
  readonly #io: Server<ClientToServer, ServerToClient, DefaultEventsMap, { mayCommand: boolean }>;
  readonly #clock: Clock;
  readonly #access: Access;
  readonly #log: (message: string) => void;
  readonly #observer: JobObserver | null;
  readonly #events = new EventLog();
  readonly #commands: Commands;
  readonly #clients = new Map<LiveSocket, Client>();
  readonly #unsubscribe: (() => void)[] = [];
  #seq = 0;
  #timer: NodeJS.Timeout | null = null;
  #flushing = false;
  #closed = false;

  constructor({ http, job, clock, access, log }: LiveServerOptions) {
    this.#clock = clock;
    this.#access = access;
    this.#log = log;
    this.#observer = job === null ? null : new JobObserver(job, log);
    this.#commands = new Commands({ job, tell: (event) => this.#tell(event) });
    if (job !== null) this.#subscribe(job);
    this.#io = new Server(http, {
      transports: ['websocket'],
      serveClient: false,
      pingInterval: 5000,
      pingTimeout: 4000,
      connectTimeout: 5000,
      maxHttpBufferSize: MAX_MESSAGE,
      allowRequest: (request: IncomingMessage, answer) => answer(null, access.allows(request.headers)),
    });
    this.#io.use((socket, next) => next(this.#admit(socket)));
    this.#io.on('connection', (socket) => this.#connect(socket));
    this.#schedule();
  }

  /** Pages that are connected. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Lets all pages go. The HTTP server stays: it is not ours. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#io.disconnectSockets(true);
    this.#io.engine.close();
  }

  // ---------------------------------------------------------------- clients

  #admit(socket: LiveSocket): Error | undefined {
    if (this.#clients.size >= MAX_CLIENTS) return new Error(`${MAX_CLIENTS} pages are connected already.`);
    const token: unknown = socket.handshake.auth.token;
    const rights = this.#access.rights(typeof token === 'string' ? token : null);
    if (!rights.read) return new Error('This server shows its data only with its token.');
    socket.data.mayCommand = rights.command;
    return undefined;
  }

  #connect(socket: LiveSocket): void {
    const { epoch, eventSeq }: Record<string, unknown> = socket.handshake.auth;
    const resumes = epoch === this.epoch && typeof eventSeq === 'number' && eventSeq >= 0;
    const client = new Client(resumes ? eventSeq : 0);
    const first = this.#clients.size === 0;
    this.#clients.set(socket, client);
    socket.on('disconnect', () => this.#clients.delete(socket));
    socket.on('seen', (seq) => {
      if (typeof seq === 'number') client.pace.seen(seq, this.#seq);
    });
    socket.on('view', (view) => client.setView(view));
    socket.on('command', (command, ack) => {
      if (typeof ack !== 'function') return;
      if (!socket.data.mayCommand) ack({ ok: false, error: 'Changing something needs the token of this server.' });
      else if (!client.limit.allows(this.#clock.now())) ack({ ok: false, error: 'Too many commands in a second.' });
      else ack(this.#commands.run(command));
    });
    socket.conn.on('drain', () => this.#flushSoon());
    void this.#greet(socket, client);
    if (first) this.#schedule();
  }

  async #greet(socket: LiveSocket, client: Client): Promise<void> {
    const now = this.#clock.now();
    this.#observer?.sample(now);
    await this.#observer?.refresh(this.#pinned(), REFRESH_MS);
    // A turn of its own: neither behind a tick nor before one.
    setImmediate(() => {
      if (socket.connected) this.#sendSnapshot(socket, client);
    });
  }

  #sendSnapshot(socket: LiveSocket, client: Client): void {
    const observer = this.#observer;
    const numbers = observer?.numbers ?? null;
    const history = observer?.sampler.history;
    const injections = observer?.job.simulator?.injections;
    const snapshot: Snapshot = {
      epoch: this.epoch,
      seq: this.#seq,
      serverTime: this.#clock.now(),
      job: observer ? jobView(observer.job) : null,
      totals: numbers?.totals ?? null,
      operators: numbers?.operators ?? null,
      vertices: numbers?.vertices ?? null,
      holders: observer?.holders ?? null,
      history: history?.all() ?? {
        from: 0,
        eventsPerSecond: [],
        windowsPerSecond: [],
        watermarkLagMs: [],
        errorsPerSecond: [],
        latePerSecond: [],
        latencyP50Ms: [],
        latencyP95Ms: [],
        latencyP99Ms: [],
      },
      checkpointAt: checkpointAt(observer),
      windows: client.snapshotWindows(observer),
      errors: client.snapshotErrors(observer),
      injections: injections?.all() ?? [],
      faults: observer?.job.faults?.view ?? null,
      scaling: observer?.job.rescales?.view ?? null,
      events: this.#events.after(client.eventSeq),
    };
    client.sawSnapshot(history?.newest ?? 0, observer?.job ?? null);
    client.eventSeq = this.#events.seq;
    client.ready = true;
    socket.emit('snapshot', snapshot);
  }

  // ---------------------------------------------------------------- ticks

  #schedule(): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    // Just behind the full second, so that a second of history is closed when it is over.
    const idle = IDLE_MS - (this.#clock.now() % IDLE_MS) + 5;
    this.#timer = setTimeout(() => this.#turn(), this.#clients.size > 0 ? LIMITS.tickMs : idle);
    this.#timer.unref();
  }

  #turn(): void {
    this.#schedule();
    const now = this.#clock.now();
    this.#observer?.sample(now);
    if (this.#clients.size === 0) return;
    this.#seq++;
    const numbers = this.#observer?.numbers ?? null;
    const common = {
      seq: this.#seq,
      serverTime: now,
      state: this.#observer?.job.handle.state ?? null,
      totals: numbers?.totals ?? null,
      operators: numbers?.operators ?? null,
      vertices: numbers?.vertices ?? null,
      checkpointAt: checkpointAt(this.#observer),
    };
    for (const [socket, client] of this.#clients) {
      if (!client.ready || !client.pace.due() || !socket.conn.transport.writable) continue;
      socket.volatile.emit('tick', client.tick(common, this.#observer));
    }
    this.#observer?.ask(now, this.#interest());
  }

  #interest(): Interest {
    let overview = false;
    let windows = false;
    let errors = false;
    for (const { view } of this.#clients.values()) {
      overview ||= view.page === 'overview';
      windows ||= view.page === 'windows';
      errors ||= view.page === 'errors';
    }
    return { overview, windows, errors, pinned: this.#pinned() };
  }

  #pinned(): string[] {
    return [...new Set([...this.#clients.values()].flatMap((client) => client.view.devices))];
  }

  // ---------------------------------------------------------------- events

  #subscribe(job: LiveJob): void {
    const { handle, simulator, faults, rescales } = job;
    this.#unsubscribe.push(
      handle.onState((state) => {
        const cause = handle.failure === null ? '' : `: ${handle.failure.message.replace(/\.$/, '')}`;
        this.#tell({
          kind: 'job-state',
          text: `Job ${handle.graph.name} is ${state}${cause}.`,
          state,
        });
      }),
    );
    if (faults !== null)
      this.#unsubscribe.push(faults.onNews(({ kind, text, fault }) => this.#tell({ kind, text, fault: fault.id })));
    if (rescales !== null) this.#unsubscribe.push(rescales.onNews(({ kind, text }) => this.#tell({ kind, text })));
    this.#unsubscribe.push(handle.onNews((news) => this.#tellNews(news)));
    if (simulator === null) return;
    this.#unsubscribe.push(
      simulator.injections.onNews(({ kind, text, injection }) =>
        this.#tell({ kind, text, injection: injection.id, ended: injection.running ? null : injection }),
      ),
    );
  }

  #tellNews(news: JobNews): void {
    const told = newsEvent(news);
    if (told !== null) this.#tell(told);
    // Pages draw another graph from now on.
    if (news.type === 'rescaled')
      setImmediate(() => {
        if (!this.#closed)
          for (const [socket, client] of this.#clients) if (client.ready) this.#sendSnapshot(socket, client);
      });
  }

  #tell(event: Pick<LiveEvent, 'kind' | 'text'> & Partial<LiveEvent>): void {
    const nothing = { injection: null, ended: null, fault: null, state: null };
    this.#events.add({ ...nothing, at: this.#clock.now(), ...event, text: event.text.slice(0, LONGEST_TEXT) });
    this.#log(event.text);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      if (!this.#closed) for (const [socket, client] of this.#clients) this.#flush(socket, client);
    });
  }

  #flush(socket: LiveSocket, client: Client): void {
    // A connection that takes nothing says `drain` when it does; until then its backlog is a number, not a queue.
    if (!client.ready || client.eventSeq === this.#events.seq || !socket.conn.transport.writable) return;
    if (this.#events.seq - client.eventSeq > MAX_BACKLOG) {
      this.#sendSnapshot(socket, client);
      return;
    }
    for (const event of this.#events.after(client.eventSeq)) socket.emit('event', event);
    client.eventSeq = this.#events.seq;
  }
}

function checkpointAt(observer: JobObserver | null): number | null {
  return observer?.job.control?.checkpoints?.latest.completed?.endedAt ?? null;
}
