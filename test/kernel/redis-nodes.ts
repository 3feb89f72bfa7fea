import { newNodeId } from '../../src/kernel/identity.js';
import { Kernel } from '../../src/kernel/kernel.js';
import type { ProcessContext, ProcessKind, Running, StopReason } from '../../src/kernel/kind.js';
import { silent } from '../../src/kernel/log.js';
import type { RedisPorts } from '../../src/kernel/redis/cluster.js';
import { eventually } from '../support/eventually.js';
import type { RedisBench } from './ports/redis-bench.js';

export interface RedisNode {
  readonly kernel: Kernel;
  readonly ports: RedisPorts;
  readonly events: { name: string; event: unknown }[];
}

export interface Life {
  readonly name: string;
  readonly node: string;
  readonly fence: number;
  readonly context: ProcessContext<unknown>;
  stopped: StopReason | null;
}

/** Kernels of one process, over a real Redis and real time. */
export class RedisNodes {
  readonly nodes: RedisNode[] = [];
  readonly lives: Life[] = [];

  constructor(
    readonly bench: RedisBench,
    readonly leaseMs: number,
  ) {}

  async node(name: string, kind: ProcessKind = this.kind()): Promise<RedisNode> {
    const ports = await this.bench.connect(newNodeId(name));
    const kernel = new Kernel({ ports, version: '1', log: silent, leaseMs: this.leaseMs });
    kernel.define(kind);
    const events: RedisNode['events'] = [];
    kernel.events.onAny((event, details) => events.push({ name: event, event: details }));
    const node = { kernel, ports, events };
    this.nodes.push(node);
    await kernel.start();
    return node;
  }

  /** Does nothing but live; `more` is what it does besides. */
  kind(more: (life: Life) => Running = () => ({})): ProcessKind {
    return {
      kind: 'k',
      start: (_args, context) => {
        const { name, node, fence } = context;
        const life: Life = { name, node, fence, context, stopped: null };
        this.lives.push(life);
        return { handle: () => fence, stop: (reason) => void (life.stopped = reason), ...more(life) };
      },
    };
  }

  running(name: string): Life[] {
    return this.lives.filter((life) => life.name === name && life.stopped === null);
  }

  /** Resolves when each of the names runs exactly once, and the store says so too. */
  async settled(names: readonly string[]): Promise<Life[]> {
    return eventually(
      async () => {
        const lives = names.map((name) => {
          const [life, ...others] = this.running(name);
          if (!life || others.length > 0) throw new Error(`${others.length + (life ? 1 : 0)} of ${name} are running`);
          return life;
        });
        const store = this.nodes.at(-1)?.ports.store;
        for (const life of lives) {
          const record = await store?.process(life.name);
          if (record?.node !== life.node || record.fence !== life.fence)
            throw new Error(`the record of ${life.name} differs`);
        }
        return lives;
      },
      { what: `${names.length} names to run once each`, deadlineMs: 20_000 },
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kernel.close()));
    await this.bench.close();
  }
}

export const spec = (name: string) => ({ name, kind: 'k', args: null });
