import type { NodeId } from '../identity.js';
import type { Hold, ProcessRecord, ProcessSpec } from '../ports/store.js';
import type { ScriptRunner } from './connection.js';
import type { KernelKeys } from './keys.js';
import { record, specArgs } from './records.js';

export interface NewHold {
  readonly spec: ProcessSpec;
  readonly hold: Hold;
}

export interface OldHold {
  readonly name: string;
  readonly node: NodeId;
  readonly ref: string;
}

/** The records of the processes that are held now, one for each hold; `null` where its node is not in the cluster. */
export function writeHolds(
  scripts: ScriptRunner,
  keys: KernelKeys,
  holds: readonly NewHold[],
): Promise<(ProcessRecord | null)[]> {
  return eachNode(
    holds,
    ({ hold }) => hold.node,
    async (node, ofNode) => {
      const processes = grouped(ofNode, ({ spec }) => spec.name);
      const flat = (await scripts.run(
        'hold',
        [keys.processes, keys.heldBy(node), keys.holders, keys.nodes, ...keysOf(keys, processes.keys())],
        [
          node,
          ...[...processes.values()].flatMap((group) => [
            ...specArgs((group[0] as NewHold).spec),
            group.length,
            ...group.flatMap(({ hold }) => [hold.ref, hold.detail]),
          ]),
        ],
      )) as unknown[] | null;
      const records = new Map([...processes.keys()].map((name, i) => [name, flat && record(flat[i])]));
      return ofNode.map(({ spec }) => records.get(spec.name) ?? null);
    },
  );
}

/** Whether each hold was there. */
export function removeHolds(scripts: ScriptRunner, keys: KernelKeys, holds: readonly OldHold[]): Promise<boolean[]> {
  return eachNode(
    holds,
    ({ node }) => node,
    async (node, ofNode) => {
      const processes = grouped(ofNode, ({ name }) => name);
      const flat = (await scripts.run(
        'unhold',
        [keys.heldBy(node), keys.holders, ...keysOf(keys, processes.keys())],
        [node, ...[...processes].flatMap(([name, group]) => [name, group.length, ...group.map(({ ref }) => ref)])],
      )) as number[];
      const inOrder = [...processes.values()].flat();
      const there = new Map(inOrder.map((hold, i) => [hold, flat[i] === 1]));
      return ofNode.map((hold) => there.get(hold) ?? false);
    },
  );
}

function keysOf(keys: KernelKeys, names: Iterable<string>): string[] {
  return [...names].flatMap((name) => [keys.process(name), keys.holds(name)]);
}

/** Nearly always there is one node: this one. */
async function eachNode<Q, A>(
  questions: readonly Q[],
  nodeOf: (question: Q) => NodeId,
  ask: (node: NodeId, ofNode: readonly Q[]) => Promise<A[]>,
): Promise<A[]> {
  const answers = new Map<Q, A>();
  await Promise.all(
    [...grouped(questions, nodeOf)].map(async ([node, ofNode]) => {
      const told = await ask(node, ofNode);
      ofNode.forEach((question, i) => answers.set(question, told[i] as A));
    }),
  );
  return questions.map((question) => answers.get(question) as A);
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
