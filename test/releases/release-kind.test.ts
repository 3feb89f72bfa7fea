import { describe, expect, it } from '@jest/globals';
import { newNodeId } from '../../src/kernel/identity.js';
import type { ProcessKind } from '../../src/kernel/kind.js';
import { releaseKind, type ReleaseKindParts, type Word } from '../../src/releases/release-kind.js';
import { RELEASES, RELEASES_CHANNEL } from '../../src/releases/release.js';
import { VirtualCluster, type VirtualNode } from '../kernel/virtual-cluster.js';

/** A node of `version` that watches releases as a hub does. */
async function join(cluster: VirtualCluster, name: string, version: string): Promise<VirtualNode> {
  // Of the kernel that this kind is taught to: filled in once that is made.
  const parts = {} as ReleaseKindParts;
  const kind: ProcessKind = {
    kind: RELEASES,
    restart: 'permanent',
    start: (args, context) => define().start(args, context),
  };
  const define = () => releaseKind(parts) as unknown as ProcessKind;
  const node = cluster.make(name, [kind], { version });
  const { kernel, ports } = node;
  Object.assign(parts, {
    bus: ports.bus,
    versions: () => kernel.nodes().map((one) => one.version),
    onNodes: (listen: () => void) => {
      const stops = [kernel.on('node:up', listen), kernel.on('node:down', listen)];
      return () => stops.forEach((stop) => stop());
    },
  } satisfies ReleaseKindParts);
  await kernel.stand({ name: RELEASES, kind: RELEASES, args: {} });
  await cluster.within(kernel.start());
  return node;
}

/** What is told in the cluster, as anybody hears it who is no node. */
async function listen(cluster: VirtualCluster): Promise<Word[]> {
  const heard: Word[] = [];
  const { bus } = cluster.shared.connect(newNodeId('listener'));
  await cluster.within(bus.subscribe(RELEASES_CHANNEL, (text) => heard.push(JSON.parse(text) as Word)));
  return heard;
}

const news = (heard: readonly Word[]) =>
  heard.filter((word) => word.news).map(({ rollout }) => rollout.release?.version);

async function restart(cluster: VirtualCluster, node: VirtualNode, name: string, version: string) {
  await cluster.within(node.kernel.close());
  return join(cluster, name, version);
}

describe('the process that watches releases', () => {
  it('tells of a release once, when the last node has come along; then of the rollback', async () => {
    const cluster = new VirtualCluster();
    const heard = await listen(cluster);
    const nodes = [await join(cluster, 'a', '1'), await join(cluster, 'b', '1'), await join(cluster, 'c', '1')];
    await cluster.time.advance(10_000);
    expect(news(heard)).toEqual([]);
    const told: string[] = [];
    for (const version of ['2', '1']) {
      for (const [i, node] of nodes.entries()) {
        expect(news(heard)).toEqual(told);
        nodes[i] = await restart(cluster, node, 'abc'.charAt(i), version);
        await cluster.time.advance(10_000);
      }
      told.push(version);
      expect(news(heard)).toEqual(told);
    }
    await cluster.close();
  });

  it('tells nothing of a rollout that stops half-way, and is taken back', async () => {
    const cluster = new VirtualCluster();
    const heard = await listen(cluster);
    let a = await join(cluster, 'a', '1');
    const b = await join(cluster, 'b', '1');
    a = await restart(cluster, a, 'a', '2');
    await cluster.time.advance(10_000);
    expect(await cluster.within(b.kernel.call(RELEASES, {}))).toMatchObject({
      release: { version: '1' },
      rolling: ['2'],
    });
    await restart(cluster, a, 'a', '1');
    await cluster.time.advance(10_000);
    expect(await cluster.within(b.kernel.call(RELEASES, {}))).toMatchObject({ release: { version: '1' }, rolling: [] });
    expect(news(heard)).toEqual([]);
    await cluster.close();
  });

  it('survives its node: the next one neither tells it again nor forgets it', async () => {
    const cluster = new VirtualCluster();
    const nodes = [await join(cluster, 'a', '1'), await join(cluster, 'b', '1'), await join(cluster, 'c', '1')];
    const owner = () => nodes.find(({ kernel }) => kernel.owned().some(({ name }) => name === RELEASES));
    const first = owner();
    const rest = nodes.filter((node) => node !== first);
    const heard = await listen(cluster);
    await cluster.kill(first!);
    await cluster.time.until(() => rest.some(({ kernel }) => kernel.owned().length > 0), 'a takeover');
    await cluster.time.advance(10_000);
    expect(news(heard)).toEqual([]);
    expect(await cluster.within(rest[1]!.kernel.call(RELEASES, {}))).toMatchObject({
      release: { version: '1' },
      rolling: [],
    });
    await Promise.all(rest.map((node) => cluster.within(node.kernel.close())));
  });
});
