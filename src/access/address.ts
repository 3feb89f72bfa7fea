import { BlockList, isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';

/** The part of an HTTP request that decides about access; node's IncomingMessage has it. */
export interface RequestLike {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean };
}

const NETWORKS: Record<string, readonly string[]> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

const MOST_SAID = 1_000;

/**
 * Addresses that are believed when they say for whom they speak (`X-Forwarded-For`, `-Host`, `-Proto`). Anybody else can
 * write into these headers whatever he likes.
 */
export class TrustedProxies {
  readonly #list = new BlockList();
  /** What was said of an address: each connection asks several times, and the list makes objects of it each time. */
  readonly #said = new Map<string, boolean>();

  /** @throws RangeError naming the entry that is neither an address, a network nor a known name */
  constructor(entries: readonly string[]) {
    for (const entry of entries.flatMap((given) => NETWORKS[given] ?? [given])) addTo(this.#list, entry);
  }

  trusts(address: string): boolean {
    const said = this.#said.get(address);
    if (said !== undefined) return said;
    const family = isIP(address);
    const trusted = family !== 0 && this.#list.check(address, family === 4 ? 'ipv4' : 'ipv6');
    // Anybody may send any number of addresses.
    if (this.#said.size >= MOST_SAID) this.#said.clear();
    this.#said.set(address, trusted);
    return trusted;
  }

  /** The address a request came from: the last one that was not written by somebody we do not trust. */
  addressOf(request: RequestLike): string {
    const hops = (header(request, 'x-forwarded-for') ?? '').split(',').map(plainAddress);
    let address = plainAddress(request.socket.remoteAddress ?? '');
    while (this.trusts(address)) {
      const before = hops.pop();
      if (before === undefined || isIP(before) === 0) break;
      address = before;
    }
    return address;
  }

  /** A header that only a trusted peer may have written. */
  forwarded(request: RequestLike, name: 'x-forwarded-host' | 'x-forwarded-proto'): string | undefined {
    if (!this.trusts(plainAddress(request.socket.remoteAddress ?? ''))) return undefined;
    // Several proxies append; the nearest one's own view is the last.
    return header(request, name)?.split(',').at(-1)?.trim() || undefined;
  }
}

function addTo(list: BlockList, entry: string): void {
  const [address = '', prefix, ...rest] = entry.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const bits = prefix === undefined ? most : Number(prefix);
  if (family === 0 || rest.length > 0 || prefix === '' || !Number.isInteger(bits) || bits < 0 || bits > most) {
    throw new RangeError(
      `trusted proxy: expected an address, a network such as 10.0.0.0/8, or one of ${Object.keys(NETWORKS).join(', ')}; got ${entry}`,
    );
  }
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
}

export function header(request: Pick<RequestLike, 'headers'>, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

const LOOPBACK = new TrustedProxies(['loopback']);

export function isLoopback(address: string): boolean {
  return LOOPBACK.trusts(plainAddress(address));
}

/**
 * Whether somebody on this machine speaks, for nobody else. What a proxy here says about the client is believed as far
 * as it takes rights away, whether the proxy is trusted or not.
 */
export function isLocal(request: RequestLike): boolean {
  const said = [header(request, 'x-forwarded-for'), header(request, 'x-real-ip')].filter((text) => text !== undefined);
  if (header(request, 'forwarded') !== undefined) return false;
  return [request.socket.remoteAddress ?? '', ...said.flatMap((text) => text.split(','))].every(isLoopback);
}

/** Whether a Host header's name means this machine. A name of DNS may mean it too today, and another one tomorrow. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return isLoopback(name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name);
}

/** Without brackets, port and zone, and an IPv4 address that came over an IPv6 socket as IPv4. */
function plainAddress(given: string): string {
  const text = given.trim();
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(text)?.[1] ?? text;
  return bare.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
}

/**
 * What an address is counted under. One subscriber of IPv6 is given a whole /64, so all of that is one; and IPv4
 * addresses are counted singly.
 */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const front = groups(head);
  const back = groups(tail ?? '');
  const missing = tail === undefined ? 0 : 8 - front.length - back.length;
  return [...front, ...Array<string>(Math.max(0, missing)).fill('0'), ...back].slice(0, 4).join(':') + '::/64';
}

function groups(part: string): string[] {
  return part === '' ? [] : part.split(':').map((group) => group.replace(/^0+(?=.)/, ''));
}
