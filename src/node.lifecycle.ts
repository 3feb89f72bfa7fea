import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Hub } from './channels/hub.js';
import type { Config } from './config.js';
import type { Database } from './database/database.js';
import { sleep } from './kernel/clock.js';
import { Kernel } from './kernel/kernel.js';
import type { Logger } from './kernel/log.js';
import { CONFIG, DATABASE, LOG, SOURCE } from './node.tokens.js';
import type { Source } from './polling/source.js';
import { TopicCatalogue } from './topics/catalogue.js';

const DATABASE_PATIENCE_MS = 5_000;

/**
 * How a node comes and goes, in one place and one order.
 *
 *     start   database, cluster, topics (their providers) → kernel joins → HTTP and sockets listen
 *     stop    not ready any more → processes handed over → presence taken back → sockets close (Nest)
 *             → kernel leaves → source, topics, database end
 *
 * Nest does not await the sockets' `handleDisconnect`: whatever they hold in the cluster is taken back before.
 */
@Injectable()
export class NodeLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(Hub) private readonly hub: Hub,
    @Inject(SOURCE) private readonly source: Source,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.kernel.start();
    // Not awaited: a node without its database still serves what the cluster has, and says so.
    this.source.ping(DATABASE_PATIENCE_MS).catch((error: unknown) => {
      this.log.warn({ err: error }, 'the database does not answer: topics are polled as soon as it does');
    });
    this.log.info(
      { node: this.kernel.name, leaseMs: this.config.leaseMs, cluster: this.config.redisUrl ? 'redis' : 'memory' },
      'node joined',
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#within(
      'drain',
      (async () => {
        await this.kernel.drain();
        await this.hub.close();
      })(),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#within('leave the cluster', this.kernel.close());
    await this.#within('close the source', this.source.close());
    await this.#within('close the topics', this.topics.close());
    await this.#within('stop the database', this.database.stop());
    this.log.info({ node: this.kernel.name }, 'node left');
  }

  /** A graceful stop has an end: what takes too long, or fails, is left to the cluster's monitors. */
  async #within(what: string, work: Promise<void>): Promise<void> {
    const done = new AbortController();
    const late = sleep(this.kernel.clock, this.config.drainMs, done.signal).then(
      () => done.signal.aborted || this.log.warn({ drainMs: this.config.drainMs }, `could not ${what} in time`),
    );
    try {
      await Promise.race([work, late]);
    } catch (error) {
      this.log.warn({ err: error }, `could not ${what}`);
    } finally {
      done.abort();
    }
  }
}
