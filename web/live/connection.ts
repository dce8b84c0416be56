import { io, type Socket } from 'socket.io-client';
import type {
  ClientToServer,
  Command,
  CommandBody,
  CommandResult,
  LiveAuth,
  ServerToClient,
  View,
} from '#shared/live.ts';
import type { Painter } from './painter.ts';
import type { LiveStore } from './store.ts';

const BEAT_MS = 250;
const ACK_TIMEOUT_MS = 5000;
/** Every so many ticks the server hears what we have seen. */
const SEEN_EVERY = 10;
/** A snapshot we asked for ourselves may take this long before the page calls itself disconnected. */
const RESYNC_GRACE_MS = 1500;

/** Carries the socket's news into the store, and the page's wishes to the server. */
export class Connection {
  readonly #store: LiveStore;
  readonly #painter: Painter;
  readonly #socket: Socket<ServerToClient, ClientToServer>;
  #view: View = { page: 'other', devices: [], checkpoint: null };
  #ticks = 0;
  #lastResync = 0;
  /** Settings changes that this page made itself need no new snapshot: the answer said all. */
  #ownSettingsChanges = 0;

  constructor(store: LiveStore, painter: Painter) {
    this.#store = store;
    this.#painter = painter;
    this.#socket = io({
      transports: ['websocket'],
      reconnectionDelay: 250,
      reconnectionDelayMax: 1000,
      randomizationFactor: 0.3,
      auth: (send) => send({ epoch: store.epoch, eventSeq: store.eventSeq } satisfies LiveAuth),
    });
    this.#listen();
    setInterval(() => this.#beat(), BEAT_MS);
    document.addEventListener('visibilitychange', () => this.#wake());
    window.addEventListener('online', () => this.#wake());
  }

  show(view: View): void {
    this.#view = view;
    if (this.#socket.connected) this.#socket.emit('view', view);
  }

  /** Never queues: while disconnected the answer is an error at once. */
  async send(body: CommandBody): Promise<CommandResult> {
    if (!this.#socket.connected || !this.#store.synced) return { ok: false, error: 'Not connected, nothing was sent.' };
    const command: Command = { ...body, commandId: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    if (body.type === 'change-simulator') this.#ownSettingsChanges++;
    let result: CommandResult;
    try {
      result = await this.#socket.timeout(ACK_TIMEOUT_MS).emitWithAck('command', command);
    } catch {
      result = {
        ok: false,
        error: 'The server did not answer within 5 s. Look at the event lane before trying again.',
      };
    }
    if (!result.ok) {
      if (body.type === 'change-simulator') this.#ownSettingsChanges--;
      return result;
    }
    if (result.injection) this.#store.addInjection(result.injection);
    if (body.type === 'change-simulator') this.#store.patchSimulator(body.settings);
    this.#store.publish(Date.now());
    return result;
  }

  /** Publishes and paints at once instead of at the next beat. */
  refresh(): void {
    this.#store.publish(Date.now());
    this.#painter.repaint();
  }

  #listen(): void {
    const socket = this.#socket;
    const store = this.#store;
    socket.on('connect', () => socket.emit('view', this.#view));
    socket.on('disconnect', (reason) => {
      store.lost(Date.now());
      // The library leaves a connection closed that the server closed on purpose, for example while shutting down.
      if (reason === 'io server disconnect') setTimeout(() => socket.connect(), BEAT_MS);
    });
    socket.on('connect_error', () => store.lost(Date.now()));
    socket.io.on('reconnect_attempt', (attempt) => store.attempt(attempt));
    socket.on('snapshot', (snapshot) => {
      this.#ownSettingsChanges = 0;
      store.snapshot(snapshot, Date.now());
      this.refresh();
    });
    socket.on('tick', (tick) => {
      store.tick(tick, Date.now());
      this.#ticks++;
      if (this.#ticks % SEEN_EVERY === 0) socket.emit('seen', tick.seq);
      if (store.lacksJob(tick.state)) this.#resync();
      if (!store.shown.paused) this.#painter.repaint();
    });
    socket.on('event', (event) => {
      let outdated = store.event(event);
      if (event.kind === 'settings-changed') {
        if (this.#ownSettingsChanges > 0) this.#ownSettingsChanges--;
        else outdated = true;
      }
      if (outdated) this.#resync();
      this.refresh();
    });
  }

  #beat(): void {
    this.#store.publish(Date.now());
    if (this.#store.shown.link.stale) this.#painter.repaint();
  }

  /** A tab that comes back must not wait for the next retry, nor trust a socket that died unnoticed. */
  #wake(): void {
    if (document.hidden) return;
    const now = Date.now();
    if (!this.#socket.connected) this.#socket.connect();
    else if (this.#store.ageMs(now) > 1500) this.#resync();
    this.refresh();
  }

  #resync(): void {
    const now = Date.now();
    if (now - this.#lastResync < RESYNC_GRACE_MS) return;
    this.#lastResync = now;
    this.#store.expectReconnect(now, RESYNC_GRACE_MS);
    this.#socket.disconnect();
    this.#socket.connect();
  }
}
