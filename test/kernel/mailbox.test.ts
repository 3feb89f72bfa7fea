import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PollcastError } from '../../src/errors.js';
import type { NodeId } from '../../src/kernel/identity.js';
import { silent } from '../../src/kernel/log.js';
import { inbox, Mailbox, type Address } from '../../src/kernel/mailbox.js';
import { MemoryCluster, type MemoryPorts } from '../../src/kernel/memory/cluster.js';
import { notHere } from '../../src/kernel/process.js';
import { settle, VirtualTime } from '../support/virtual-clock.js';

/** A node that is nothing but a mailbox. */
interface Post {
  readonly id: NodeId;
  readonly ports: MemoryPorts;
  readonly mailbox: Mailbox;
  readonly got: { at: Address; message: unknown; from: NodeId }[];
  answer: (message: unknown, at: Address) => unknown;
}

describe('the mailbox', () => {
  let time: VirtualTime;
  let shared: MemoryCluster;
  /** Where names live, as the store would tell. */
  let owners: Map<string, NodeId>;
  let asked: number;
  let a: Post;
  let b: Post;

  const open = async (id: NodeId): Promise<Post> => {
    const ports = shared.connect(id, time.clock());
    const got: Post['got'] = [];
    const post: Post = {
      id,
      ports,
      got,
      answer: () => 'done',
      mailbox: new Mailbox(
        ports,
        {
          deliver: async (at, message, from) => {
            got.push({ at, message, from });
            return post.answer(message, at);
          },
          locate: async (name) => {
            asked += 1;
            return owners.get(name) ?? null;
          },
        },
        time.clock(),
        silent,
      ),
    };
    await post.mailbox.open();
    return post;
  };

  beforeEach(async () => {
    time = new VirtualTime();
    shared = new MemoryCluster(time.clock());
    owners = new Map();
    asked = 0;
    a = await open('a~1');
    b = await open('b~1');
    owners.set('x', b.id);
  });
  afterEach(async () => {
    a.ports.cut(false);
    await a.mailbox.close();
    await b.mailbox.close();
    expect(time.pending).toBe(0);
  });

  const within = async <T>(promise: Promise<T>): Promise<T> => {
    let over = false;
    const done = promise.finally(() => (over = true));
    done.catch(() => undefined);
    await time.until(() => over, 'the call to end');
    return done;
  };

  it('carries a call to the owner and its answer back', async () => {
    b.answer = (message) => ({ echo: message });
    expect(await within(a.mailbox.call('x', { add: 1 }))).toEqual({ echo: { add: 1 } });
    expect(b.got).toEqual([{ at: { to: 'process', name: 'x' }, message: { add: 1 }, from: 'a~1' }]);
  });

  it('carries an answer that is nothing', async () => {
    b.answer = () => undefined;
    expect(await within(a.mailbox.call('x', 1))).toBeUndefined();
  });

  it('carries coded errors as they are, and tells nothing of others', async () => {
    b.answer = () => {
      throw new PollcastError('CONFLICT', 'stale', { version: 4 });
    };
    await expect(within(a.mailbox.call('x', 1))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'stale',
      details: { version: 4 },
    });
    b.answer = () => {
      throw new Error('secret host 10.0.0.1');
    };
    const error = await within(a.mailbox.call('x', 1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(String(error)).not.toContain('secret');
  });

  it('remembers where a name lives, and asks again when it is not there any more', async () => {
    await within(a.mailbox.call('x', 1));
    await within(a.mailbox.call('x', 2));
    expect(asked).toBe(1);
    const c = await open('c~1');
    b.answer = () => {
      throw notHere('x');
    };
    owners.set('x', c.id);
    expect(await within(a.mailbox.call('x', 3))).toBe('done');
    expect(c.got.map(({ message }) => message)).toEqual([3]);
    await c.mailbox.close();
  });

  it('waits for an owner while there is none', async () => {
    owners.clear();
    const call = a.mailbox.call('x', 1);
    await time.advance(1_000);
    owners.set('x', b.id);
    expect(await within(call)).toBe('done');
  });

  it('ends a call without an answer by its time-out, and ignores an answer that comes later', async () => {
    let answer = (_value: unknown): void => undefined;
    b.answer = () => new Promise((resolve) => (answer = resolve));
    const began = time.elapsed;
    await expect(within(a.mailbox.call('x', 1, { timeoutMs: 700 }))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(time.elapsed - began).toBeLessThan(800);
    answer('late');
    await settle();
    expect(b.got).toHaveLength(1);
  });

  it('ends a call to a process of its own node by its time-out too', async () => {
    owners.set('here', a.id);
    a.answer = () => new Promise(() => undefined);
    await expect(within(a.mailbox.call('here', 1, { timeoutMs: 700 }))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('ends a call for a name that nobody ever owns by its time-out', async () => {
    await expect(within(a.mailbox.call('nobody', 1, { timeoutMs: 300 }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('ends a call at once when its owner dies: whether it was done, nobody knows', async () => {
    b.answer = () => new Promise(() => undefined);
    const call = a.mailbox.call('x', 1);
    await settle();
    a.mailbox.nodeDown(b.id);
    const began = time.elapsed;
    await expect(within(call)).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { nodeDown: true } });
    expect(time.elapsed).toBe(began);
  });

  it('sends an idempotent call again when its owner dies', async () => {
    b.answer = () => new Promise(() => undefined);
    const c = await open('c~1');
    const call = a.mailbox.call('x', 1, { idempotent: true });
    await settle();
    owners.set('x', c.id);
    a.mailbox.nodeDown(b.id);
    expect(await within(call)).toBe('done');
    expect(c.got).toHaveLength(1);
    await c.mailbox.close();
  });

  it('sends a call again that nobody has heard, idempotent or not', async () => {
    b.ports.cut(true);
    const call = a.mailbox.call('x', 1);
    await time.advance(500);
    expect(b.got).toEqual([]);
    b.ports.cut(false);
    expect(await within(call)).toBe('done');
    expect(b.got).toHaveLength(1);
  });

  it('does not send a call again for which nobody waits any more', async () => {
    b.ports.cut(true);
    let wanted = true;
    const call = a.mailbox.call('x', 1, { idempotent: true, wanted: () => wanted });
    const refused = expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'nobody waits for x any more' });
    await time.advance(100);
    wanted = false;
    await time.advance(100);
    await refused;
    b.ports.cut(false);
    await time.advance(1_000);
    expect(b.got).toEqual([]);
  });

  it('does not wait for answers that were lost while its own link was broken', async () => {
    let answers = 0;
    b.answer = () => {
      answers += 1;
      if (answers === 1) a.ports.cut(true);
      return answers;
    };
    const call = a.mailbox.call('x', 1);
    const again = a.mailbox.call('x', 2, { idempotent: true });
    call.catch(() => undefined);
    await settle();
    a.ports.cut(false);
    await expect(within(call)).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { lost: true } });
    expect(await within(again)).toBe(3);
  });

  it('sends an answer again that could not be sent, for its caller waits for nothing else', async () => {
    b.answer = () => {
      b.ports.cut(true);
      return 'late';
    };
    const call = a.mailbox.call('x', 1);
    await time.advance(100);
    b.ports.cut(false);
    expect(await within(call)).toBe('late');
    expect(b.got).toHaveLength(1);
  });

  it('tells its callers at once when nothing can be sent', async () => {
    await within(a.mailbox.call('x', 1));
    a.ports.cut(true);
    const began = time.elapsed;
    await expect(within(a.mailbox.call('x', 2))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(time.elapsed).toBe(began);
  });

  it('sends what one tick brings for a node together, in order', async () => {
    const posts: unknown[][] = [];
    await b.ports.bus.subscribe(inbox(b.id), (text) => posts.push(JSON.parse(text) as unknown[]));
    await within(a.mailbox.call('x', 0));
    posts.length = 0;
    const calls = Promise.all([1, 2, 3].map((message) => a.mailbox.call('x', message)));
    a.mailbox.castNode(b.id, { to: 'kernel' }, 'cast');
    await within(calls);
    expect(posts.map((post) => post.length)).toEqual([4]);
    expect(b.got.slice(1).map(({ message }) => message)).toEqual(expect.arrayContaining([1, 2, 3, 'cast']));
  });

  it('passes a cast on to where the process has gone, once', async () => {
    await a.mailbox.cast('x', 'one');
    await settle();
    const c = await open('c~1');
    b.answer = () => {
      throw notHere('x');
    };
    owners.set('x', c.id);
    await a.mailbox.cast('x', 'two');
    await settle();
    expect(c.got.map(({ message }) => message)).toEqual(['two']);
    // Both believe in each other: it ends all the same.
    c.answer = b.answer;
    owners.set('x', b.id);
    await a.mailbox.cast('x', 'three');
    await settle(20);
    expect([...b.got, ...c.got].filter(({ message }) => message === 'three').length).toBeLessThanOrEqual(3);
    await c.mailbox.close();
  });

  it('ends what is under way when it is closed', async () => {
    b.answer = () => new Promise(() => undefined);
    const call = a.mailbox.call('x', 1);
    call.catch(() => undefined);
    await settle();
    await a.mailbox.close();
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
