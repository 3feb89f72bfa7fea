import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * What the network between two programs does.
 *
 * - `pass`: it works.
 * - `delay`: it works, each piece `ms` later.
 * - `blackhole`: nothing gets through in either direction, and nobody is told. What was sent meanwhile arrives when it works
 *   again, as TCP would send it again.
 * - `half-open`: the far side is gone, the near one has not noticed: what it sends goes nowhere. Its connections are reset
 *   when it works again.
 * - `refuse`: connections are reset, and new ones too.
 * - `mute`: commands are answered, but what was subscribed to is not heard: nothing comes back on a connection that has asked a
 *   Redis for a subscription, and nobody is told.
 */
export type ProxyMode = 'pass' | 'delay' | 'blackhole' | 'half-open' | 'refuse' | 'mute';

export interface TestProxy {
  readonly port: number;
  readonly mode: ProxyMode;
  /** open connections */
  readonly connections: number;
  become(mode: ProxyMode, ms?: number): void;
  /** Resets all connections once; new ones work, if they did. */
  reset(): void;
  stop(): Promise<void>;
}

/**
 * A way to `targetPort` of this machine, or of `host`, on which a test may do what networks do; found at `at`, an address of
 * this machine.
 */
export async function startProxy(targetPort: number, host = '127.0.0.1', at = '127.0.0.1'): Promise<TestProxy> {
  const pairs = new Set<Pair>();
  let mode: ProxyMode = 'pass';
  let delayMs = 0;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
    if (mode === 'refuse') return void near.on('error', () => undefined).resetAndDestroy();
    const pair = new Pair(near, targetPort, host, () => pairs.delete(pair));
    pairs.add(pair);
    pair.become(mode, delayMs);
  });
  await listening(server, at);
  const { port } = server.address() as AddressInfo;
  const resetAll = () => {
    for (const pair of [...pairs]) pair.reset();
  };
  return {
    port,
    get mode() {
      return mode;
    },
    get connections() {
      return pairs.size;
    },
    become(next, ms = 0) {
      const before = mode;
      mode = next;
      delayMs = ms;
      if (next === 'refuse' || before === 'half-open') resetAll();
      for (const pair of pairs) pair.become(next, ms);
    },
    reset: resetAll,
    async stop() {
      resetAll();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function listening(server: Server, at: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, at, resolve);
  });
}

/** One connection: the near side is whoever called, the far side the program behind. */
class Pair {
  #far: Socket | null = null;
  #delayMs = 0;
  #mode: ProxyMode = 'blackhole';
  #over = false;
  #subscribed = false;
  readonly #late: { due: number; act: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly near: Socket,
    private readonly port: number,
    private readonly host: string,
    private readonly gone: () => void,
  ) {
    near.setNoDelay(true);
    near.on('error', () => this.reset());
    near.on('close', () => this.reset());
    near.on('data', (data) => {
      this.#subscribed ||= /subscribe\r\n/i.test(data.toString('latin1'));
      this.#pass(data, this.#far);
    });
    near.on('end', () => this.#end(this.#far));
  }

  become(mode: ProxyMode, delayMs: number): void {
    if (this.#over) return;
    this.#mode = mode;
    this.#delayMs = mode === 'delay' ? delayMs : 0;
    if (mode === 'blackhole') {
      this.near.pause();
      this.#far?.pause();
    } else if (mode === 'half-open') {
      this.#far?.removeAllListeners('close').on('error', () => undefined);
      this.#far?.destroy();
      this.#far = null;
      // Read and forgotten, so that it goes on believing.
      this.near.resume();
    } else {
      if (!this.#far) this.#connect();
      this.near.resume();
      this.#far?.resume();
    }
  }

  reset(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#late.length = 0;
    for (const socket of [this.near, this.#far]) if (socket && !socket.destroyed) socket.resetAndDestroy();
    this.gone();
  }

  #connect(): void {
    const far = connect({ port: this.port, host: this.host, allowHalfOpen: true });
    this.#far = far;
    far.setNoDelay(true);
    far.on('error', () => this.reset());
    far.on('close', () => this.reset());
    far.on('data', (data) => {
      if (this.#mode !== 'mute' || !this.#subscribed) this.#pass(data, this.near);
    });
    far.on('end', () => this.#end(this.near));
  }

  #pass(data: Buffer, to: Socket | null): void {
    this.#after(() => to?.writable && to.write(data));
  }

  #end(to: Socket | null): void {
    if (this.#mode !== 'half-open') this.#after(() => to?.end());
  }

  /** In order: what a delay still holds when it is over arrives before what comes after it. */
  #after(act: () => void): void {
    if (this.#delayMs === 0 && this.#late.length === 0) return act();
    const last = this.#late.at(-1)?.due ?? 0;
    this.#late.push({ due: Math.max(last, performance.now() + this.#delayMs), act });
    this.#timer ??= setTimeout(() => this.#next(), this.#delayMs);
  }

  #next(): void {
    this.#timer = undefined;
    while (this.#late[0] && this.#late[0].due <= performance.now()) this.#late.shift()?.act();
    const [next] = this.#late;
    if (next && !this.#over) this.#timer ??= setTimeout(() => this.#next(), next.due - performance.now());
  }
}
