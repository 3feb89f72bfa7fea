import { MemoryCluster } from '../../../src/kernel/memory/cluster.js';
import { storeSuite } from './store.suite.js';

storeSuite('memory', async () => {
  const cluster = new MemoryCluster();
  return {
    port: async (node) => cluster.connect(node).store,
    wipe: async () => cluster.wipe(),
    close: async () => undefined,
  };
});
