import { Inject, Injectable } from '@nestjs/common';
import { Kernel } from '../../kernel/kernel.js';
import { ADMIN_ROLE } from '../../access/identity.js';
import { TopicCatalogue } from '../../topics/catalogue.js';
import { formatDuration } from '../../topics/duration.js';
import type { CodeTopicOptions } from '../../topics/code-topic.js';
import { Topic } from '../../topics/topic.decorator.js';
import type { ReadCall } from '../../topics/topic.js';
import { Operations } from '../operations.js';
import type { NodeRow, ProcessRow, ViewerRow } from '../tables.js';
import type { Zombie } from '../zombies.js';
import type { LoggedEvent } from './event-log.js';
import { Gather } from './gather.js';
import { rates, sum, type TopicRates, type TopicSample } from './topic-figures.js';

/** What each node offers the console. */
export const EVENTS = 'events';
export const FIGURES = 'figures';

const MOST_EVENTS = 200;

const forAdmins = (title: string, interval: string, key: readonly string[]): CodeTopicOptions => ({
  title,
  interval,
  key,
  roles: [ADMIN_ROLE],
  maxRows: 50_000,
});

interface TopicRow extends TopicRates {
  readonly name: string;
  readonly title: string;
  readonly file: string;
  readonly interval: string;
  /** Whether it is a statement, which can be explained. */
  readonly sql: boolean;
  readonly channels: number;
  readonly viewers: number;
  readonly failed: number;
}

/**
 * The console's tables are topics like any other: polled once for the cluster while somebody looks, and not at all
 * while nobody does.
 */
@Injectable()
export class ConsoleTopics {
  /** The sums of the last round, to tell rates from. */
  #before = { at: 0, samples: new Map<string, TopicSample>() };

  constructor(
    @Inject(Operations) private readonly operations: Operations,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(Gather) private readonly gather: Gather,
    @Inject(Kernel) private readonly kernel: Kernel,
  ) {}

  @Topic('pollcast.nodes', forAdmins('Nodes', '1s', ['name']))
  nodes(): Promise<NodeRow[]> {
    return this.operations.nodes();
  }

  @Topic('pollcast.processes', forAdmins('Processes', '1s', ['name']))
  processes(): Promise<ProcessRow[]> {
    return this.operations.processes();
  }

  @Topic('pollcast.viewers', forAdmins('Viewers', '1s', ['channel']))
  viewers(): Promise<ViewerRow[]> {
    return this.operations.viewers();
  }

  @Topic('pollcast.zombies', forAdmins('Zombies', '5s', ['kind', 'name', 'node']))
  zombies(): Promise<Zombie[]> {
    return this.operations.zombies();
  }

  @Topic('pollcast.events', forAdmins('Kernel events', '1s', ['id']))
  async events(_params: object, { signal }: ReadCall): Promise<LoggedEvent[]> {
    const logs = await this.gather.ask<readonly LoggedEvent[] | null>(EVENTS, signal);
    return logs
      .flatMap(({ answer }) => answer ?? [])
      .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
      .slice(0, MOST_EVENTS);
  }

  @Topic('pollcast.topics', forAdmins('Topics', '2s', ['name']))
  async figures(_params: object, { signal }: ReadCall): Promise<TopicRow[]> {
    const [gathered, channels] = await Promise.all([
      this.gather.ask<Readonly<Record<string, TopicSample>> | null>(FIGURES, signal),
      this.operations.viewers(),
    ]);
    const at = this.kernel.clock.monotonic();
    const seconds = (at - this.#before.at) / 1000;
    const samples = new Map<string, TopicSample>();
    const rows = this.topics.list().map((topic): TopicRow => {
      const { name, title, file, intervalMs } = topic;
      const now = sum(gathered.flatMap(({ answer }) => answer?.[name] ?? []));
      samples.set(name, now);
      const watched = channels.filter(({ channel }) => channel === name || channel.startsWith(`${name}?`));
      return {
        name,
        title,
        file,
        interval: formatDuration(intervalMs),
        sql: topic.read === undefined,
        channels: watched.length,
        viewers: watched.reduce((count, { viewers }) => count + viewers, 0),
        failed: watched.filter(({ state }) => state === 'failed').length,
        ...rates(this.#before.samples.get(name), now, seconds),
      };
    });
    this.#before = { at, samples };
    return rows;
  }
}
