import { Socket as NetSocket } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '#base/clock.ts';
import {
  type ClientToServer,
  type Command,
  type CommandBody,
  type CommandResult,
  LIMITS,
  type LiveAuth,
  type LiveEvent,
  type ServerToClient,
  type Snapshot,
  type Tick,
  type View,
} from '#shared/live.ts';
import { NO_UPGRADE } from '#shared/upgrade.ts';
import { ApiServer } from '../server.ts';
import { fakeJob } from './fake-job.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(options: { token?: string; tokenRead?: boolean; noJob?: boolean } = {}) {
  const fake = fakeJob();
  const log: string[] = [];
  const api = await ApiServer.create({
    host: '127.0.0.1',
    port: 0,
    token: options.token ?? null,
    tokenRead: options.tokenRead ?? false,
    pages: '/nowhere',
    job: options.noJob ? null : fake.job,
    savepoints: null,
    upgrade: { view: NO_UPGRADE, begin: () => {} },
    clock: systemClock,
    log: (line) => log.push(line),
  });
  const url = await api.listen();
  closers.push(() => api.close());
  return { ...fake, api, url, log };
}

/** A page: keeps all that comes, reports what it saw like the dashboard does. */
class Page {
  readonly socket: Socket<ServerToClient, ClientToServer>;
  readonly ticks: Tick[] = [];
  readonly events: LiveEvent[] = [];
  readonly snapshots: Snapshot[] = [];
  /** All frames in the order in which they came. */
  readonly order: string[] = [];
  refused: string | null = null;
  #ids = 0;

  constructor(
    url: string,
    auth: Partial<LiveAuth> & { token?: string } = {},
    reports = true,
    headers: Record<string, string> = {},
  ) {
    this.socket = io(url, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      auth: { epoch: '', eventSeq: 0, ...auth },
      extraHeaders: headers,
    });
    this.socket.on('snapshot', (snapshot) => {
      this.snapshots.push(snapshot);
      this.order.push('snapshot');
    });
    this.socket.on('tick', (tick) => {
      this.ticks.push(tick);
      this.order.push('tick');
      if (reports && this.ticks.length % 10 === 0) this.socket.emit('seen', tick.seq);
    });
    this.socket.on('event', (event) => {
      this.events.push(event);
      this.order.push('event');
    });
    this.socket.on('connect_error', (error) => {
      this.refused = error.message;
    });
    closers.push(() => this.socket.disconnect());
  }

  get snapshot(): Snapshot {
    const snapshot = this.snapshots.at(-1);
    if (!snapshot) throw new Error('No snapshot has come.');
    return snapshot;
  }

  show(page: View['page'], devices: string[] = []): void {
    this.socket.emit('view', { page, devices });
  }

  command(body: CommandBody, commandId = `${this.socket.id}-${this.#ids++}`): Promise<CommandResult> {
    const command: Command = { ...body, commandId };
    return this.socket.timeout(2000).emitWithAck('command', command);
  }
}

async function until(holds: () => boolean, ms = 5000): Promise<void> {
  const end = Date.now() + ms;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`Not within ${ms} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const inject: CommandBody = {
  type: 'inject',
  spec: { kind: 'malformed', strength: 20, durationMs: 60_000, malformed: null },
};

describe('live server', () => {
  it('greets with a snapshot, then sends ticks with rising numbers, at most ten a second', async () => {
    const { url, handle } = await serve();
    handle.read(1234, 5);
    const page = new Page(url);
    await until(() => page.ticks.length >= 21);
    expect(page.order[0]).toBe('snapshot');
    expect(page.snapshot.job).toMatchObject({
      name: 'iot',
      state: 'RUNNING',
      parallelism: 1,
      simulator: { rate: 200 },
    });
    expect(page.snapshot.job?.edges).toEqual([
      { from: 0, to: 1, input: 0, partitioner: 'forward', chained: true, sideOutput: null },
      { from: 1, to: 2, input: 0, partitioner: 'forward', chained: true, sideOutput: 'errors' },
    ]);
    expect(page.ticks[0]).toMatchObject({
      rateHz: 10,
      state: 'RUNNING',
      totals: { events: 1234, errors: 5 },
      windows: null,
      errors: null,
    });
    const seqs = page.ticks.map((t) => t.seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    const span = (page.ticks[20]?.serverTime ?? 0) - (page.ticks[0]?.serverTime ?? 0);
    expect(span).toBeGreaterThanOrEqual(20 * 98);
  });

  it('loses no tick to the events that are sent at the same time', async () => {
    const { url, handle } = await serve();
    const page = new Page(url);
    await until(() => page.ticks.length > 0);
    const noise = setInterval(() => handle.become(handle.state === 'RUNNING' ? 'FAILING' : 'RUNNING'), 7);
    const [from, at] = [page.ticks.length, Date.now()];
    await until(() => page.ticks.length >= from + 20);
    clearInterval(noise);
    const seqs = page.ticks.slice(from).map((t) => t.seq);
    expect(seqs.every((seq, i) => i === 0 || seq === (seqs[i - 1] ?? 0) + 1)).toBe(true);
    expect(Date.now() - at).toBeLessThan(3500);
    await until(() => page.events.length > 100);
    expect(page.events.map((e) => e.seq)).toEqual(page.events.map((_, i) => (page.events[0]?.seq ?? 0) + i));
  });

  it('numbers events, and gives a page that comes back those behind the last it holds', async () => {
    const { url, handle } = await serve();
    const page = new Page(url);
    await until(() => page.snapshots.length > 0);
    handle.become('FAILING');
    handle.become('RUNNING');
    await until(() => page.events.length === 2);
    expect(page.events).toMatchObject([
      { seq: 1, kind: 'job-state', state: 'FAILING', text: 'Job iot is FAILING.' },
      { seq: 2, kind: 'job-state', state: 'RUNNING' },
    ]);
    page.socket.disconnect();
    handle.become('FINISHED');
    const back = new Page(url, { epoch: page.snapshot.epoch, eventSeq: 2 });
    const stranger = new Page(url, { epoch: 'another process', eventSeq: 2 });
    await until(() => back.snapshots.length > 0 && stranger.snapshots.length > 0);
    expect(back.snapshot.events.map((e) => e.seq)).toEqual([3]);
    expect(stranger.snapshot.events.map((e) => e.seq)).toEqual([1, 2, 3]);
    expect(stranger.snapshot.epoch).toBe(page.snapshot.epoch);
  });

  it('gives a page whose connection stood still a new snapshot instead of everything it missed', async () => {
    const { url, handle } = await serve();
    const page = new Page(url);
    await until(() => page.snapshots.length > 0);
    const wire: unknown = Reflect.get(page.socket.io.engine.transport, 'ws')._socket;
    if (!(wire instanceof NetSocket)) throw new Error('The transport has no socket that could be paused.');
    wire.pause();
    handle.failure = new Error('x'.repeat(3000));
    const made = 8000;
    for (let i = 0; i < made; i++) {
      handle.become(handle.state === 'RUNNING' ? 'FAILING' : 'RUNNING');
      if (i % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
    }
    wire.resume();
    await until(() => page.snapshots.length === 2);
    const told = [...page.events.map((e) => e.seq), ...page.snapshot.events.map((e) => e.seq)];
    expect(page.snapshot.events).toHaveLength(LIMITS.events);
    expect(told.at(-1)).toBe(made);
    expect(told.length).toBeLessThan(made);
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
    handle.failure = null;
    handle.become('FINISHED');
    await until(() => page.events.at(-1)?.seq === made + 1);
  });

  it('does a command once however often its id comes, and gives the first answer', async () => {
    const { url, handle } = await serve();
    const [one, two] = [new Page(url), new Page(url)];
    await until(() => one.snapshots.length > 0 && two.snapshots.length > 0);
    const answers = [
      await one.command(inject, 'same'),
      await one.command(inject, 'same'),
      await two.command(inject, 'same'),
    ];
    expect(answers[0]).toMatchObject({ ok: true, injection: { id: 1, running: true } });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(handle.controls).toHaveLength(1);
    await until(() => two.events.length > 0);
    expect(two.events).toMatchObject([{ kind: 'injection-started', injection: 1 }]);
  });

  it('shows both of two pages that stop at once one event and success', async () => {
    const { url, injections } = await serve();
    const [one, two] = [new Page(url), new Page(url)];
    await until(() => one.snapshots.length > 0 && two.snapshots.length > 0);
    await one.command(inject);
    injections.progress(1, 42, false);
    await until(() => two.ticks.some((t) => t.injections?.[0]?.affected === 42));
    const answers = await Promise.all([
      one.command({ type: 'stop-injection', id: 1 }),
      two.command({ type: 'stop-injection', id: 1 }),
    ]);
    expect(answers).toEqual([{ ok: true }, { ok: true }]);
    await until(() => one.events.length === 2 && two.events.length === 2);
    expect(one.events.map((e) => e.kind)).toEqual(['injection-started', 'injection-stopped']);
    expect(two.events).toEqual(one.events);
    await until(() => two.ticks.some((t) => t.injections?.[0]?.running === false));
    expect(await one.command({ type: 'stop-all-injections' })).toEqual({ ok: true });
    expect(await one.command({ type: 'stop-injection', id: 99 })).toMatchObject({
      ok: false,
      error: 'There is no injection 99.',
    });
  });

  it('tells with the end of an injection all that it did, whatever the last tick knew', async () => {
    const { url, injections } = await serve();
    const page = new Page(url);
    await until(() => page.snapshots.length > 0);
    await page.command(inject);
    injections.progress(1, 42, false);
    await until(() => page.ticks.some((t) => t.injections?.[0]?.affected === 42));
    await page.command({ type: 'stop-injection', id: 1 });
    injections.progress(1, 46, true);
    await until(() => page.events.length === 2);
    expect(page.events).toMatchObject([
      { kind: 'injection-started', injection: 1, ended: null },
      { kind: 'injection-stopped', injection: 1, ended: { id: 1, running: false, affected: 46 } },
    ]);
  });

  it('changes the simulator and tells everybody', async () => {
    const { url } = await serve();
    const page = new Page(url);
    await until(() => page.snapshots.length > 0);
    expect(await page.command({ type: 'change-simulator', settings: { rate: 500, malformed: 0.01 } })).toEqual({
      ok: true,
    });
    await until(() => page.events.length === 1);
    expect(page.events[0]).toMatchObject({
      kind: 'settings-changed',
      text: 'Simulator changed: rate 500 events/s, malformed 1 %.',
    });
    const later = new Page(url);
    await until(() => later.snapshots.length > 0);
    expect(later.snapshot.job?.simulator).toMatchObject({ rate: 500, malformed: 0.01 });
  });

  it('answers what makes no sense with a sentence and lives on', async () => {
    const { url, handle } = await serve();
    const page = new Page(url);
    await until(() => page.snapshots.length > 0);
    const raw = (...args: unknown[]): Promise<unknown> =>
      page.socket.timeout(1000).emitWithAck('command', ...(args as [Command]));
    expect(await raw(null)).toMatchObject({ ok: false, error: expect.stringContaining('commandId') });
    expect(await raw({ commandId: 'a', type: 'explode' })).toMatchObject({
      ok: false,
      error: expect.stringContaining('type'),
    });
    expect(
      await raw({ commandId: 'b', type: 'inject', spec: { kind: 'burst', strength: 1e9, durationMs: 1 } }),
    ).toMatchObject({
      ok: false,
      error: 'Traffic burst: strength 1000000000 must be a whole number from 2 to 100 (× rate).',
    });
    expect(await raw({ commandId: 'c', type: 'change-simulator', settings: {} })).toMatchObject({ ok: false });
    page.socket.emit('view', JSON.parse('{"page":"windows","devices":7}'));
    page.socket.emit('seen', JSON.parse('"x"'));
    handle.become('FINISHED');
    expect(await page.command(inject)).toMatchObject({
      ok: false,
      error: 'The job is FINISHED: nothing can be injected or changed.',
    });
    expect(handle.controls).toEqual([]);
  });

  it('halves the rate of a page that does not report, and gives it back when it does', async () => {
    const { url } = await serve();
    const silent = new Page(url, {}, false);
    const other = new Page(url);
    await until(() => silent.ticks.at(-1)?.rateHz === 5, 4000);
    expect(other.ticks.at(-1)?.rateHz).toBe(10);
    for (const _ of [1, 2]) {
      const held = silent.ticks.length;
      await until(() => silent.ticks.length > held);
      silent.socket.emit('seen', silent.ticks.at(-1)?.seq ?? 0);
    }
    await until(() => silent.ticks.at(-1)?.rateHz === 10, 2000);
  });

  it('gives the errors page every row once and counts that are exact', async () => {
    const { url, errors } = await serve();
    const page = new Page(url);
    await until(() => page.snapshots.length > 0);
    page.show('errors');
    let made = 0;
    for (let i = 0; i < 8; i++) {
      errors.waiting += 13;
      made += 13;
      await new Promise((resolve) => setTimeout(resolve, 90));
    }
    await until(() => page.ticks.some((t) => t.errors?.counts[0]?.count === made));
    const rows = [...page.snapshot.errors.recent, ...page.ticks.flatMap((t) => t.errors?.recent ?? [])];
    expect(rows.map((r) => r.id)).toEqual(Array.from({ length: made }, (_, i) => i + 1));
  });

  it('gives the windows page what is kept of its devices, then what is new', async () => {
    const { url, windows } = await serve();
    for (let i = 0; i < 5; i++) for (const device of ['a', 'b']) windows.add(device, i * 5000);
    const page = new Page(url);
    await until(() => page.snapshots.length > 0);
    expect(page.snapshot.windows).toMatchObject({ devicesSeen: 2, devices: ['a', 'b'] });
    expect(page.snapshot.windows.results).toHaveLength(10);
    page.show('windows', ['a']);
    const results = (): number[] => page.ticks.flatMap((t) => t.windows?.results ?? []).map((r) => r.id);
    await until(() => results().length === 5);
    expect(windows.pinned).toEqual(['a']);
    windows.add('a', 25_000);
    windows.add('b', 25_000);
    await until(() => results().length === 6);
    expect(results()).toEqual([1, 3, 5, 7, 9, 11]);
    expect(page.ticks.findLast((t) => t.windows)?.windows).toMatchObject({
      devices: ['a'],
      open: [{ device: 'a', values: [2] }],
    });
  });

  it('asks the job for nothing while nobody is connected, and only for what is on screen while somebody is', async () => {
    const { url, windows, errors, handle } = await serve();
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect([windows.pulls, errors.pulls.length, handle.inspected.length]).toEqual([0, 0, 0]);
    const page = new Page(url);
    page.show('overview');
    await until(() => page.ticks.length > 0);
    const [w, e] = [windows.pulls, errors.pulls.length];
    await until(() => page.ticks.length >= 26);
    expect(windows.pulls).toBe(w);
    expect(errors.pulls.length - e).toBeGreaterThanOrEqual(2);
    expect(errors.pulls.length - e).toBeLessThanOrEqual(4);
    expect(errors.pulls.slice(e).includes(true)).toBe(false);
  });

  it('fills the history while nobody looks, one value a second', async () => {
    const { url, handle } = await serve();
    const work = setInterval(() => handle.read(10), 10);
    await new Promise((resolve) => setTimeout(resolve, 3300));
    const page = new Page(url);
    await until(() => page.ticks.filter((t) => t.second).length >= 2);
    clearInterval(work);
    const { from, eventsPerSecond } = page.snapshot.history;
    expect(eventsPerSecond.length).toBeGreaterThanOrEqual(2);
    for (const value of eventsPerSecond) expect(value).toBeGreaterThan(300);
    const next = page.ticks.flatMap((t) => (t.second ? [t.second.at] : []));
    expect(next[0]).toBe(from + eventsPerSecond.length * 1000);
    expect(next[1]).toBe((next[0] ?? 0) + 1000);
  });

  it('shows that there is no job', async () => {
    const { url } = await serve({ noJob: true });
    const page = new Page(url);
    await until(() => page.ticks.length > 1);
    expect(page.snapshot).toMatchObject({ job: null, totals: null });
    expect(page.ticks[0]).toMatchObject({ state: null, totals: null });
    expect(await page.command(inject)).toMatchObject({ ok: false, error: expect.stringContaining('No job runs') });
  });

  it('refuses pages of other sites', async () => {
    const { url } = await serve();
    const evil = new Page(url, {}, true, { origin: 'http://evil.example' });
    const own = new Page(url, {}, true, { origin: url.slice(0, -1) });
    await until(() => evil.refused !== null && own.snapshots.length > 0);
    expect(evil.snapshots).toEqual([]);
  });

  it('lets nobody change anything without the token, and nobody read where reading needs it', async () => {
    const { url } = await serve({ token: 'secret' });
    const [reader, wrong, owner] = [
      new Page(url),
      new Page(url, { token: 'guess' }),
      new Page(url, { token: 'secret' }),
    ];
    await until(() => [reader, wrong, owner].every((p) => p.snapshots.length > 0));
    for (const page of [reader, wrong]) {
      expect(await page.command(inject)).toMatchObject({ ok: false, error: expect.stringContaining('token') });
    }
    expect(await owner.command(inject)).toMatchObject({ ok: true });

    const closed = await serve({ token: 'secret', tokenRead: true });
    const [out, inside] = [new Page(closed.url), new Page(closed.url, { token: 'secret' })];
    await until(() => out.refused !== null && inside.snapshots.length > 0);
    expect(out.refused).toContain('token');
  });
});

describe('http', () => {
  it('says whether it lives and whether the job is ready', async () => {
    const { url, handle } = await serve();
    expect(await (await fetch(`${url}healthz`)).json()).toEqual({ status: 'ok' });
    expect((await fetch(`${url}readyz`)).status).toBe(200);
    handle.state = 'FAILED';
    const failed = await fetch(`${url}readyz`);
    expect([failed.status, await failed.json()]).toEqual([503, { status: 'not ready', job: 'FAILED' }]);
  });

  it('answers GET only, with headers that keep foreign scripts out', async () => {
    const { url } = await serve();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      expect((await fetch(`${url}healthz`, { method })).status).toBe(405);
    }
    const unknown = await fetch(`${url}nothing/here`);
    expect([unknown.status, await unknown.json()]).toEqual([404, { error: 'There is no /nothing/here here.' }]);
    expect(unknown.headers.get('content-security-policy')).toContain("script-src 'self';");
    expect(unknown.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await fetch(`${url}healthz`, { headers: { origin: 'http://evil.example' } })).status).toBe(403);
  });
});
