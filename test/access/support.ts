import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import type { RequestLike } from '../../src/access/address.js';
import { DEFAULT_LIMITS, type AccessSettings } from '../../src/access/settings.js';
import type { Clock, Timer } from '../../src/kernel/clock.js';

export const SECRET = 'a secret that only the issuer and the hub know';
export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'pollcast';

export function settings(changes: Partial<AccessSettings> = {}): AccessSettings {
  return {
    auth: { mode: 'none' },
    loopback: true,
    origins: [],
    trustedProxies: ['loopback'],
    secret: new TextEncoder().encode('cluster-wide signing secret'),
    limits: DEFAULT_LIMITS,
    ...changes,
  };
}

/** A request as a browser or a program on `from` sends it. */
export function request(headers: Record<string, string> = {}, from = '127.0.0.1'): RequestLike {
  return { headers: { host: '127.0.0.1:3000', ...headers }, socket: { remoteAddress: from } };
}

/** Time that stands still until it is advanced; timers fire in order of their due time. */
export class ManualClock implements Clock {
  #wall: number;
  #mono = 0;
  readonly #timers = new Set<{ due: number; run: () => void }>();

  constructor(start = Date.parse('2030-01-01T00:00:00Z')) {
    this.#wall = start;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#mono;
  }

  after(ms: number, run: () => void): Timer {
    const timer = { due: this.#mono + ms, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  get waiting(): number {
    return this.#timers.size;
  }

  /** Sets the wall clock alone, as an administrator does. */
  step(ms: number): void {
    this.#wall += ms;
  }

  advance(ms: number): void {
    const end = this.#mono + ms;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.due - b.due).find((timer) => timer.due <= end);
      if (!next) break;
      this.#timers.delete(next);
      this.#move(next.due);
      next.run();
    }
    this.#move(end);
  }

  #move(to: number): void {
    this.#wall += to - this.#mono;
    this.#mono = to;
  }
}

export const seconds = (ms: number): number => Math.floor(ms / 1000);

/** A token that every check lets pass, but for what `changes` and `header` make of it. `undefined` leaves a claim out. */
export function token(
  key: CryptoKey | Uint8Array,
  alg: string,
  changes: JWTPayload = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const claims = { sub: 'ada', iss: ISSUER, aud: AUDIENCE, exp: seconds(Date.now()) + 3600, ...changes };
  const given = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  return new SignJWT(given).setProtectedHeader({ alg, ...header }).sign(key);
}

export const shared = new TextEncoder().encode(SECRET);

export interface KeyServer {
  readonly url: string;
  /** How often it was asked. */
  readonly asked: number;
  publish(...keys: JWK[]): void;
  /** Answers 500 from now on. */
  fail(): void;
  close(): Promise<void>;
}

export async function startKeyServer(): Promise<KeyServer> {
  let keys: JWK[] = [];
  let asked = 0;
  let failing = false;
  const server: Server = createServer((_, response) => {
    asked += 1;
    response.writeHead(failing ? 500 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys }));
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    get asked() {
      return asked;
    },
    publish: (...published) => {
      keys = published;
    },
    fail: () => {
      failing = true;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

export async function publicJwk(key: CryptoKey, alg: string, kid?: string): Promise<JWK> {
  return { ...(await exportJWK(key)), alg, use: 'sig', ...(kid === undefined ? {} : { kid }) };
}
