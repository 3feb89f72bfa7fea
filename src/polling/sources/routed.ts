import type { Topic } from '../../topics/topic.js';
import type { Answer, Ask, AskOptions, Source } from '../source.js';

/** Topics in files are asked of the database, those in code of their code. */
export class RoutedSource implements Source {
  constructor(
    private readonly database: Source,
    private readonly code: Source,
  ) {}

  ask(topic: Topic, asks: readonly Ask[], options: AskOptions): Promise<Answer[]> {
    return this.#of(topic).ask(topic, asks, options);
  }

  ping(timeoutMs: number, topic?: Topic): Promise<void> {
    return (topic ? this.#of(topic) : this.database).ping(timeoutMs);
  }

  async close(): Promise<void> {
    await this.code.close();
    await this.database.close();
  }

  #of(topic: Topic): Source {
    return topic.read ? this.code : this.database;
  }
}
