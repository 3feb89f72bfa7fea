import type { Kernel } from '../../../src/kernel/kernel.js';
import type { ProcessContext, StopReason } from '../../../src/kernel/kind.js';
import type { MemoryCluster } from '../../../src/kernel/memory/cluster.js';
import type { VirtualClock } from '../../support/virtual-clock.js';
import type { Gate } from '../gate.js';
import type { SimulatedPorts } from './network.js';

export interface SimulatedNode {
  readonly kernel: Kernel;
  readonly ports: SimulatedPorts;
  readonly clock: VirtualClock;
  readonly holding: Set<string>;
  /** What only this node knows of, since the store has lost its data. */
  readonly unwritten: Set<string>;
  readonly agreed: Map<string, Promise<void>>;
  readonly killed: Gate;
  state: 'up' | 'paused' | 'leaving' | 'gone';
}

export interface Life {
  readonly name: string;
  readonly owner: SimulatedNode | undefined;
  readonly context: ProcessContext<number>;
  stopped: StopReason | null;
}

/** Like pollers, these end when nobody holds them. */
export const ENDS_UNHELD: ReadonlySet<string> = new Set(['p2', 'p3']);

export interface Settled {
  readonly memory: MemoryCluster;
  readonly living: readonly SimulatedNode[];
  readonly lives: readonly Life[];
  /** Names that are to run. */
  readonly wanted: ReadonlySet<string>;
  /** The highest fence under which something was accepted, per name. */
  readonly accepted: ReadonlyMap<string, number>;
}

/** Whether everything is in its place once nothing goes wrong any more: one sentence for each thing that is not. */
export function check({ memory, living, lives, wanted, accepted }: Settled): string[] {
  const troubles: string[] = [];
  const same = (what: string, is: unknown, should: unknown): void => {
    const [seen, right] = [JSON.stringify(is), JSON.stringify(should)];
    if (seen !== right) troubles.push(`${what}: ${seen} instead of ${right}`);
  };
  const { nodes, processes, holds } = memory.store;
  const ids = living.map((node) => node.kernel.id).sort();
  const running = lives.filter((life) => life.stopped === null && life.owner?.state === 'up');
  same('nodes', [...nodes.keys()].sort(), ids);

  const held = new Set(living.flatMap((node) => [...node.holding]));
  for (const name of ENDS_UNHELD) {
    if (!held.has(name) && processes.has(name)) troubles.push(`${name} runs for nobody`);
  }
  for (const name of wanted) {
    const idle = ENDS_UNHELD.has(name) && !held.has(name);
    if (!idle && !processes.has(name)) troubles.push(`the spec of ${name} is lost`);
  }
  for (const [name, record] of processes) {
    const [life, ...others] = running.filter((one) => one.name === name);
    if (!life || others.length > 0) {
      troubles.push(`${others.length + (life ? 1 : 0)} of ${name} are running; its record: ${JSON.stringify(record)}`);
      continue;
    }
    const { node, fence } = life.context;
    same(`owner of ${name}`, [record.node, record.fence, record.state], [node, fence, 'running']);
    same(`lease of ${name}`, memory.lease(name)?.value.split('#')[0], node);
    if ((accepted.get(name) ?? 0) > fence) troubles.push(`${name} is refused by what was written before it`);
  }
  for (const { name } of running) if (!processes.has(name)) troubles.push(`${name} runs without a spec`);
  for (const name of [...memory.leases.keys()]) {
    if (memory.lease(name) && !processes.has(name)) troubles.push(`a lease on ${name} without a process`);
  }

  const allHolds = [...holds].flatMap(([name, some]) => [...some.values()].map(({ node }) => ({ name, node })));
  for (const { kernel, holding } of living) {
    const own = allHolds.filter(({ node }) => node === kernel.id).map(({ name }) => name);
    same(`holds of ${kernel.id}`, own.sort(), [...holding].sort());
    const seen = kernel.nodes().map(({ id }) => id);
    same(`picture of ${kernel.id}`, seen.sort(), ids);
  }
  for (const { name, node } of allHolds) if (!ids.includes(node)) troubles.push(`${node}, dead, holds ${name}`);
  return troubles;
}
