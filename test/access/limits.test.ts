import { describe, expect, it } from '@jest/globals';
import { Limits, type Visitor } from '../../src/access/limits.js';
import { MAX_EVENT_BYTES, payloadSize } from '../../src/access/payload-size.js';
import { DEFAULT_LIMITS, type LimitSettings } from '../../src/access/settings.js';

const NONE = { connections: 0, channels: 0, eventsPerSecond: 0, bytesPerSecond: 0 };
const FREE: LimitSettings = { socket: NONE, user: NONE, address: NONE, exemptLoopback: true };

let count = 0;
function visitor(changes: Partial<Visitor> = {}): Visitor {
  count += 1;
  return { socket: `socket-${count}`, user: `user-${count}`, address: '198.51.100.4', ...changes };
}

/** How many of `most` attempts went well before the first error, and that. */
async function until(most: number, attempt: () => unknown): Promise<{ done: number; error: unknown }> {
  for (let done = 0; done < most; done += 1) {
    try {
      await attempt();
    } catch (error) {
      return { done, error };
    }
  }
  return { done: most, error: undefined };
}

describe('connections', () => {
  it('of one user are limited, and one that is closed makes room', async () => {
    const limits = new Limits({ ...FREE, user: { ...NONE, connections: 3 } });
    const first = limits.open(visitor({ user: 'ada' }));
    const { done, error } = await until(10, () => limits.open(visitor({ user: 'ada' })));
    expect(done).toBe(2);
    expect(error).toMatchObject({
      code: 'RATE_LIMITED',
      details: { retryAfterMs: expect.any(Number), limit: 3, per: 'user' },
    });
    limits.open(visitor({ user: 'bob' }));
    first.close();
    first.close();
    expect((await until(10, () => limits.open(visitor({ user: 'ada' })))).done).toBe(1);
  });

  it('of one address are limited, all of an IPv6 network being one', async () => {
    const limits = new Limits({ ...FREE, address: { ...NONE, connections: 2 } });
    let host = 0;
    const { done, error } = await until(10, () => limits.open(visitor({ address: `2001:db8::${(host += 1)}` })));
    expect(done).toBe(2);
    expect(error).toMatchObject({ code: 'RATE_LIMITED', details: { per: 'address' } });
  });

  it('that are refused use up nothing', async () => {
    const limits = new Limits({ ...FREE, user: { ...NONE, connections: 5 }, address: { ...NONE, connections: 1 } });
    limits.open(visitor({ user: 'bob' }));
    expect((await until(20, () => limits.open(visitor({ user: 'ada' })))).done).toBe(0);
    expect(
      (await until(20, () => limits.open(visitor({ user: 'ada', address: `10.0.0.${(count += 1) % 250}` })))).done,
    ).toBe(5);
  });

  it('from this machine are not counted by address unless that is wanted', async () => {
    const few = { ...FREE, address: { ...NONE, connections: 2 } };
    const local = (): Visitor => visitor({ address: '127.0.0.1' });
    const exempt = new Limits(few);
    const strict = new Limits({ ...few, exemptLoopback: false });
    expect((await until(50, () => exempt.open(local()))).done).toBe(50);
    expect((await until(50, () => strict.open(local()))).done).toBe(2);
  });

  it('of ten thousand viewers from this machine are let in by default', async () => {
    const limits = new Limits(DEFAULT_LIMITS);
    expect((await until(10_000, () => limits.open(visitor({ address: '::1' })))).error).toBeUndefined();
  });
});

describe('channels', () => {
  it('of one connection are limited, and one that is left makes room', async () => {
    const session = new Limits({ ...FREE, socket: { ...NONE, channels: 3 } }).open(visitor());
    const { done, error } = await until(10, () => session.openChannel());
    expect(done).toBe(3);
    expect(error).toMatchObject({
      code: 'TOO_MANY_CHANNELS',
      message: 'This connection already watches 3 channels, the most it may: unsubscribe from some.',
      details: { limit: 3, per: 'socket' },
    });
    session.closeChannel();
    expect((await until(10, () => session.openChannel())).done).toBe(1);
  });

  it('of one user are counted over his connections, and given back when one closes', async () => {
    const limits = new Limits({ ...FREE, user: { ...NONE, channels: 4 } });
    const one = limits.open(visitor({ user: 'ada' }));
    const two = limits.open(visitor({ user: 'ada' }));
    expect((await until(3, () => one.openChannel())).done).toBe(3);
    expect((await until(10, () => two.openChannel())).done).toBe(1);
    one.close();
    one.openChannel();
    expect((await until(10, () => two.openChannel())).done).toBe(3);
  });

  it('that are closed more often than opened give no room', async () => {
    const session = new Limits({ ...FREE, socket: { ...NONE, channels: 2 } }).open(visitor());
    session.closeChannel();
    session.closeChannel();
    expect((await until(10, () => session.openChannel())).done).toBe(2);
  });
});

describe('events', () => {
  it('of one connection may come in a burst, then the rate holds, and other connections go on', async () => {
    const limits = new Limits({ ...FREE, socket: { ...NONE, eventsPerSecond: 5 } });
    const session = limits.open(visitor());
    const { done, error } = await until(200, () => session.admitEvent(10));
    expect(done).toBe(50);
    expect(error).toMatchObject({ code: 'RATE_LIMITED', details: { limit: 5, per: 'socket' } });
    const { retryAfterMs } = (error as { details: { retryAfterMs: number } }).details;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(10_000);
    await expect(limits.open(visitor()).admitEvent(10)).resolves.toBeUndefined();
  });

  it('of one user, and of one address, are counted over all connections', async () => {
    const byUser = new Limits({ ...FREE, user: { ...NONE, eventsPerSecond: 2 } });
    const sessions = [visitor({ user: 'ada' }), visitor({ user: 'ada' })].map((who) => byUser.open(who));
    let turn = 0;
    const shared = await until(200, () => sessions[(turn += 1) % 2]?.admitEvent(1));
    expect(shared).toMatchObject({ done: 20, error: { details: { per: 'user' } } });
    const byAddress = new Limits({ ...FREE, address: { ...NONE, eventsPerSecond: 2 } });
    const neighbours = await until(200, () => byAddress.open(visitor()).admitEvent(1));
    expect(neighbours).toMatchObject({ done: 20, error: { details: { per: 'address' } } });
  });

  it('are limited by their bytes too', async () => {
    const session = new Limits({ ...FREE, socket: { ...NONE, bytesPerSecond: 1000 } }).open(visitor());
    const { done, error } = await until(200, () => session.admitEvent(2_500));
    expect(done).toBe(4);
    expect(error).toMatchObject({ code: 'RATE_LIMITED', message: expect.stringContaining('1000 bytes per second') });
  });

  it('without limits are never refused', async () => {
    const session = new Limits(FREE).open(visitor());
    expect((await until(5_000, () => session.admitEvent(1e6))).error).toBeUndefined();
  });

  it('of a page that opens two thousand channels at once are let in by default', async () => {
    const session = new Limits(DEFAULT_LIMITS).open(visitor());
    const opening = async (): Promise<void> => {
      await session.admitEvent(200);
      session.openChannel();
    };
    expect((await until(2_000, opening)).error).toBeUndefined();
    expect((await until(1, opening)).error).toMatchObject({ code: 'TOO_MANY_CHANNELS' });
  });
});

describe('the size of a message', () => {
  it.each<[unknown]>([
    [['subscribe', { topic: 'sales.by_region', params: { region: 'EU', minutes: 15 }, delta: true }]],
    [{ rows: Array.from({ length: 500 }, (_, id) => ({ id, name: `row ${id}`, none: null })) }],
    ['é'.repeat(1000)],
    [[]],
  ])('is about that of its JSON: %#', (message) => {
    const real = Buffer.byteLength(JSON.stringify(message));
    expect(payloadSize(message)).toBeGreaterThan(real * 0.7 - 4);
    expect(payloadSize(message)).toBeLessThan(real * 1.5 + 8);
  });

  it('counts binary data, and not further than asked', () => {
    expect(payloadSize([Buffer.alloc(1000)])).toBeGreaterThanOrEqual(1000);
    expect(payloadSize(Array(1_000_000).fill('x'.repeat(100)), MAX_EVENT_BYTES)).toBeGreaterThan(MAX_EVENT_BYTES);
  });

  it('is found however deep a message is nested', () => {
    let nested: unknown = 1;
    for (let depth = 0; depth < 100_000; depth += 1) nested = [nested];
    expect(payloadSize(nested)).toBeGreaterThan(200_000);
  });
});

describe('calls over HTTP', () => {
  it('are counted with those of the connections, by user and by address', async () => {
    const limits = new Limits({
      ...DEFAULT_LIMITS,
      user: { ...DEFAULT_LIMITS.user, eventsPerSecond: 1 },
      exemptLoopback: false,
    });
    const session = limits.open({ socket: 's', user: 'ann', address: '10.0.0.1' });
    for (let i = 0; i < 5; i++) await session.admitEvent(1);
    for (let i = 0; i < 5; i++) await limits.admitCall({ user: 'ann', address: '10.0.0.2' });
    await expect(limits.admitCall({ user: 'ann', address: '10.0.0.3' })).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      details: { per: 'user' },
    });
    await limits.admitCall({ user: 'bob', address: '10.0.0.1' });
  });
});
