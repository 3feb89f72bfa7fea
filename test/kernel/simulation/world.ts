import { Kernel } from '../../../src/kernel/kernel.js';
import type { ProcessContext, ProcessKind } from '../../../src/kernel/kind.js';
import { sleep } from '../../../src/kernel/clock.js';
import { silent, type Logger } from '../../../src/kernel/log.js';
import { VirtualTime } from '../../support/virtual-clock.js';
import { gate } from '../gate.js';
import type { Act, Scenario, Use } from './acts.js';
import { check, ENDS_UNHELD, type Life, type SimulatedNode } from './check.js';
import { randomFrom, SimulatedPorts, SimulatedServer } from './network.js';

export const LEASE_MS = 1_500;
const STEP_MS = 20;
const WORK_MS = 90;
/** What a wish may take, refused or fulfilled: an `ensure` gives up after 5 s, and then asks once more. */
const WISH_MS = 15_000;

const NODES = 3;
const NAMES = 4;

/** Three kernels, a server and what goes wrong between them; says what of the kernel's promises did not hold. */
export class World {
  readonly time = new VirtualTime(Date.UTC(2026, 0, 1), 2);
  readonly violations: string[] = [];
  readonly #random: () => number;
  readonly #server: SimulatedServer;
  #nodes: SimulatedNode[] = [];
  #born = 0;
  readonly #lives: Life[] = [];
  /** Names that are to run until somebody stops them. */
  readonly #wanted = new Set<string>();
  /** The highest fence under which the outside has accepted something, per name. */
  readonly #accepted = new Map<string, number>();
  readonly #wishes = new Map<Promise<unknown>, SimulatedNode | null>();
  /** Until when two may trust in their leases: a single server that loses data, or a false alarm, allows for it. */
  #doubtUntil = -Infinity;
  #wipes = 0;
  readonly #stops = new Map<string, number>();
  #lastFence = 0;
  readonly #overlaps = new Map<string, number>();
  readonly #wakings: { at: number; wake: () => void }[] = [];

  constructor(
    private readonly scenario: Scenario,
    private readonly log: Logger = silent,
  ) {
    this.#random = randomFrom(scenario.seed);
    this.#server = new SimulatedServer(this.time, this.#random);
    this.#watchFences();
  }

  async run(): Promise<string[]> {
    for (let i = 0; i < NODES; i++) await this.#within(this.#start(i), 'start');
    await this.#pass(LEASE_MS);
    for (const act of this.scenario.acts) {
      this.#act(act);
      await this.#pass(act.do === 'wait' ? act.ms : STEP_MS);
    }
    await this.#recover();
    const settled = { memory: this.#server.memory, living: this.#living(), lives: this.#lives };
    for (const trouble of check({ ...settled, wanted: this.#wanted, accepted: this.#accepted }))
      this.#violated(trouble);
    for (const node of this.#living()) await this.#within(node.kernel.close(), 'close');
    return this.violations;
  }

  async #start(slot: number): Promise<void> {
    const clock = this.time.clock();
    // Not random, so that a seed tells the whole story: the order of candidates depends on ids.
    const ports = new SimulatedPorts(this.#server, `n${slot}~${++this.#born}`, clock);
    const kernel = new Kernel({
      ports,
      version: '1',
      log: this.log,
      leaseMs: LEASE_MS,
      clock,
      random: this.#random,
      sweepMs: 100,
      confirmMs: 30,
    });
    const node: SimulatedNode = {
      kernel,
      ports,
      clock,
      holding: new Set(),
      unwritten: new Set(),
      agreed: new Map(),
      killed: gate(),
      state: 'up',
    };
    this.#nodes[slot] = node;
    kernel.define(this.#worker(() => node));
    kernel.on('rejoined', ({ storeLost }) => {
      if (storeLost) node.unwritten.clear();
      for (const name of node.holding) this.#agree(node, name);
    });
    try {
      await Promise.race([kernel.start(), node.killed.promise]);
    } catch {
      // As a service manager does: ends it, and starts it anew a little later.
      if ((node.state as string) === 'gone') return;
      node.state = 'gone';
      await kernel.close();
      await sleep(this.#server.clock, LEASE_MS / 3);
      if (this.#nodes[slot] === node) await this.#start(slot);
    }
  }

  /** Works as a poller does: asks whether it owns its name, then writes under its fence. */
  #worker(owner: () => SimulatedNode): ProcessKind<null, unknown, unknown, number> {
    return {
      kind: 'worker',
      start: (_args, context) => {
        const life: Life = { name: context.name, owner: owner(), context, stopped: null };
        this.#lives.push(life);
        void this.#work(life);
        return {
          handle: () => context.fence,
          stop: async (reason) => {
            // As one that has a query under way.
            if (this.#random() < 0.3) await sleep(context.clock, 150);
            life.stopped = reason;
          },
        };
      },
    };
  }

  async #work({ context, owner }: Life): Promise<void> {
    const { name, fence, clock, signal } = context;
    while (!signal.aborted) {
      if (context.owns()) {
        await owner?.ports.command(async () => this.#publish(name, fence)).catch(() => undefined);
        await context.save(fence).catch(() => undefined);
        if (ENDS_UNHELD.has(name)) await this.#endUnlessHeld(context).catch(() => undefined);
      }
      await sleep(clock, WORK_MS, signal);
    }
  }

  /** As a poller whose viewers may all have gone. */
  async #endUnlessHeld(context: ProcessContext<number>): Promise<void> {
    if ((await context.holds()).length === 0) await context.retire();
  }

  /** At the server: the highest fence that was seen refuses all lower ones. */
  #publish(name: string, fence: number): void {
    if (fence >= (this.#accepted.get(name) ?? 0)) this.#accepted.set(name, fence);
  }

  #watchFences(): void {
    const { memory } = this.#server;
    const mint = memory.mintFence.bind(memory);
    memory.mintFence = () => {
      const fence = mint();
      if (fence <= this.#lastFence) this.#violated(`fence ${fence} after ${this.#lastFence}`);
      this.#lastFence = fence;
      return fence;
    };
  }

  #act(act: Act): void {
    if (act.do === 'wait') return;
    if (act.do === 'freeze') {
      this.#server.freeze();
      return this.#later(act.ms, () => this.#server.thaw());
    }
    if (act.do === 'wipe') {
      this.#wipes += 1;
      this.#doubt();
      for (const name of [...this.#wanted]) {
        // One that is just being handed over belongs to nobody for a moment.
        const life = this.#lives.find(
          (one) => one.name === name && !one.context.signal.aborted && one.owner?.state !== 'gone',
        );
        // Who runs it writes it again. What runs nowhere at this moment is known to nobody any more.
        if (life?.owner && life.owner.state !== 'leaving') life.owner.unwritten.add(name);
        else this.#wanted.delete(name);
      }
      return this.#server.memory.wipe();
    }
    if (act.do === 'blipAll') {
      // CLIENT KILL TYPE pubsub: all at once, back one after the other.
      for (const node of this.#nodes.filter(({ state }) => state !== 'gone')) {
        node.ports.bus.dropPulse();
        this.#later(this.#random() * 150, () => node.state !== 'gone' && node.ports.bus.restorePulse());
      }
      return;
    }
    const slot = act.node % NODES;
    const node = this.#nodes[slot] as SimulatedNode;
    if (act.do === 'restart') {
      if (node.state === 'gone') this.#wish(this.#start(slot), null);
      return;
    }
    if (node.state !== 'up') return;
    switch (act.do) {
      case 'crash':
        node.state = 'gone';
        node.clock.paused = true;
        node.killed.open();
        for (const name of node.unwritten) this.#wanted.delete(name);
        for (const [wish, by] of this.#wishes) if (by === node) this.#wishes.delete(wish);
        return node.ports.cut(true, true);
      case 'pause':
        node.state = 'paused';
        node.clock.paused = true;
        return this.#later(act.ms, () => {
          node.clock.paused = false;
          node.state = 'up';
        });
      case 'drain':
        node.state = 'leaving';
        return this.#wish(
          node.kernel.close().finally(() => {
            node.state = 'gone';
            for (const name of node.unwritten) this.#wanted.delete(name);
          }),
          node,
        );
      case 'cut':
      case 'cutWithPulse':
        if (act.do === 'cutWithPulse') this.#doubt();
        node.ports.cut(true, act.do === 'cutWithPulse');
        return this.#later(act.ms, () => node.state !== 'gone' && node.ports.cut(false, false));
      case 'link':
        node.ports.bus.link(false);
        return this.#later(60, () => node.ports.bus.link(true));
      case 'blip':
        this.#doubt();
        node.ports.bus.dropPulse();
        return this.#later(150, () => node.state !== 'gone' && node.ports.bus.restorePulse());
      case 'step':
        return node.clock.step(act.ms);
      case 'ensure':
      case 'hold':
      case 'unhold':
      case 'move':
      case 'stop':
        return this.#use(node, act.do, `p${act.name % NAMES}`);
    }
  }

  #use(node: SimulatedNode, what: Use['do'], name: string): void {
    const { kernel } = node;
    const since = this.#chapter(name);
    switch (what) {
      case 'ensure':
        return this.#wish(
          kernel.ensure(spec(name)).then(() => ENDS_UNHELD.has(name) || this.#want(name, since)),
          node,
        );
      case 'hold':
        node.holding.add(name);
        return this.#agree(node, name);
      case 'unhold':
        node.holding.delete(name);
        return this.#agree(node, name);
      case 'move':
        return this.#wish(kernel.move(name), node);
      case 'stop':
        // Refused or not, it may have been done: nobody relies on it any more.
        this.#unwant(name);
        return this.#wish(
          kernel.stop(name).finally(() => this.#unwant(name)),
          node,
        );
    }
  }

  /** Brings the cluster in line with what a node holds, as presence does: tried until it is, one thing at a time. */
  #agree(node: SimulatedNode, name: string): void {
    const attempt = async (): Promise<void> => {
      for (;;) {
        try {
          const since = this.#chapter(name);
          if (!node.holding.has(name)) return await node.kernel.unhold(name, 'viewer');
          await node.kernel.hold(spec(name), 'viewer');
          return this.#want(name, since);
        } catch {
          if (node.state === 'gone') return;
          await sleep(node.clock, 200);
        }
      }
    };
    const agreed = (node.agreed.get(name) ?? Promise.resolve()).then(attempt);
    node.agreed.set(name, agreed);
    this.#wish(agreed, node);
  }

  /** An answer to what was asked before the store lost its data, or somebody stopped it, says nothing about now. */
  #want(name: string, since: string): void {
    if (since === this.#chapter(name)) this.#wanted.add(name);
  }

  #chapter(name: string): string {
    return `${this.#wipes}:${this.#stops.get(name) ?? 0}`;
  }

  #unwant(name: string): void {
    this.#wanted.delete(name);
    this.#stops.set(name, (this.#stops.get(name) ?? 0) + 1);
  }

  /** Ends in some way, sooner or later; how does not matter. What a killed node wished for ends with it. */
  #wish(promise: Promise<unknown>, by: SimulatedNode | null): void {
    const since = this.time.elapsed;
    const wish = promise
      .catch(() => undefined)
      .finally(() => {
        this.#wishes.delete(wish);
        const took = this.time.elapsed - since;
        if (took > WISH_MS * 2) this.#violated(`a call took ${took} ms`);
      });
    this.#wishes.set(wish, by);
  }

  #doubt(): void {
    this.#doubtUntil = this.time.elapsed + LEASE_MS * 2;
  }

  #later(ms: number, wake: () => void): void {
    this.#wakings.push({ at: this.time.elapsed + ms, wake });
  }

  /** Time goes by in small steps; after each, nobody may own what another owns. */
  async #pass(ms: number): Promise<void> {
    const until = this.time.elapsed + ms;
    while (this.time.elapsed < until) {
      await this.time.advance(Math.min(STEP_MS, until - this.time.elapsed));
      for (const waking of this.#wakings.filter(({ at }) => at <= this.time.elapsed)) {
        this.#wakings.splice(this.#wakings.indexOf(waking), 1);
        waking.wake();
      }
      this.#lookForOverlaps();
    }
  }

  #lookForOverlaps(): void {
    const owners = new Map<string, Life[]>();
    for (const life of this.#lives) {
      if (life.stopped || life.owner?.state === 'gone' || !life.context.owns()) continue;
      owners.set(life.name, [...(owners.get(life.name) ?? []), life]);
    }
    for (let i = 0; i < NAMES; i++) {
      const name = `p${i}`;
      const at = owners.get(name) ?? [];
      const lasted = at.length > 1 ? (this.#overlaps.get(name) ?? 0) + STEP_MS : 0;
      this.#overlaps.set(name, lasted);
      if (at.length < 2) continue;
      const who = at.map(({ context }) => `${context.node} (${context.fence})`).join(', ');
      if (this.time.elapsed > this.#doubtUntil) this.#violated(`${name} has several owners: ${who}`);
      else if (lasted > LEASE_MS) this.#violated(`${name} has several owners for ${lasted} ms: ${who}`);
    }
  }

  /** Everything that was broken is mended, and everything that was begun comes to its end. */
  async #recover(): Promise<void> {
    await this.#pass(Math.max(0, ...this.#wakings.map(({ at }) => at - this.time.elapsed)) + STEP_MS);
    while (this.#nodes.some((node) => node.state === 'leaving')) await this.#pass(100);
    for (let slot = 0; slot < NODES; slot++)
      if (this.#nodes[slot]?.state === 'gone') await this.#within(this.#start(slot), 'start');
    await this.#pass(LEASE_MS * 5);
    const deadline = this.time.elapsed + WISH_MS;
    while (this.#wishes.size > 0 && this.time.elapsed < deadline) await this.#pass(100);
    if (this.#wishes.size > 0) this.#violated(`${this.#wishes.size} calls never ended`);
    await this.#pass(LEASE_MS * 3);
  }

  #living(): SimulatedNode[] {
    return this.#nodes.filter((node) => node.state === 'up');
  }

  async #within<T>(promise: Promise<T>, what: string): Promise<T> {
    let over = false;
    const done = promise.finally(() => (over = true));
    done.catch(() => undefined);
    const deadline = this.time.elapsed + 60_000;
    while (!over) {
      if (this.time.elapsed > deadline) throw new Error(`${what} never ended`);
      await this.#pass(STEP_MS);
    }
    return done;
  }

  #violated(what: string): void {
    if (this.violations.length < 20) this.violations.push(`${Math.round(this.time.elapsed)} ms: ${what}`);
  }
}

function spec(name: string) {
  return { name, kind: 'worker', args: null };
}
