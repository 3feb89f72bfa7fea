import type { Socket } from 'socket.io';

/** The part of ws that is needed here. */
interface Wire {
  ping(): void;
  on(event: 'pong', listener: () => void): void;
}

interface Conn {
  readonly transport: { readonly socket?: Wire };
}

export interface LifeSignsOptions {
  readonly everyMs: number;
  /** Two pings in a row were not answered. Told once, until something is heard again. */
  silent(id: string): void;
  /** At each answer. */
  heard(id: string): void;
}

/** Pings that may be unanswered. One more than one: the answer to the last may just be on its way. */
const PATIENCE = 2;

/**
 * Finds out soon which sockets have gone without a word: a pulled cable, a phone in a tunnel. Socket.IO's own pings take
 * 45 seconds, and are to be patient, for they end the connection; these end nothing.
 *
 * They are WebSocket's own pings, which browsers answer by themselves, whatever the page is busy with. They are counted
 * rather than timed: a node that was held up itself has not waited for anybody.
 */
export class LifeSigns {
  readonly #unanswered = new Map<string, { socket: Wire; pings: number }>();
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: LifeSignsOptions) {}

  /** Idempotent. */
  watch({ id, conn }: Pick<Socket, 'id' | 'conn'>): void {
    const { socket } = (conn as unknown as Conn).transport;
    if (!socket || this.#unanswered.has(id)) return;
    this.#unanswered.set(id, { socket, pings: 0 });
    socket.on('pong', () => this.#heard(id));
    this.#timer ??= setInterval(() => this.#ping(), this.options.everyMs);
  }

  forget(id: string): void {
    this.#unanswered.delete(id);
    if (this.#unanswered.size > 0 || !this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #heard(id: string): void {
    const watched = this.#unanswered.get(id);
    if (!watched) return;
    watched.pings = 0;
    this.options.heard(id);
  }

  #ping(): void {
    for (const [id, watched] of this.#unanswered) {
      if (watched.pings === PATIENCE) this.options.silent(id);
      watched.pings += 1;
      watched.socket.ping();
    }
  }
}
