import type { Socket } from 'socket.io';
import type { Logger } from '../kernel/log.js';
import type { BusPort, Unsubscribe } from '../kernel/ports/bus.js';

/** The part of a socket that is needed here. */
export type Reachable = Pick<Socket, 'emit'>;

interface Letter {
  /** Absent: to everybody. */
  readonly user?: string;
  readonly event: string;
  readonly payload: unknown;
}

const CHANNEL = 'people';

/**
 * Reaches people, on whichever node their sockets are: all sockets of a user, or everybody's.
 *
 * One bus channel for the whole cluster: a room of the Socket.IO adapter for each user would cost Redis a subscription for
 * each of them, used or not. At most once, as the bus is: whatever must not be missed can also be asked for
 * (`export:current`, `recording:list` …). While the cluster is away, people of this node are still reached.
 */
export class People {
  /** Invariant: no user without a socket; `remove` keeps it so. */
  readonly #here = new Map<string, Set<Reachable>>();
  #unsubscribe: Unsubscribe | null = null;

  constructor(
    private readonly bus: BusPort,
    private readonly log: Logger,
  ) {}

  async open(): Promise<void> {
    this.#unsubscribe ??= await this.bus.subscribe(CHANNEL, (message) => this.#deliver(JSON.parse(message) as Letter));
  }

  async close(): Promise<void> {
    await this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  add(user: string, socket: Reachable): void {
    const sockets = this.#here.get(user) ?? new Set();
    this.#here.set(user, sockets);
    sockets.add(socket);
  }

  remove(user: string, socket: Reachable): void {
    const sockets = this.#here.get(user);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.#here.delete(user);
  }

  /** Whether somebody has a socket on this node. */
  isHere(user: string): boolean {
    return this.#here.has(user);
  }

  /** Emits an event to every socket of a user. Never rejects. */
  tell(user: string, event: string, payload: unknown): Promise<void> {
    return this.#send({ user, event, payload });
  }

  /** Emits an event to every socket there is. Never rejects. */
  tellAll(event: string, payload: unknown): Promise<void> {
    return this.#send({ event, payload });
  }

  async #send(letter: Letter): Promise<void> {
    try {
      await this.bus.publish(CHANNEL, JSON.stringify(letter));
    } catch (error) {
      this.log.debug({ err: error, event: letter.event }, 'only people of this node are told');
      this.#deliver(letter);
    }
  }

  #deliver({ user, event, payload }: Letter): void {
    const groups = user === undefined ? this.#here.values() : [this.#here.get(user) ?? []];
    for (const sockets of groups) for (const socket of sockets) socket.emit(event, payload);
  }
}
