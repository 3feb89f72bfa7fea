import { PollcastError } from '../errors.js';
import type { Target } from './recording.js';

const RECORDER = 'Recorder';
/** What the recorder's browser may reach of the hub itself: pages, their parts, topics and sockets; not the admin API. */
const TOPICS_API = /^\/api\/topics(\/|$)/;

/**
 * Which addresses may be opened, and reached by what was opened: the hub itself and RECORDER_ALLOW. The hub is always
 * reached at the node's own address, whatever name its people know it by.
 */
export class Addresses {
  readonly #allowed: ReadonlySet<string>;
  readonly #any: boolean;

  /** @param hub origin of this node, as its own machine reaches it */
  constructor(
    readonly hub: string,
    allow: readonly string[],
  ) {
    this.#any = allow.includes('*');
    this.#allowed = new Set(allow.filter((entry) => entry !== '*'));
  }

  /**
   * The address to open. Asked on the node that records, too, which may allow other ones than the node that was asked. A page that
   * enters the room that is recorded does so under a name that tells the others.
   */
  open(target: Target, room?: string): string {
    const page = 'hub' in target ? new URL(target.hub, this.hub) : null;
    if (page && room !== undefined && isIn(page, room)) page.searchParams.set('name', RECORDER);
    const address = page?.href ?? ('url' in target ? target.url : '');
    if (this.allows(address)) return address;
    throw forbidden(address);
  }

  /**
   * A page of the hub that is in a room and shows nothing else, for recordings of a page that is not in it by itself;
   * `null`: it is.
   */
  listener(target: Target, room: string): string | null {
    if ('hub' in target && isIn(new URL(target.hub, this.hub), room)) return null;
    return new URL(`/watch?${new URLSearchParams(inRoom(room)).toString()}`, this.hub).href;
  }

  /** Whether the browser may send a request there, be it for a page, a redirect, a part of a page or a socket. */
  allows(address: string): boolean {
    if (!URL.canParse(address)) return false;
    const url = new URL(address);
    // Made by the page itself, without any request.
    if (['data:', 'blob:', 'about:'].includes(url.protocol)) return true;
    const http = url.protocol.replace(/^ws/, 'http');
    if (http !== 'http:' && http !== 'https:') return false;
    const origin = `${http}//${url.host}`;
    if (origin === this.hub) return !isAdminApi(url.pathname);
    return this.#any || this.#allowed.has(origin);
  }

  /** For the browser's own network, whatever the page may think of: the only ones that there are; `null`: all. */
  get origins(): readonly URL[] | null {
    return this.#any ? null : [this.hub, ...this.#allowed].map((origin) => new URL(origin));
  }
}

/** However it is spelt: routes are found whatever their case. */
function isAdminApi(pathname: string): boolean {
  let path: string;
  try {
    path = decodeURIComponent(pathname).toLowerCase().replace(/\/+/g, '/');
  } catch {
    return true;
  }
  return path.startsWith('/api') && !TOPICS_API.test(path);
}

/**
 * What a client gave as `url`: a path, or an address. One that names the hub as this client reaches it is a path.
 *
 * @throws PollcastError `BAD_REQUEST`; whether an address is allowed is for `Addresses`
 */
export function targetOf(given: string, ownHost: string | undefined): Target {
  if (given.startsWith('/') && !given.startsWith('//') && !given.includes('\\')) return { hub: given };
  const url = URL.canParse(given) ? new URL(given) : null;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.username || url.password) {
    throw new PollcastError(
      'BAD_REQUEST',
      'url: expected a path of the hub such as /?region=EU, or an http(s) address without a user name',
    );
  }
  if (ownHost !== undefined && url.host === ownHost) return { hub: `${url.pathname}${url.search}` };
  return { url: url.href };
}

/** Whether a page of the hub enters a room by itself. */
function isIn(page: URL, room: string): boolean {
  return page.pathname === `/rooms/${room}` || (page.pathname === '/watch' && page.searchParams.get('room') === room);
}

/** What makes the hub's page `/watch` enter a room, under a name that tells the others that they are recorded. */
export function inRoom(room: string): Record<string, string> {
  return { room, name: RECORDER };
}

export function forbidden(address: string): PollcastError {
  const origin = URL.canParse(address) ? new URL(address).origin : 'that address';
  return new PollcastError(
    'FORBIDDEN',
    `Only pages of the hub itself and of RECORDER_ALLOW may be recorded; ${origin} is neither.`,
  );
}
