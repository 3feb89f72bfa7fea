import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import type { Ticker } from './fixtures/node.js';
import { RealNode } from './fixtures/real-node.js';
import { command, RedisBench } from './ports/redis-bench.js';

describe('real processes over a real Redis', () => {
  let redis: TestRedis;
  let bench: RedisBench;
  let nodes: RealNode[];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    bench = new RedisBench(redis);
    nodes = [];
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
    await bench.close();
  });

  const start = async (leaseMs: number, ...names: string[]): Promise<RealNode[]> => {
    const { prefix } = bench;
    const started = await Promise.all(names.map((name) => RealNode.start({ name, url: redis.url, prefix, leaseMs })));
    nodes.push(...started);
    return started;
  };
  const one = (name: string, among: readonly RealNode[]): Promise<Ticker> =>
    eventually(
      async () => {
        const all = (await Promise.all(among.map((node) => node.tickers()))).flat();
        const [ticker, ...others] = all.filter((candidate) => candidate.name === name && candidate.stopped === null);
        if (!ticker || others.length > 0) throw new Error(JSON.stringify(all));
        return ticker;
      },
      { what: `${name} to run once` },
    );

  it('kill -9: everything runs on elsewhere, from the last state that was kept, while the leases of the dead still stand', async () => {
    // So long a lease that nothing here could wait for its end.
    const [a, b, c] = (await start(600_000, 'a', 'b', 'c')) as [RealNode, RealNode, RealNode];
    const names = Array.from({ length: 20 }, (_, i) => `p:${i}`);
    await a.ensure(names);
    // Its pulse must have stood for a while to be missed by those who joined just now.
    const before = await eventually(async () => {
      const tickers = await a.tickers();
      return tickers.length === 20 && tickers.every((ticker) => ticker.accepted > 20) ? tickers : undefined;
    });
    await a.kill();
    for (const { name, fence, accepted } of before) {
      const after = await one(name, [b, c]);
      expect(after).toMatchObject({ origin: 'takeover' });
      expect(after.fence).toBeGreaterThan(fence);
      expect(after.saved?.n).toBeGreaterThanOrEqual(accepted);
      expect(after.saved?.fence).toBe(fence);
    }
    expect(await b.call('p:0')).toMatchObject({ node: expect.stringMatching(/^[bc]~/) });
  });

  it('SIGSTOP for longer than the lease: taken over, and nothing of it is accepted when it wakes up', async () => {
    const [a, b] = (await start(900, 'a', 'b')) as [RealNode, RealNode];
    await a.ensure(['x']);
    for (let round = 0; round < 3; round++) {
      const hung = await one('x', [a, b]);
      const [owner, other] = hung.node === a.id ? [a, b] : [b, a];
      await eventually(async () => (await owner.tickers()).at(-1)?.accepted, { what: 'a save' });
      owner.process.freeze();
      const next = await one('x', [other]);
      owner.process.thaw();
      const silent = await eventually(
        async () => {
          const ticker = (await owner.tickers()).find((candidate) => candidate.fence === hung.fence);
          return ticker?.stopped ? ticker : undefined;
        },
        { what: 'the old owner to step down' },
      );
      expect(silent.stopped).toBe('lease-lost');
      // What its successor began with is the last of its saves that was ever taken.
      expect(next.saved).toEqual({ n: silent.accepted, fence: silent.fence });
      expect((await one('x', [a, b])).fence).toBe(next.fence);
      await eventually(async () => (await owner.events()).filter((name) => name === 'rejoined').length > round / 2);
    }
  });

  it('SIGTERM’s way: handed over without a moment in which the name is free', async () => {
    const [a, b] = (await start(600_000, 'a', 'b')) as [RealNode, RealNode];
    await a.ensure(['x', 'y']);
    const before = await one('x', [a]);
    const observer = await bench.connect('observer~1');
    let free = 0;
    let looking = true;
    const looks = (async () => {
      while (looking) if ((await observer.leases.holders(['x', 'y'])).includes(null)) free += 1;
    })();
    await a.close();
    looking = false;
    await looks;
    expect(free).toBe(0);
    const after = await one('x', [b]);
    expect(after).toMatchObject({ origin: 'handover', saved: { fence: before.fence } });
  });

  it('CLIENT KILL of all pub/sub connections: nobody is taken for dead', async () => {
    const [a, b] = (await start(3_000, 'a', 'b')) as [RealNode, RealNode];
    await a.ensure(['x']);
    const { fence } = await one('x', [a]);
    const probe = await bench.connect('probe~1');
    for (let i = 0; i < 5; i++) {
      await command(redis, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      await eventually(async () => (await probe.bus.pulses([a.id, b.id])).join() === '1,1', { what: 'both pulses' });
    }
    expect(await b.call('x')).toMatchObject({ node: a.id, fence });
    expect((await one('x', [a, b])).fence).toBe(fence);
  });
});
