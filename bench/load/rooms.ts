import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { spread, type Spread } from '../support/stats.js';
import { RoomMember } from './room-member.js';

export type RoomOrder =
  | { readonly do: 'open'; readonly port: number; readonly rooms: number; readonly members: number }
  | {
      readonly do: 'run';
      readonly seconds: number;
      /** Changes under way at once, each in a room of its own; the next as soon as one is acknowledged. */
      readonly inFlight?: number;
      /** Or so many a second, however long they take. */
      readonly perSecond?: number;
    };

export interface RoomLoad {
  readonly seconds: number;
  readonly acknowledged: number;
  /** From the sending of a change to its acknowledgement, in ms. */
  readonly latency: Spread;
  /** Events that all members were told meanwhile. */
  readonly events: number;
  /** Refusals by code, and lost connections. */
  readonly errors: Readonly<Record<string, number>>;
}

/** The load generator of rooms: one member of each room makes changes, all are told. Ends with its parent. */
const AT_ONCE = 50;
const members: RoomMember[] = [];
/** The one of each room that makes changes. */
let makers: RoomMember[] = [];
const errors: Record<string, number> = {};
const failed = (what: string): void => void (errors[what] = (errors[what] ?? 0) + 1);
let n = 0;

async function open({ port, rooms, members: each }: RoomOrder & { do: 'open' }): Promise<{ seconds: number }> {
  const began = performance.now();
  for (let i = 0; i < rooms * each; i++) members.push(new RoomMember(port, `room-${i % rooms}`, () => failed('lost')));
  makers = members.slice(0, rooms);
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let member = members[next++]; member; member = members[next++]) await member.open();
    }),
  );
  return { seconds: (performance.now() - began) / 1000 };
}

async function run({ seconds, inFlight, perSecond }: RoomOrder & { do: 'run' }): Promise<RoomLoad> {
  const told = (): number => members.reduce((sum, { events }) => sum + events, 0);
  const latencies: number[] = [];
  const before = told();
  const began = performance.now();
  const until = began + seconds * 1000;
  const idle = [...makers];
  const change = async (maker: RoomMember): Promise<void> => {
    const sent = performance.now();
    const code = await maker.change({ n: ++n, range: '1h' });
    if (code === '') latencies.push(performance.now() - sent);
    else failed(code);
    idle.push(maker);
  };
  if (inFlight !== undefined) {
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (performance.now() < until) {
          const maker = idle.shift();
          if (maker) await change(maker);
        }
      }),
    );
  } else {
    const under: Promise<void>[] = [];
    for (let made = 0; performance.now() < until; await sleep(2)) {
      for (; made < ((performance.now() - began) / 1000) * (perSecond ?? 0); made++) {
        const maker = idle.shift();
        if (maker) under.push(change(maker));
        else failed('no room was idle');
      }
    }
    await Promise.all(under);
  }
  const passed = (performance.now() - began) / 1000;
  return {
    seconds: passed,
    acknowledged: latencies.length,
    latency: spread(latencies),
    events: told() - before,
    errors,
  };
}

process.on('message', (order: RoomOrder) => {
  (order.do === 'open' ? open(order) : run(order)).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
