import { readFileSync, readdirSync } from 'node:fs';
import { Redis } from 'ioredis';
import type { LinkMode } from '../support/network.js';
import type { ProxyMode, TestProxy } from '../support/proxy.js';
import type { Allowance } from './history.js';
import type { Choices } from './random.js';
import { TERMS, WATCHED, type Relation, type Slot, type Stage } from './stage.js';

export interface Fault extends Allowance {
  readonly name: string;
  readonly weight: number;
  /** What it is done to; two at a time are never done to the same. */
  readonly on: 'node' | 'redis' | 'postgres' | 'viewers';
  /** Needs a network namespace, which not every machine allows. */
  readonly needsNetwork?: boolean;
  /** Does it, lets it last, and mends it. Resolves with what it was done to. */
  run(stage: Stage, slot: Slot, choices: Choices): Promise<string>;
}

const HANG_MS = TERMS.leaseMs + 2_000;
const PULLED: readonly LinkMode[] = ['down', 'deaf', 'dumb'];
const BROKEN: readonly ProxyMode[] = ['blackhole', 'half-open', 'refuse', 'delay'];

export const FAULTS: readonly Fault[] = [
  {
    name: 'kill',
    weight: 3,
    on: 'node',
    async run(stage, slot) {
      const { name } = slot.node;
      await stage.end(slot, 'SIGKILL');
      await stage.replace(slot);
      return name;
    },
  },
  {
    name: 'stop',
    weight: 2,
    on: 'node',
    async run(stage, slot) {
      const { name } = slot.node;
      await stage.end(slot, 'SIGTERM');
      await stage.replace(slot);
      return name;
    },
  },
  {
    name: 'hang',
    weight: 2,
    on: 'node',
    // Stopped between its look at the clock and the system call, what it was about to send is sent when it goes on.
    lateQueries: true,
    run: (_stage, slot, choices) => hang(slot, choices.between(200, HANG_MS)),
  },
  {
    name: 'hang of an owner',
    weight: 2,
    on: 'node',
    lateQueries: true,
    async run(stage, slot, choices) {
      const owner = await stage.lookout.owner(`poller:${choices.of(WATCHED)}`);
      return hang((owner && stage.slotOf(owner.node)) ?? slot, HANG_MS);
    },
  },
  {
    name: 'node cut from Redis',
    weight: 3,
    on: 'node',
    doubt: true,
    local: true,
    lateClaims: true,
    run: (_stage, slot, choices) => cut(slot.redis, slot.node.name, choices),
  },
  {
    name: 'node cut from Postgres',
    weight: 2,
    on: 'node',
    lateQueries: true,
    run: (_stage, slot, choices) => cut(slot.postgres, slot.node.name, choices),
  },
  {
    name: 'link to Redis lost',
    weight: 2,
    on: 'node',
    doubt: true,
    local: true,
    lateClaims: true,
    needsNetwork: true,
    run: (stage, _slot, choices) => pull(stage, ['redis'], choices),
  },
  {
    name: 'link to Postgres lost',
    weight: 1,
    on: 'node',
    lateQueries: true,
    needsNetwork: true,
    run: (stage, _slot, choices) => pull(stage, ['postgres'], choices),
  },
  {
    name: 'link to viewers lost',
    weight: 1,
    on: 'node',
    needsNetwork: true,
    run: (stage, _slot, choices) => pull(stage, ['viewers'], choices),
  },
  {
    name: 'all links lost',
    weight: 2,
    on: 'node',
    doubt: true,
    local: true,
    lateClaims: true,
    lateQueries: true,
    needsNetwork: true,
    run: (stage, _slot, choices) => pull(stage, ['redis', 'postgres', 'viewers'], choices),
  },
  {
    name: 'viewers cut off',
    weight: 2,
    on: 'viewers',
    run: (stage, _slot, choices) => cut(stage.viewers, 'all viewers', choices),
  },
  {
    name: 'Redis restarts with its data',
    weight: 1,
    on: 'redis',
    doubt: true,
    local: true,
    run: (stage, _slot, choices) => redisAway(stage, choices.between(0, 2_500), true),
  },
  {
    name: 'Redis restarts empty',
    weight: 1,
    on: 'redis',
    lost: true,
    doubt: true,
    local: true,
    run: (stage, _slot, choices) => redisAway(stage, choices.between(0, 2_500), false),
  },
  {
    name: 'Redis freezes',
    weight: 1,
    on: 'redis',
    doubt: true,
    local: true,
    lateClaims: true,
    async run(stage, _slot, choices) {
      stage.redis.freeze();
      await pause(choices.between(200, 4_000));
      stage.redis.thaw();
      return 'Redis';
    },
  },
  {
    name: 'CLIENT KILL TYPE pubsub',
    weight: 2,
    on: 'redis',
    doubt: true,
    blip: true,
    async run(stage) {
      const client = new Redis({ port: stage.redis.port, host: '127.0.0.1' });
      await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      client.disconnect();
      return 'all pulses';
    },
  },
  {
    name: 'Postgres restarts',
    weight: 1,
    on: 'postgres',
    lateQueries: true,
    async run(stage, _slot, choices) {
      await stage.postgres.down();
      await pause(choices.between(0, 2_000));
      await stage.postgres.up();
      return 'Postgres';
    },
  },
  {
    name: 'Postgres freezes',
    weight: 1,
    on: 'postgres',
    lateQueries: true,
    async run(stage, _slot, choices) {
      const pids = [stage.postgres.pid, ...childrenOf(stage.postgres.pid)];
      const all = (signal: NodeJS.Signals) => pids.forEach((pid) => tell(pid, signal));
      all('SIGSTOP');
      await pause(choices.between(200, 3_000));
      // One that was born in between stands still with its parent.
      all('SIGCONT');
      return 'Postgres';
    },
  },
  {
    name: 'slow queries',
    weight: 2,
    on: 'postgres',
    lateQueries: true,
    async run(stage, _slot, choices) {
      const client = await stage.connect();
      const topic = choices.of(WATCHED);
      try {
        await client.query('begin');
        await client.query(`lock table chaos_${topic} in access exclusive mode`);
        await pause(choices.between(300, 4_000));
        await client.query('rollback');
      } finally {
        await client.end();
      }
      return topic;
    },
  },
  {
    name: 'clock steps',
    weight: 2,
    on: 'node',
    async run(stage, _slot, choices) {
      const stepped = stage.slots.find(({ clock }) => clock !== null);
      if (!stepped?.clock) throw new Error('no node has a clock to step');
      await stepped.clock.step(choices.between(-30_000, 30_000));
      await pause(choices.between(500, 2_500));
      await stepped.clock.step(0);
      return stepped.node.name;
    },
  },
];

async function hang(slot: Slot, ms: number): Promise<string> {
  slot.node.freeze();
  await pause(ms);
  slot.node.thaw();
  return `${slot.node.name} for ${ms} ms`;
}

async function cut(proxy: TestProxy, whom: string, choices: Choices): Promise<string> {
  const mode = choices.of(BROKEN);
  const ms = choices.between(300, 5_000);
  proxy.become(mode, choices.between(50, 400));
  await pause(ms);
  proxy.become('pass');
  return `${whom} (${mode}, ${ms} ms)`;
}

/** Real links of a node in a namespace: TCP itself finds out, or does not. */
async function pull(stage: Stage, relations: readonly Relation[], choices: Choices): Promise<string> {
  const { network } = stage;
  const apart = stage.slots.find((slot) => slot.apart);
  if (!network || !apart) throw new Error('no node is in a network namespace');
  const mode = choices.of(PULLED);
  const ms = choices.between(300, 4_000);
  const each = (to: LinkMode) => Promise.all(relations.map((relation) => network.links[relation].become(to)));
  await each(mode);
  await pause(ms);
  await each('up');
  return `${apart.node.name} (${mode}, ${ms} ms)`;
}

async function redisAway(stage: Stage, ms: number, keepData: boolean): Promise<string> {
  await stage.redis.down({ keepData });
  await pause(ms);
  await stage.redis.up();
  return `Redis for ${ms} ms`;
}

export function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}
