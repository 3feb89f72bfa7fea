import type { Logger } from '../../src/kernel/log.js';
import { hubModule, useHub } from '../support/project.js';
import { settingsOf } from './peer.js';
import { onBegin, RowsClock, type RowsSettings } from './row-run.js';
import type * as identityModule from '../../src/kernel/identity.js';
import type * as kernelModule from '../../src/kernel/kernel.js';
import type * as memoryModule from '../../src/kernel/memory/cluster.js';
import type * as definitionModule from '../../src/rows/definition.js';
import type * as monitorModule from '../../src/rows/monitor-kind.js';
import type * as runnerModule from '../../src/rows/row-runner.js';
import type * as sliceModule from '../../src/rows/slice-kind.js';
import type * as tableModule from '../../src/rows/table.js';

/** A node that is only a kernel and one row worker. */
const settings = settingsOf<RowsSettings>();
useHub(settings.hub);
const { newNodeId } = await hubModule<typeof identityModule>('kernel/identity.js');
const { Kernel } = await hubModule<typeof kernelModule>('kernel/kernel.js');
const { MemoryCluster } = await hubModule<typeof memoryModule>('kernel/memory/cluster.js');
const { defineWorker } = await hubModule<typeof definitionModule>('rows/definition.js');
const { monitorKind } = await hubModule<typeof monitorModule>('rows/monitor-kind.js');
const { RowRunner } = await hubModule<typeof runnerModule>('rows/row-runner.js');
const { sliceKind } = await hubModule<typeof sliceModule>('rows/slice-kind.js');
const { RowTable } = await hubModule<typeof tableModule>('rows/table.js');

const say = (fields: object, message: string): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const quiet = (): void => undefined;
const log: Logger = { debug: quiet, info: quiet, warn: say, error: say };

const { atATime, everyMs, lookMs, spread, databaseUrl } = settings;
const clock = new RowsClock();
const options = {
  ...{ name: 'countdown', table: 'counters', match: 'value > 0', limit: atATime, spread },
  ...{ every: `${everyMs}ms`, look: `${lookMs}ms` },
};
const steps = { step: ({ value }: { value: number }) => ({ value: value - 1 }) };
const definition = await defineWorker(options, steps, 'bench');
const kernel = new Kernel({
  ports: new MemoryCluster().connect(newNodeId('bench')),
  version: 'bench',
  log,
  leaseMs: 5_000,
});
const table = new RowTable(databaseUrl, definition, log, 2);
let started = 0;
const runner = new RowRunner({
  ...{ definition, table, node: 'bench', clock: kernel.clock, log, random: Math.random },
  metrics: {
    step: () => undefined,
    group: () => {
      // The first statement of a wave comes when all its rows have a process.
      if (runner.running > started) clock.crowded();
      started = Math.max(started, runner.running);
    },
    late: (_worker, lateness, response) => clock.written(lateness * 1000, response * 1000),
    running: () => undefined,
  },
});
kernel.define(sliceKind(definition.name, runner));
kernel.define(monitorKind({ definition, kernel, openTable: () => new RowTable(databaseUrl, definition, log, 1) }));
await kernel.start();

onBegin(clock, () => {
  started = 0;
  return kernel.stand({ name: 'rows:countdown', kind: 'rows:countdown', args: {} });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ port: 0 });
