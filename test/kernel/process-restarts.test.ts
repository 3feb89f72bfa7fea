import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PollcastError } from '../../src/errors.js';
import type { ProcessKind } from '../../src/kernel/kind.js';
import { settle } from '../support/virtual-clock.js';
import { gate } from './gate.js';
import { VirtualCluster, type VirtualNode } from './virtual-cluster.js';

const X = { name: 'x', kind: 'counter', args: { step: 1 } };

describe('a process that crashes, fails or ends', () => {
  let cluster: VirtualCluster;
  let node: VirtualNode;

  beforeEach(() => {
    cluster = new VirtualCluster();
  });
  afterEach(() => cluster.close());

  const run = async (kind: ProcessKind = cluster.counter()): Promise<void> => {
    node = await cluster.node('a', [kind]);
    await cluster.within(node.kernel.ensure(X));
    await settle();
  };
  const record = () => node.ports.store.process('x');
  const seen = (name: string) => node.events.filter((event) => event.name === name).map(({ event }) => event);

  it('is restarted after a crash under a higher fence, with its backup and the messages that wait', async () => {
    await run(
      cluster.counter('counter', {
        running: (self) => ({
          handle: async (message) => {
            self.messages.push(message);
            if (message === 'crash') {
              await self.context.save({ count: 7 });
              throw new Error('a bug');
            }
            return self.fence;
          },
        }),
      }),
    );
    const first = cluster.only('x');
    const crash = node.kernel.call('x', 'crash');
    const next = node.kernel.call('x', 'next');
    await expect(cluster.within(crash)).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { crashed: true } });
    const second = await cluster.within(next);
    expect(second).toBeGreaterThan(first.fence);
    expect(first.stopped).toBe('crash');
    expect(cluster.only('x')).toMatchObject({
      origin: 'restart',
      saved: { count: 7 },
      fence: second,
      messages: ['next'],
    });
    expect(await record()).toMatchObject({ restarts: 1, error: 'a bug', state: 'running', fence: second });
    await expect(first.context.save({ count: 8 })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(cluster.running('x')).toHaveLength(1);
    expect(await node.ports.store.load('x')).toBe('{"count":7}');
  });

  it('frees a crashed incarnation before the next one starts', async () => {
    const freed = gate();
    let started = 0;
    await run(
      cluster.counter('counter', {
        running: () => ({
          handle: () => {
            throw new Error('a bug');
          },
          stop: () => (++started === 1 ? freed.promise : undefined),
        }),
      }),
    );
    await cluster.within(node.kernel.call('x', 1).catch(() => undefined));
    await cluster.time.advance(1_000);
    expect(cluster.incarnations).toHaveLength(1);
    freed.open();
    await cluster.time.until(() => cluster.incarnations.length === 2, 'the next incarnation');
  });

  it('is not held up by a message that its crashed incarnation never finishes', async () => {
    const died = gate();
    let incarnation = 0;
    await run(
      cluster.counter('counter', {
        running: () => {
          incarnation += 1;
          const first = incarnation === 1;
          return {
            handle: () => (first ? new Promise(() => undefined) : 'answered'),
            done: first ? died.promise : undefined,
          };
        },
      }),
    );
    const stuck = node.kernel.call('x', 'stuck', { timeoutMs: 30_000 });
    await settle();
    died.fail(new Error('its connection broke'));
    await expect(cluster.within(stuck, 1_000)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { crashed: true },
    });
    expect(await cluster.within(node.kernel.call('x', 'next'))).toBe('answered');
  });

  it('fails after too many crashes, says so at once to callers, and is tried again later', async () => {
    let broken = true;
    await run(
      cluster.counter('counter', {
        start: (_args, context) => {
          if (broken) throw new Error('still broken');
          cluster.born(context);
          return { handle: () => 'mended' };
        },
      }),
    );
    await cluster.time.until(async () => (await record())?.state === 'failed', 'the failure');
    expect(await record()).toMatchObject({ restarts: 6, error: 'still broken', node: node.id });
    expect(seen('process:crashed')).toHaveLength(6);
    expect(seen('process:crashed').at(-1)).toMatchObject({ failed: true });
    await expect(cluster.within(node.kernel.call('x', 1), 1_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    broken = false;
    await cluster.time.advance(40_000);
    expect(await record()).toMatchObject({ state: 'running' });
    expect(await cluster.within(node.kernel.call('x', 1))).toBe('mended');
  });

  it('waits for the end of an outage, however long, slower each time and never failed', async () => {
    let outage = true;
    let attempts = 0;
    await run(
      cluster.counter('counter', {
        start: (_args, context) => {
          attempts += 1;
          if (outage) throw new PollcastError('UNAVAILABLE', 'no database');
          cluster.born(context);
          return {};
        },
      }),
    );
    await cluster.time.advance(60_000);
    expect((await record())?.state).toBe('starting');
    expect(attempts).toBeLessThan(60);
    outage = false;
    await cluster.time.advance(2_500);
    expect(await record()).toMatchObject({ state: 'running' });
  });

  it('that is temporary ends with its crash', async () => {
    const died = gate();
    await run(cluster.counter('counter', { restart: 'temporary', running: () => ({ done: died.promise }) }));
    died.fail(new Error('a bug'));
    await cluster.time.until(async () => (await record()) === null, 'the end of its spec');
    expect(cluster.incarnations).toHaveLength(1);
    expect(node.kernel.owned()).toEqual([]);
    expect(await node.ports.leases.holders(['x'])).toEqual([null]);
  });

  it('that is done ends its spec, and gives its lease back', async () => {
    const done = gate();
    await run(cluster.counter('counter', { running: () => ({ done: done.promise }) }));
    done.open();
    await cluster.time.until(() => cluster.running('x').length === 0, 'the end');
    expect(cluster.incarnations[0]?.stopped).toBe('retired');
    expect(await record()).toBeNull();
    expect(await node.ports.leases.holders(['x'])).toEqual([null]);
  });

  it('that is permanent is started again when it ends', async () => {
    const done = gate();
    await run(
      cluster.counter('counter', {
        restart: 'permanent',
        running: (self) => (self.origin === 'first' ? { done: done.promise } : {}),
      }),
    );
    done.open();
    await cluster.time.until(() => cluster.incarnations.length === 2, 'the restart');
    expect(cluster.only('x').origin).toBe('restart');
  });

  it('may end or fail at the very moment at which it has started', async () => {
    let starts = 0;
    await run(
      cluster.counter('counter', {
        running: () => ({ done: ++starts === 1 ? Promise.reject(new Error('at once')) : Promise.resolve() }),
      }),
    );
    await cluster.time.until(async () => (await record()) === null, 'the end of its spec');
    expect(starts).toBe(2);
    expect(seen('process:crashed')).toHaveLength(1);
  });
});
