import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PollcastError } from '../../src/errors.js';
import { Later, type ProcessKind } from '../../src/kernel/kind.js';
import { settle } from '../support/virtual-clock.js';
import { gate } from './gate.js';
import { LEASE_MS, VirtualCluster, type VirtualNode } from './virtual-cluster.js';

const X = { name: 'x', kind: 'counter', args: { step: 1 } };

describe('a process on its node', () => {
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

  it('starts with its arguments and a fence, and says that it runs', async () => {
    const args: unknown[] = [];
    await run(cluster.counter('counter', { start: (given, context) => (args.push(given), cluster.born(context), {}) }));
    expect(args).toEqual([{ step: 1 }]);
    expect(cluster.only('x')).toMatchObject({ origin: 'first', saved: null, node: node.id });
    expect(await record()).toMatchObject({ node: node.id, state: 'running', fence: cluster.only('x').fence });
    expect(seen('process:started')).toHaveLength(1);
  });

  it('takes messages one at a time, in their order, and answers each', async () => {
    const log: string[] = [];
    await run(
      cluster.counter('counter', {
        running: () => ({
          handle: async (message) => {
            log.push(`+${String(message)}`);
            await settle(1);
            log.push(`-${String(message)}`);
            return `re ${String(message)}`;
          },
        }),
      }),
    );
    const answers = Promise.all(['1', '2', '3'].map((message) => node.kernel.call('x', message)));
    expect(await cluster.within(answers)).toEqual(['re 1', 're 2', 're 3']);
    expect(log).toEqual(['+1', '-1', '+2', '-2', '+3', '-3']);
  });

  it('goes on with its next message while an answer is given later', async () => {
    const later = gate<string>();
    await run(
      cluster.counter('counter', {
        running: () => ({ handle: (message) => (message === 'slow' ? new Later(later.promise) : 'quick') }),
      }),
    );
    const slow = node.kernel.call('x', 'slow');
    expect(await cluster.within(node.kernel.call('x', 'next'))).toBe('quick');
    later.open('at last');
    expect(await cluster.within(slow)).toBe('at last');
  });

  it('gives a coded error to the caller as the answer, and goes on', async () => {
    await run(
      cluster.counter('counter', {
        running: () => ({
          handle: () => {
            throw new PollcastError('INVALID_PARAMS', 'step must be a number', ['step']);
          },
        }),
      }),
    );
    await expect(cluster.within(node.kernel.call('x', 1))).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
      details: ['step'],
    });
    expect(cluster.running('x')).toHaveLength(1);
    expect(seen('process:crashed')).toEqual([]);
  });

  it('refuses messages when its kind takes none', async () => {
    await run({ kind: 'counter', start: (_args, context) => (cluster.born(context), {}) });
    await expect(cluster.within(node.kernel.call('x', 1))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('is stopped while it is starting: what it becomes is freed, and never runs', async () => {
    const starting = gate();
    let signal: AbortSignal | undefined;
    const reasons: string[] = [];
    await run(
      cluster.counter('counter', {
        start: async (_args, context) => {
          signal = context.signal;
          await starting.promise;
          return {
            stop: (reason) => void reasons.push(reason),
            done: Promise.reject(new Error('stopped in its tracks')),
          };
        },
      }),
    );
    const stopped = node.kernel.stop('x');
    await settle();
    expect(signal?.reason).toBe('retired');
    starting.open();
    await cluster.within(stopped);
    expect(reasons).toEqual(['retired']);
    expect(seen('process:started')).toEqual([]);
    expect(node.kernel.owned()).toEqual([]);
  });

  it('finishes the message under way when it is stopped, and takes none of those that wait', async () => {
    const first = gate();
    await run(
      cluster.counter('counter', {
        running: (self) => ({
          handle: async (message) => {
            self.messages.push(message);
            await first.promise;
            return 'done';
          },
        }),
      }),
    );
    const self = cluster.only('x');
    const underWay = node.kernel.call('x', 1);
    const waiting = node.kernel.call('x', 2, { timeoutMs: 500 });
    await settle();
    const stopped = node.kernel.stop('x');
    await settle();
    expect(self.context.signal.aborted).toBe(false);
    first.open();
    expect(await cluster.within(underWay)).toBe('done');
    await cluster.within(stopped);
    await expect(cluster.within(waiting)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(self.messages).toEqual([1]);
  });

  it('interrupts a message that does not end, rather than stopping never', async () => {
    await run(
      cluster.counter('counter', {
        running: (self) => ({
          handle: () => new Promise(() => undefined),
          stop: (reason) => void (self.stopped = reason),
        }),
      }),
    );
    const self = cluster.only('x');
    const stuck = node.kernel.call('x', 1, { timeoutMs: 60_000 });
    await settle();
    await cluster.within(node.kernel.stop('x'), 5_000);
    await expect(cluster.within(stuck, 100)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(self.stopped).toBe('retired');
  });

  it('is told of many changed holds by one call, between two messages', async () => {
    const first = gate();
    let during = -1;
    await run(
      cluster.counter('counter', {
        running: (self) => ({
          handle: async () => {
            await first.promise;
            during = self.holdsChanged;
          },
        }),
      }),
    );
    const self = cluster.only('x');
    const call = node.kernel.call('x', 1);
    await settle();
    for (let i = 0; i < 10; i++) await cluster.within(node.kernel.hold(X, `ref:${i}`));
    await settle();
    first.open();
    await cluster.within(call);
    await settle();
    expect(during).toBe(0);
    expect(self.holdsChanged).toBe(1);
  });

  it('ends itself only when nobody holds it', async () => {
    await run(cluster.counter('counter', { running: (self) => ({ handle: () => self.context.retire() }) }));
    await cluster.within(node.kernel.hold(X, 'viewer'));
    expect(await cluster.within(node.kernel.call('x', 'end'))).toBe(false);
    expect(cluster.running('x')).toHaveLength(1);
    await cluster.within(node.kernel.unhold('x', 'viewer'));
    expect(await cluster.within(node.kernel.call('x', 'end'))).toBe(true);
    await cluster.time.until(() => cluster.running('x').length === 0, 'the end');
    expect(await record()).toBeNull();
  });

  it('runs for a hold that comes while it is just ending: it is started anew, and the hold resolves only then', async () => {
    const freed = gate();
    let ends = 0;
    await run(
      cluster.counter('counter', {
        running: (self) => ({
          handle: () => self.context.retire(),
          stop: async (reason) => {
            if (++ends === 1) await freed.promise;
            self.stopped = reason;
          },
        }),
      }),
    );
    expect(await cluster.within(node.kernel.call('x', 'end'))).toBe(true);
    let held = false;
    const hold = node.kernel.hold(X, 'viewer').then(() => (held = true));
    await cluster.time.advance(200);
    expect(held).toBe(false);
    freed.open();
    await cluster.within(hold);
    await settle();
    expect(cluster.only('x').origin).toBe('first');
    expect(node.kernel.owned()).toHaveLength(1);
  });

  it('stops, and saves no more, once a higher fence was seen', async () => {
    await run();
    const self = cluster.only('x');
    await self.context.save(1);
    await node.ports.store.claim('x', 'b~1', self.fence + 1);
    await expect(self.context.save(2)).rejects.toMatchObject({ code: 'CONFLICT' });
    await settle();
    expect(self.stopped).toBe('lease-lost');
    expect(self.context.owns()).toBe(false);
    expect(await node.ports.store.load('x')).toBe('1');
  });

  it('owns its name until the very deadline of its lease, and not a moment longer', async () => {
    await run();
    const self = cluster.only('x');
    expect(self.context.owns()).toBe(true);
    node.clock.paused = true;
    await cluster.time.advance(LEASE_MS);
    expect(self.context.owns()).toBe(false);
    node.clock.paused = false;
    await cluster.time.advance(LEASE_MS);
    expect(self.stopped).toBe('lease-lost');
  });
});
