import { PollcastError } from '../../errors.js';
import type { Topic } from '../../topics/topic.js';
import type { Answer, Ask, AskOptions, Source } from '../source.js';

/** Topics in files are asked of the database, those in code of their code. */
export class RoutedSource implements Source {
  /** @param database null where there are no topics in files */
  constructor(
    private readonly database: Source | null,
    private readonly code: Source,
  ) {}

  ask(topic: Topic, asks: readonly Ask[], options: AskOptions): Promise<Answer[]> {
    return this.#of(topic).ask(topic, asks, options);
  }

  async ping(timeoutMs: number, topic?: Topic): Promise<void> {
    await (topic ? this.#of(topic) : this.database)?.ping(timeoutMs);
  }

  async close(): Promise<void> {
    await this.code.close();
    await this.database?.close();
  }

  #of(topic: Topic): Source {
    if (topic.read) return this.code;
    if (this.database) return this.database;
    throw new PollcastError('UNAVAILABLE', `${topic.name} is a statement, and there is no database to ask.`);
  }
}
