import { Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Database } from '../database/database.js';
import { Decorated } from '../discovery/discovery.module.js';
import { PollcastError } from '../errors.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import { DATABASE, LOG } from '../node.tokens.js';
import { Metrics } from '../ops/metrics.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import { defineWorker, type WorkerDefinition } from './definition.js';
import { monitorKind } from './monitor-kind.js';
import { monitorName } from './names.js';
import { ROW_WORKER, type RowWorkerOptions } from './row-worker.decorator.js';
import { RowRunner } from './row-runner.js';
import { rowsTopic } from './rows-topic.js';
import { sliceKind } from './slice-kind.js';
import { RowTable } from './table.js';

/** One for the writes of a node, one for what it reads meanwhile. */
const CONNECTIONS = 2;

/** Finds the classes with `@RowWorker()` among the application's providers, and teaches the kernel their processes. */
@Module({})
export class RowsModule implements OnModuleInit, OnApplicationShutdown {
  readonly #runners: { readonly runner: RowRunner; readonly table: RowTable }[] = [];

  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(Decorated) private readonly decorated: Decorated,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    const found = this.decorated.providers<RowWorkerOptions>(ROW_WORKER);
    const places = new Map<string, string>();
    for (const { instance, where, given } of found) {
      const definition = await defineWorker(given, instance, where);
      const other = places.get(definition.name);
      if (other !== undefined) {
        throw new PollcastError('CONFLICT', `two row workers are named ${definition.name}: ${other} and ${where}`);
      }
      if (this.database.kind !== 'postgres') {
        throw new PollcastError(
          'BAD_REQUEST',
          `${where}: row workers need a Postgres as databaseUrl, and there is none`,
        );
      }
      places.set(definition.name, where);
      await this.#teach(definition);
    }
    if (places.size > 0) this.topics.define(rowsTopic(this.kernel, [...places.keys()]));
  }

  async onApplicationShutdown(): Promise<void> {
    for (const { runner, table } of this.#runners) {
      runner.close();
      await table.close();
    }
  }

  async #teach(definition: WorkerDefinition): Promise<void> {
    const { kernel, log } = this;
    const open = (connections: number): RowTable => new RowTable(this.database.ownerUrl, definition, log, connections);
    const table = open(CONNECTIONS);
    const { clock, name: node } = kernel;
    const runner = new RowRunner({
      definition,
      table,
      node,
      clock,
      log,
      metrics: this.metrics.rowWorkers,
      random: Math.random,
    });
    this.#runners.push({ runner, table });
    kernel.define(sliceKind(definition.name, runner));
    kernel.define(monitorKind({ definition, kernel, openTable: () => open(1) }));
    const name = monitorName(definition.name);
    await kernel.stand({ name, kind: name, args: {} });
  }
}
