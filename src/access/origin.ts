import type { CorsOptions } from '@nestjs/common/internal.js';
import { header, isLoopback, isLoopbackHost, type RequestLike, type TrustedProxies } from './address.js';

export interface OriginSettings {
  /** Allowed besides the hub's own; `*` allows every one. */
  readonly origins: readonly string[];
  /** Nobody has to show a token: then a foreign page must not get in by giving its own name our address. */
  readonly open: boolean;
}

/**
 * Which pages may talk to the hub. A browser says in `Origin` which page speaks, and a page cannot change that; other
 * programs send none, or any, and are let in: they carry nobody's cookies.
 *
 * Same origin means the same host and port as in `Host`. The scheme is not compared, since a proxy that ends TLS hides
 * it. `X-Forwarded-Host` counts instead of `Host` only when a trusted proxy sent it.
 */
export class OriginPolicy {
  readonly #allowed: ReadonlySet<string>;
  readonly #any: boolean;

  /** @throws RangeError naming the entry that is not an origin */
  constructor(
    private readonly settings: OriginSettings,
    private readonly proxies: TrustedProxies,
  ) {
    this.#any = settings.origins.includes('*');
    this.#allowed = new Set(settings.origins.filter((entry) => entry !== '*').map(canonicalOrigin));
  }

  /** Why the request's page may not talk to us, as a sentence; undefined: it may. */
  refusal(request: RequestLike): string | undefined {
    const given = header(request, 'origin');
    if (given === undefined || this.#any) return undefined;
    const origin = parseOrigin(given);
    if (origin && this.#allowed.has(origin.origin)) return undefined;
    if (origin && this.#isOwn(origin, request)) return undefined;
    return `Pages of the origin ${shown(origin)} may not connect here: add it to CORS_ORIGIN if they should.`;
  }

  allows(request: RequestLike): boolean {
    return this.refusal(request) === undefined;
  }

  /** Whether the request comes from the hub's own pages or from no page. */
  isOwnOrNone(request: RequestLike): boolean {
    const given = header(request, 'origin');
    if (given === undefined) return true;
    const origin = parseOrigin(given);
    return origin !== null && this.#isOwn(origin, request);
  }

  /** For socket.io's `allowRequest`: its `cors` option alone does not stop a foreign page's websocket. */
  readonly allowRequest = (
    request: RequestLike,
    decide: (error: string | null | undefined, allowed: boolean) => void,
  ): void => {
    const refusal = this.refusal(request);
    decide(refusal ?? null, refusal === undefined);
  };

  /** For Nest's `enableCors` and socket.io's `cors`. The hub's own pages need none of it. */
  get cors(): CorsOptions {
    return {
      origin: this.#any ? '*' : this.#allowed.size > 0 ? [...this.#allowed] : false,
      methods: ['GET', 'HEAD', 'POST', 'DELETE'],
      allowedHeaders: ['Authorization', 'Content-Type', 'If-None-Match', 'Last-Event-ID'],
      exposedHeaders: ['ETag', 'Retry-After'],
      credentials: !this.#any,
      maxAge: 600,
    };
  }

  #isOwn(origin: URL, request: RequestLike): boolean {
    const forwarded = this.proxies.forwarded(request, 'x-forwarded-host');
    const host = forwarded ?? header(request, 'host');
    if (host === undefined || !sameHost(host, origin)) return false;
    return !this.#isRebound(request, host, forwarded);
  }

  /**
   * A foreign page whose name was made to point to 127.0.0.1 after it was loaded has that name in both headers. On an
   * open hub that is reached directly, own pages have a loopback name; a proxy in front shows by its headers.
   */
  #isRebound(request: RequestLike, host: string, forwarded: string | undefined): boolean {
    if (!this.settings.open || forwarded !== undefined || isLoopbackHost(host)) return false;
    return isLoopback(request.socket.remoteAddress ?? '') && header(request, 'x-forwarded-for') === undefined;
  }
}

/** @throws RangeError when it is not scheme, host and optional port alone */
export function canonicalOrigin(entry: string): string {
  const origin = parseOrigin(entry.replace(/\/$/, ''));
  if (!origin)
    throw new RangeError(`CORS_ORIGIN: expected origins such as https://dash.example.com, or *; got ${entry}`);
  return origin.origin;
}

function parseOrigin(text: string): URL | null {
  if (!/^https?:\/\/[^/?#@\\\s]+$/i.test(text) || !URL.canParse(text)) return null;
  return new URL(text);
}

function sameHost(host: string, origin: URL): boolean {
  const text = `${origin.protocol}//${host}`;
  return parseOrigin(text)?.host === origin.host;
}

/** What a client sent is repeated only when it is an origin. */
function shown(origin: URL | null): string {
  return origin ? origin.origin : '(none that can be named)';
}
