import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Watcher, type SeenFrame } from '../load/watcher.js';
import { figure, type Bench, type Cell, type Goal, type Scenario } from '../support/bench.js';
import type { HubNode } from '../support/node.js';
import { spread } from '../support/stats.js';

const NODES = 3;
const LEASE_MS = 2_000;
const LINGER_MS = 1_000;
const EVERY_MS = 500;
const TOPIC = 'bench.clock';
const PREFIX = 'bench';
const PROCESS = `{${PREFIX}}:process:poller:${TOPIC}`;
/** A node that has just come is left alone for so long: its start takes the CPU that is to be measured. */
const SETTLE_MS = 400;
const GIVE_UP_MS = 20_000;

type Way = 'SIGKILL' | 'SIGSTOP' | 'SIGTERM';

interface Death {
  /** Until another node owned the poller. */
  readonly ownerMs: number;
  /** From then on, until the first frame came to a viewer of another node. */
  readonly frameMs: number;
}

export const failover: Scenario = {
  name: 'failover',
  about: 'the polling node dies, hangs or leaves: new owner, next frame, frames lost',
  async run(bench) {
    const stage = await Stage.open(bench);
    const rows: Record<string, Cell>[] = [];
    const goals: Goal[] = [];
    for (const [way, usual, quick, full] of [
      ['SIGKILL', 24, 5, 100],
      ['SIGSTOP', 6, 2, 30],
      ['SIGTERM', 8, 3, 30],
    ] as const) {
      const deaths: Death[] = [];
      const before = stage.faults();
      const rounds = bench.size<number>(usual, quick, full);
      for (let round = 0; round < rounds; round++) deaths.push(await stage.die(way));
      const faults = stage.faults();
      const owner = spread(deaths.map(({ ownerMs }) => ownerMs));
      const frame = spread(deaths.map(({ frameMs }) => frameMs));
      const backwards = faults.backwards - before.backwards;
      const lost = faults.gaps - before.gaps;
      const missed = faults.missed - before.missed;
      rows.push({
        way,
        rounds,
        'new owner p50 ms': figure(owner.p50),
        'p95 ms': figure(owner.p95),
        'max ms': figure(owner.max),
        'then first frame p50 ms': figure(frame.p50),
        'p95 ms ': figure(frame.p95),
        'frames lost': lost,
        'frames not newer': backwards,
        'polls missed': way === 'SIGTERM' ? missed : '',
      });
      bench.say(
        `${way}: ${rounds} rounds, new owner within ${figure(owner.p50)} ms at the median, ${figure(owner.max)} ms at most`,
      );
      goals.push({
        goal: `failover ${way}: no frame twice, none older than the last`,
        seen: String(backwards),
        met: backwards === 0,
      });
      if (way === 'SIGKILL') {
        goals.push({
          goal: 'failover SIGKILL: new owner p50 ≤ 60 ms',
          seen: String(figure(owner.p50)),
          met: owner.p50 <= 60,
        });
        goals.push({
          goal: 'failover SIGKILL: new owner p95 ≤ 120 ms',
          seen: String(figure(owner.p95)),
          met: owner.p95 <= 120,
        });
        goals.push({
          goal: 'failover SIGKILL: first frame p50 ≤ 20 ms after that',
          seen: String(figure(frame.p50)),
          met: frame.p50 <= 20,
        });
      } else if (way === 'SIGSTOP') {
        goals.push({
          goal: `failover SIGSTOP: new owner ≤ lease (${LEASE_MS} ms) + 1 s`,
          seen: String(figure(owner.max)),
          met: owner.max <= LEASE_MS + 1_000,
        });
      } else {
        goals.push({
          goal: 'failover SIGTERM: 0 polls missed, 0 frames lost',
          seen: `${missed}, ${lost}`,
          met: missed === 0 && lost === 0,
        });
      }
    }
    const gone: number[] = [];
    for (let round = 0; round < bench.size(5, 2, 10); round++) gone.push(await stage.lastViewersNodeDies());
    const end = spread(gone);
    rows.push({
      way: 'node of the last viewer killed',
      rounds: gone.length,
      'poller gone p50 ms': figure(end.p50),
      'poller gone max ms': figure(end.max),
    });
    goals.push({
      goal: `failover: poller gone ≤ linger (${LINGER_MS} ms) + 1 s after the last viewer's node was killed`,
      seen: String(figure(end.max)),
      met: end.max <= LINGER_MS + 1_000,
    });
    return {
      tables: [{ title: `failover: ${NODES} nodes, lease ${LEASE_MS} ms, a poll every ${EVERY_MS} ms`, rows }],
      goals,
    };
  },
};

/** Three nodes with one viewer each, and the means to see who owns the poller. */
class Stage {
  readonly #nodes = new Map<string, { node: HubNode; watcher: Watcher }>();
  #past = { gaps: 0, backwards: 0 };
  #missed = 0;
  #names = 0;

  private constructor(
    private readonly bench: Bench,
    private readonly env: Record<string, string>,
    private readonly redis: Redis,
  ) {}

  static async open(bench: Bench): Promise<Stage> {
    const postgres = await bench.postgres();
    const { url } = await bench.redis();
    const topic = `/*\ninterval: ${EVERY_MS}ms\n*/\nselect clock_timestamp() as at`;
    const env = {
      DATABASE_URL: postgres.url,
      REDIS_URL: url,
      REDIS_PREFIX: PREFIX,
      LEASE_MS: String(LEASE_MS),
      LINGER_MS: String(LINGER_MS),
      TOPICS_DIR: await bench.topics({ 'bench/clock.sql': topic }),
    };
    const redis = new Redis(url);
    bench.defer(async () => redis.disconnect());
    const stage = new Stage(bench, env, redis);
    for (let i = 0; i < NODES; i++) await stage.#join();
    return stage;
  }

  faults(): { gaps: number; backwards: number; missed: number } {
    const sum = { ...this.#past, missed: this.#missed };
    for (const { watcher } of this.#nodes.values()) {
      sum.gaps += watcher.gaps;
      sum.backwards += watcher.backwards;
    }
    return sum;
  }

  async die(way: Way): Promise<Death> {
    const { name, fence } = await this.#owner();
    const victim = this.#nodes.get(name);
    if (!victim) throw new Error(`the poller's owner ${name} is none of the nodes`);
    const others = [...this.#nodes.values()].filter((one) => one !== victim).map(({ watcher }) => watcher);
    const began = performance.now();
    const ending = victim.node.kill(way);
    const ownedAt = await this.#until(async () => (await this.#owner()).fence > fence, 1);
    const frameAt = await firstFrame(others, way === 'SIGTERM' ? began : ownedAt);
    await ending;
    if (way === 'SIGSTOP') {
      await victim.node.kill('SIGCONT');
      // It comes to itself, and has to see that it owns nothing any more.
      await sleep(LEASE_MS / 2);
    } else {
      if (way === 'SIGTERM') this.#missed += await missedPolls(others, began);
      this.#leave(name);
      await this.#join();
    }
    await sleep(SETTLE_MS);
    return { ownerMs: ownedAt - began, frameMs: Math.max(0, frameAt - ownedAt) };
  }

  /** The poller runs on one node, and its only viewer's connection is to another, which is killed. */
  async lastViewersNodeDies(): Promise<number> {
    const { name } = await this.#owner();
    const [, witness] = [...this.#nodes].find(([other]) => other !== name) ?? [];
    if (!witness) throw new Error('there is no second node');
    for (const { watcher } of this.#nodes.values()) if (watcher !== witness.watcher) watcher.close();
    await sleep(LINGER_MS + 1_500);
    const began = performance.now();
    await witness.node.kill('SIGKILL');
    const gone = await this.#until(async () => (await this.redis.exists(PROCESS)) === 0, 5);
    const nodes = [...this.#nodes];
    this.#leave(witness.node.name);
    for (const [other, { node }] of nodes) {
      if (node !== witness.node) this.#nodes.set(other, { node, watcher: await Watcher.open(node.port, TOPIC) });
    }
    await this.#join();
    await sleep(SETTLE_MS);
    return gone - began;
  }

  async #join(): Promise<void> {
    const node = await this.bench.node({ ...this.env, NODE_NAME: `n${++this.#names}` });
    this.#nodes.set(node.name, { node, watcher: await Watcher.open(node.port, TOPIC) });
  }

  #leave(name: string): void {
    const left = this.#nodes.get(name);
    if (!left) return;
    this.#past.gaps += left.watcher.gaps;
    this.#past.backwards += left.watcher.backwards;
    left.watcher.close();
    this.#nodes.delete(name);
  }

  async #owner(): Promise<{ name: string; fence: number }> {
    const [node, fence] = await this.redis.hmget(PROCESS, 'node', 'fence');
    const id = node ?? '';
    return { name: id.slice(0, id.lastIndexOf('~')), fence: Number(fence ?? 0) };
  }

  /** When it was so, looked at every `everyMs`. */
  async #until(so: () => Promise<boolean>, everyMs: number): Promise<number> {
    const began = performance.now();
    while (!(await so())) {
      if (performance.now() - began > GIVE_UP_MS) throw new Error(`nothing came of it within ${GIVE_UP_MS} ms`);
      await sleep(everyMs);
    }
    return performance.now();
  }
}

/** When the first frame after `since` came to any of them. */
function firstFrame(watchers: readonly Watcher[], since: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(new Error('no frame came any more'))), GIVE_UP_MS);
    const stops = watchers.map((watcher) =>
      watcher.onFrame((frame: SeenFrame) => finish(() => resolve(frame.arrived))),
    );
    const finish = (then: () => void): void => {
      clearTimeout(timer);
      for (const stop of stops) stop();
      then();
    };
    const arrived = watchers.flatMap(({ frames }) => frames.slice(-3)).map((frame) => frame.arrived);
    const early = arrived.filter((at) => at >= since).sort((a, b) => a - b)[0];
    if (early !== undefined) finish(() => resolve(early));
  });
}

/** Intervals without a frame from `since` on, as one of the viewers saw it. */
async function missedPolls(watchers: readonly Watcher[], since: number): Promise<number> {
  await sleep(2 * EVERY_MS);
  const frames = watchers[0]?.frames ?? [];
  const first = frames.findLastIndex((frame) => frame.arrived < since);
  const recent = frames.slice(Math.max(0, first));
  let missed = 0;
  for (let i = 1; i < recent.length; i++) {
    const between = (recent[i] as SeenFrame).arrived - (recent[i - 1] as SeenFrame).arrived;
    missed += Math.max(0, Math.round(between / EVERY_MS) - 1);
  }
  return missed;
}
