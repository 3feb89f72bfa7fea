import { MemoryCluster, type MemoryPorts } from '../../../src/kernel/memory/cluster.js';
import { busSuite } from './bus.suite.js';

busSuite('memory', async () => {
  const cluster = new MemoryCluster();
  const nodes = new Map<string, MemoryPorts>();
  return {
    port: async (node) => {
      const ports = cluster.connect(node);
      nodes.set(node, ports);
      return ports.bus;
    },
    interrupt: async (node) => {
      nodes.get(node)?.cut(true);
      nodes.get(node)?.cut(false);
    },
    disconnect: async (node) => nodes.get(node)?.close(),
    close: async () => undefined,
  };
});
