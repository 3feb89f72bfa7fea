import type { IncomingMessage } from 'node:http';
import type { ExtendedError, Server, Socket } from 'socket.io';
import { PollcastError, toPollcastError } from '../errors.js';
import type { Clock, Timer } from '../kernel/clock.js';
import { onExpiry } from './expiry.js';
import type { Identity } from './identity.js';
import type { LimitedSession, Limits } from './limits.js';
import { MAX_EVENT_BYTES, payloadSize } from './payload-size.js';

/** What is known about a connected socket. */
export interface SocketAccess {
  readonly identity: Identity;
  readonly address: string;
  readonly session: LimitedSession;
}

export interface SocketGuardOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  identify(socket: Socket): Promise<Identity>;
  addressOf(socket: Socket): string;
  /** Value of a Set-Cookie header for the answer to a handshake, if it needs one. */
  cookieFor(request: IncomingMessage): string | undefined;
}

/** One that goes on after so many refusals in a row does not read them: it is cut. */
const REFUSALS_BEFORE_CUT = 1_000;

/**
 * Stands between the sockets and the gateways: lets in whom it can name, ends a session with its token, and refuses
 * events that are too big or too many before any gateway sees them.
 */
export class SocketGuard {
  // Not in socket.data: that is sent to other nodes by the adapter.
  readonly #known = new WeakMap<Socket, SocketAccess>();

  constructor(private readonly options: SocketGuardOptions) {}

  attach(io: Server): void {
    io.use((socket, next) => {
      this.#admit(socket).then(
        () => next(),
        (error: unknown) => next(connectError(error)),
      );
    });
    io.engine.on('initial_headers', (headers: Record<string, string>, request: IncomingMessage) => {
      const cookie = this.options.cookieFor(request);
      if (cookie !== undefined) headers['Set-Cookie'] = cookie;
    });
  }

  /** @throws PollcastError `UNAUTHENTICATED` for a socket that did not come through here, or is gone */
  of(socket: Socket): SocketAccess {
    const access = this.#known.get(socket);
    if (!access) throw new PollcastError('UNAUTHENTICATED', 'This connection was not let in.');
    return access;
  }

  async #admit(socket: Socket): Promise<void> {
    const { limits, clock } = this.options;
    const identity = await this.options.identify(socket);
    const address = this.options.addressOf(socket);
    // Gone while its token was verified: nobody would tell us to give back what is counted below.
    if (socket.conn.readyState !== 'open') throw new PollcastError('UNAVAILABLE', 'The connection was closed.');
    const session = limits.open({ socket: socket.id, user: identity.user, address });
    this.#known.set(socket, { identity, address, session });
    const expiry = onExpiry(identity.expiresAt, () => socket.disconnect(true), clock);
    this.#closeWith(socket, session, expiry);
    this.#watchEvents(socket, session);
  }

  /** `disconnect` is not told of a socket that never got as far as `connection`; the transport's `close` always is. */
  #closeWith(socket: Socket, session: LimitedSession, expiry: Timer): void {
    const close = (): void => {
      socket.conn.off('close', close);
      expiry.cancel();
      session.close();
    };
    socket.conn.once('close', close);
    socket.once('disconnect', close);
  }

  #watchEvents(socket: Socket, session: LimitedSession): void {
    let refusals = 0;
    socket.use((event, next) => {
      admitEvent(session, event).then(
        () => {
          refusals = 0;
          next();
        },
        (error: unknown) => {
          refusals += 1;
          if (refusals >= REFUSALS_BEFORE_CUT) socket.disconnect(true);
          else refuse(event, error);
        },
      );
    });
  }
}

async function admitEvent(session: LimitedSession, event: readonly unknown[]): Promise<void> {
  const args = typeof event.at(-1) === 'function' ? event.slice(0, -1) : event;
  const bytes = payloadSize(args, MAX_EVENT_BYTES);
  await session.admitEvent(bytes);
  if (bytes <= MAX_EVENT_BYTES) return;
  throw new PollcastError('BAD_REQUEST', `A message may have at most ${MAX_EVENT_BYTES} bytes; this one is larger.`);
}

/** Answers in the event's acknowledgement, as the gateways do. One without gets no answer. */
function refuse(event: readonly unknown[], error: unknown): void {
  const acknowledge: unknown = event.at(-1);
  if (isAcknowledgement(acknowledge)) acknowledge({ ok: false, error: toPollcastError(error).toWire() });
}

function isAcknowledgement(value: unknown): value is (answer: object) => void {
  return typeof value === 'function';
}

/** socket.io sends `data` along with the message; nothing else of the error travels. */
function connectError(error: unknown): ExtendedError {
  const coded = toPollcastError(error);
  return Object.assign(new Error(coded.message), { data: coded.toWire() });
}
