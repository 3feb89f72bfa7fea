import { Agent, get } from 'node:http';
import type { OpenOrder } from './protocol.js';
import type { Tally } from './tally.js';

/** A viewer of the old way: asks again and again over HTTP, on a connection that stays open. */
export class RestViewer {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #timer: NodeJS.Timeout | null = null;
  #waiting = false;

  constructor(
    private readonly order: OpenOrder,
    private readonly tally: Tally,
  ) {}

  open(): Promise<void> {
    const everyMs = this.order.everyMs ?? 1_000;
    this.#timer = setTimeout(() => {
      this.#ask();
      this.#timer = setInterval(() => this.#ask(), everyMs);
    }, Math.random() * everyMs);
    return Promise.resolve();
  }

  close(): void {
    clearInterval(this.#timer ?? undefined);
    this.#agent.destroy();
  }

  #ask(): void {
    // The last answer is not there yet: as a browser would, it waits. Its lateness is in that answer's time.
    if (this.#waiting) return;
    this.#waiting = true;
    const began = this.tally.now();
    get({ host: '127.0.0.1', port: this.order.port, path: '/', agent: this.#agent }, (response) => {
      response.on('data', (chunk: Buffer) => (this.tally.bytes += chunk.length));
      response.on('end', () => {
        this.#waiting = false;
        this.tally.messages += 1;
        this.tally.latency(this.tally.now() - began);
        if (response.statusCode !== 200) this.tally.error(`status ${response.statusCode}`);
      });
    }).on('error', () => {
      this.#waiting = false;
      if (this.#timer) this.tally.error('request failed');
    });
  }
}
