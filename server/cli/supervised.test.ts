import { describe, expect, it } from 'vitest';
import { NO_UPGRADE } from '#shared/upgrade.ts';
import type { ServeFlags } from './serve-iot.ts';
import { ORDERS, type Orders, ordersOf, underOrders } from './supervised.ts';

const flags: ServeFlags = { host: '127.0.0.1', port: 0, job: 'iot', supervise: true };
const first: Orders = {
  port: null,
  checkpointDir: null,
  resume: null,
  jobEnded: false,
  upgrade: NO_UPGRADE,
  fault: null,
};

describe('a server under orders', () => {
  it('begins as the user has said, in the directory of its supervisor', () => {
    expect(underOrders(flags, first)).toEqual(flags);
    expect(underOrders(flags, { ...first, checkpointDir: '/kept' }).checkpointDir).toBe('/kept');
  });
  it('goes on from the latest checkpoint, at the address that pages know, and overwrites and claims nothing a second time', () => {
    const given: ServeFlags = { ...flags, resume: '/savepoint', claim: true, allowNonRestoredState: true };
    expect(underOrders(given, { ...first, port: 4711, resume: 'latest' })).toEqual({
      ...flags,
      port: 4711,
      resume: 'latest',
    });
    expect(underOrders({ ...flags, overwrite: true }, { ...first, resume: '/savepoint' })).toEqual({
      ...flags,
      resume: '/savepoint',
    });
    expect(underOrders(given, first)).toEqual(given);
  });
  it('starts no job that had ended', () => {
    expect(underOrders(flags, { ...first, jobEnded: true }).job).toBe(false);
  });
  it('knows them by its environment', () => {
    expect(ordersOf({})).toBe(null);
    expect(ordersOf({ [ORDERS]: JSON.stringify(first) })).toEqual(first);
  });
});
