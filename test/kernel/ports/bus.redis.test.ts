import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RedisPorts } from '../../../src/kernel/redis/cluster.js';
import { eventually } from '../../support/eventually.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { busSuite } from './bus.suite.js';
import { command, RedisBench } from './redis-bench.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

/** CLIENT KILL of the connections of one kind and node. */
async function kill(kind: 'subscriber' | 'pulse', node: string): Promise<void> {
  await command(redis, async (client) => {
    const list = String(await client.client('LIST')).split('\n');
    for (const line of list.filter((candidate) => candidate.includes(`name=${kind}:${node} `))) {
      await client.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] ?? '0');
    }
  });
}

busSuite('Redis', async () => {
  const bench = new RedisBench(redis);
  return {
    port: async (node) => (await bench.connect(node)).bus,
    disconnect: async (node) => bench.opened.find((ports) => ports.node === node)?.close(),
    interrupt: (node) => kill('subscriber', node),
    close: () => bench.close(),
  };
});

describe('the bus when connections to Redis break', () => {
  let bench: RedisBench;
  let a: RedisPorts;
  let b: RedisPorts;

  beforeEach(async () => {
    bench = new RedisBench(redis);
    a = await bench.connect('a~1');
    b = await bench.connect('b~1');
  });
  afterEach(async () => {
    redis.thaw();
    await redis.up();
    await bench.close();
  });

  it('loses nothing that is said after the link is back: said at the very moment, 20 times', async () => {
    const heard: string[] = [];
    for (const channel of ['c1', 'c2', 'c3']) await a.bus.subscribe(channel, (message) => heard.push(message));
    for (let round = 0; round < 20; round++) {
      heard.length = 0;
      const back = new Promise<void>((resolve) => {
        const stop = a.bus.onLink((up) => {
          if (!up) return;
          stop();
          resolve();
        });
      });
      await kill('subscriber', 'a~1');
      await back;
      for (const channel of ['c1', 'c2', 'c3']) await b.bus.publish(channel, `${channel}:${round}`);
      await eventually(() => heard.length === 3, { what: `the messages of round ${round}` });
    }
    expect(heard).toHaveLength(3);
  });

  it('counts a pulse again soon after CLIENT KILL TYPE pubsub, as one that has just begun', async () => {
    await a.bus.holdPulse('a~1');
    await b.bus.holdPulse('b~1');
    await eventually(() => a.bus.pulseAgeMs() > 40, { what: 'a pulse that has stood for a while' });
    const began = performance.now();
    await command(redis, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    await eventually(async () => String(await b.bus.pulses(['a~1', 'b~1'])) === '1,1', { what: 'both pulses' });
    await eventually(() => a.bus.pulseAgeMs() > 0 && b.bus.up, { what: 'the pulse to know that it stands' });
    expect(a.bus.pulseAgeMs()).toBeLessThanOrEqual(performance.now() - began);
  });

  it('has no pulse and no link while Redis is away, and both afterwards, with all its channels', async () => {
    const heard: string[] = [];
    await a.bus.subscribe('c', (message) => heard.push(message));
    await a.bus.holdPulse('a~1');
    await redis.down();
    await eventually(() => !a.bus.up && a.bus.pulseAgeMs() === 0, { what: 'the loss to be seen' });
    await expect(a.bus.publish('c', 'lost')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(a.bus.pulses(['a~1'])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(a.bus.subscribe('new', () => undefined)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await redis.up();
    await eventually(() => a.bus.up && b.bus.up && a.bus.pulseAgeMs() > 0, { what: 'the recovery' });
    await eventually(() => b.bus.publish('c', 'found').then(() => true), { what: 'a publication' });
    await eventually(() => heard.length > 0, { what: 'the message' });
    expect(heard).toEqual(['found']);
  });

  it('rejects when Redis is frozen, and no unhandled rejection is left when it breaks while it recovers', async () => {
    await a.bus.subscribe('c', () => undefined);
    redis.freeze();
    await expect(a.bus.publish('c', 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    redis.thaw();
    for (let i = 0; i < 5; i++) {
      await redis.down();
      await redis.up();
      await eventually(() => a.client.status === 'ready', { what: 'a new connection' });
    }
    await eventually(() => a.bus.up, { what: 'the link' });
    expect(await a.bus.pulses(['a~1'])).toEqual([0]);
  });

  it('is closed within its time although Redis is frozen', async () => {
    await a.bus.holdPulse('a~1');
    redis.freeze();
    await a.close();
    expect(a.bus.pulseAgeMs()).toBe(0);
  });
});
