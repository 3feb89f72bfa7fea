import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Kernel } from '../../src/kernel/kernel.js';
import { silent } from '../../src/kernel/log.js';
import { Presence, type Watchable } from '../../src/presence/presence.js';
import { LocalViewers, mergePresence, presenceDiff } from '../../src/presence/viewers.js';
import { VirtualTime } from '../support/virtual-clock.js';

/** The part of a kernel that presence writes to; it fails, late or early, and forgets when a test says so. */
class HoldKeeper {
  readonly time = new VirtualTime();
  readonly clock = this.time.clock();
  readonly id = 'a~1';
  readonly held = new Map<string, string>();
  fail: 'before' | 'after' | null = null;
  #rejoined: () => void = () => undefined;

  on(_event: string, listen: () => void): () => void {
    this.#rejoined = listen;
    return () => undefined;
  }

  forgetAll(): void {
    this.held.clear();
    this.#rejoined();
  }

  hold({ name }: { name: string }, ref: string, detail: string): Promise<void> {
    return this.#step(() => this.held.set(`${name} ${ref}`, detail));
  }

  unhold(name: string, ref: string): Promise<void> {
    return this.#step(() => this.held.delete(`${name} ${ref}`));
  }

  holds(): Promise<unknown[]> {
    return Promise.resolve([]);
  }

  async #step(work: () => unknown): Promise<void> {
    const { fail } = this;
    await new Promise<void>((done) => this.clock.after(7, done));
    if (fail !== 'before') work();
    if (fail) throw new Error('the cluster does not answer');
  }
}

const watchable = (key: string, process = 'poller:t'): Watchable => ({
  key,
  process: { name: process, kind: 'poller', args: {} },
  showUsers: true,
});

type Step =
  | { readonly do: 'join' | 'leave'; readonly viewer: number; readonly channel: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'fail'; readonly when: 'before' | 'after' | null }
  | { readonly do: 'place'; readonly channel: number; readonly partition: number }
  | { readonly do: 'forget' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('join', 'leave'), viewer: fc.nat(3), channel: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail'), when: fc.constantFrom('before', 'after', null) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('place'), channel: fc.nat(1), partition: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget') }) },
);

describe('presence', () => {
  it('ends with the cluster knowing exactly who watches, however joins, leaves, failures, lost data and changes of the poller interleave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const kernel = new HoldKeeper();
        const presence = new Presence(kernel as unknown as Kernel, silent);
        const wanted = [new Set<string>(), new Set<string>()];
        const pollers = ['poller:t#0', 'poller:t#0'];
        for (const one of steps) {
          if (one.do === 'wait') await kernel.time.advance(one.ms);
          else if (one.do === 'fail') kernel.fail = one.when;
          else if (one.do === 'forget') kernel.forgetAll();
          else if (one.do === 'place') {
            pollers[one.channel] = `poller:t#${one.partition}`;
            // Of a channel that nobody watches, whoever comes next says where it belongs.
            if (wanted[one.channel]?.size) presence.place(watchable(`c${one.channel}`, pollers[one.channel]));
          } else {
            const [viewer, set] = [`v${one.viewer}`, wanted[one.channel] as Set<string>];
            if (one.do === 'leave') {
              presence.leave(`c${one.channel}`, viewer);
              set.delete(viewer);
            } else if (!set.has(viewer)) {
              set.add(viewer);
              // A join that the cluster does not hear of is refused, and is none.
              presence
                .join(watchable(`c${one.channel}`, pollers[one.channel]), viewer, 'u')
                .catch(() => set.delete(viewer));
            }
          }
        }
        kernel.fail = null;
        await kernel.time.advance(2_000);
        const known = Object.fromEntries(
          [...kernel.held].map(([key, detail]) => [key, (JSON.parse(detail) as { n: number }).n]),
        );
        const counts = Object.fromEntries(
          wanted.flatMap(({ size }, i) => (size > 0 ? [[`${pollers[i]} c${i}`, size]] : [])),
        );
        expect(known).toEqual(counts);
        expect([presence.viewers, presence.channels]).toEqual([
          wanted.reduce((sum, { size }) => sum + size, 0),
          Object.keys(counts).length,
        ]);
        const closing = presence.close();
        await kernel.time.advance(100);
        await closing;
        expect(kernel.held.size).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses a join that comes while it closes, and leaves nothing of it', async () => {
    const kernel = new HoldKeeper();
    const presence = new Presence(kernel as unknown as Kernel, silent);
    const joining = presence.join(watchable('c'), 'v', 'u').then(
      () => 'joined',
      (error: { code: string }) => error.code,
    );
    const closing = presence.close();
    await kernel.time.advance(1_000);
    await closing;
    expect(await joining).toBe('UNAVAILABLE');
    expect(kernel.held.size).toBe(0);
  });
});

describe('viewers', () => {
  it('counts each viewer once, and a user as long as one of its viewers is there', () => {
    const viewers = new LocalViewers();
    expect([viewers.join('1', 'ann', 5), viewers.join('1', 'ann', 6), viewers.join('2', 'ann', 7)]).toEqual([
      true,
      false,
      true,
    ]);
    expect(viewers.describe(true)).toEqual({ n: 2, users: { ann: { count: 2, since: 5 } } });
    viewers.leave('1');
    expect(viewers.leave('1')).toBe(false);
    expect(viewers.describe(true)).toEqual({ n: 1, users: { ann: { count: 1, since: 5 } } });
    viewers.leave('2');
    expect(viewers.describe(false)).toEqual({ n: 0 });
  });

  it('merges nodes by user, the earliest first, and tells who came and went', () => {
    const node = (...users: [string, number, number][]) => ({
      n: users.reduce((sum, [, count]) => sum + count, 0),
      users: Object.fromEntries(users.map(([user, count, since]) => [user, { count, since }])),
    });
    const before = mergePresence([node(['bob', 1, 9], ['ann', 2, 4]), node(['ann', 1, 2]), { n: 5 }]);
    expect(before).toEqual({
      count: 9,
      viewers: [
        { user: 'ann', count: 3, since: 2 },
        { user: 'bob', count: 1, since: 9 },
      ],
    });
    const after = mergePresence([node(['ann', 1, 4], ['cat', 1, 10])]);
    expect(presenceDiff(before.viewers, after.viewers)).toEqual({ joins: ['cat'], leaves: ['bob'] });
  });
});
