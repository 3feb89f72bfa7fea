import { startChild, type Child } from '../support/children.js';
import { benchFile } from '../support/project.js';
import type { Load, OpenOrder, Opened, Order } from './protocol.js';

/** A load generator in a process of its own, as the bench speaks to it. */
export class LoadGenerator {
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #last = 0;

  private constructor(private readonly child: Child) {
    child.process.on('message', (message) => {
      const { id, result, error } = message as { id: number; result?: unknown; error?: string };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error));
    });
    void child.exited.then(() => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the load generator ended:\n${child.lines.join('\n')}`));
      this.#waiting.clear();
    });
  }

  static async start(): Promise<LoadGenerator> {
    return new LoadGenerator(await startChild(process.execPath, [benchFile('load/generator.js')], process.env));
  }

  /** Rejects when not all of them are let in: a half-open load measures nothing. */
  async open(order: Omit<OpenOrder, 'do'>): Promise<Opened> {
    const opened = (await this.#send({ do: 'open', ...order })) as Opened;
    if (Object.keys(opened.errors).length > 0) {
      throw new Error(`not all ${order.count} viewers were let in: ${JSON.stringify(opened.errors)}`);
    }
    return opened;
  }

  async begin(): Promise<void> {
    await this.#send({ do: 'begin' });
  }

  async end(): Promise<Load> {
    return (await this.#send({ do: 'end' })) as Load;
  }

  /** How many are back so far, after they lost their node. */
  async returned(): Promise<number> {
    return (await this.#send({ do: 'returned' })) as number;
  }

  async close(): Promise<void> {
    await this.#send({ do: 'close' });
  }

  async stop(): Promise<void> {
    await this.child.kill('SIGKILL');
  }

  #send(order: Order): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.child.alive()) return reject(new Error('the load generator has ended'));
      const id = ++this.#last;
      this.#waiting.set(id, { resolve, reject });
      this.child.process.send({ id, order });
    });
  }
}
