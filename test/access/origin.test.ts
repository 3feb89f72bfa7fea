import { describe, expect, it } from '@jest/globals';
import { TrustedProxies } from '../../src/access/address.js';
import { OriginPolicy, canonicalOrigin } from '../../src/access/origin.js';
import { request } from './support.js';

const policy = (origins: string[] = [], open = false, trusted = ['loopback']): OriginPolicy =>
  new OriginPolicy({ origins, open }, new TrustedProxies(trusted));

describe('a page', () => {
  it.each<[string, Record<string, string>, string?]>([
    ['of the hub itself', { host: 'hub.example:3000', origin: 'http://hub.example:3000' }],
    ['of the hub in capitals', { host: 'HUB.example', origin: 'http://hub.EXAMPLE' }],
    ['of the hub behind TLS', { host: 'hub.example', origin: 'https://hub.example' }],
    ['of the hub with the default port spelled out', { host: 'hub.example:443', origin: 'https://hub.example' }],
    ['of the hub at an IPv6 address', { host: '[::1]:3000', origin: 'http://[::1]:3000' }],
    ['of nobody: another program', { host: 'hub.example' }],
    [
      'that a trusted proxy asks for',
      { host: 'up1:3000', origin: 'https://hub.example', 'x-forwarded-host': 'hub.example' },
    ],
    [
      'that the nearest of two proxies asks for',
      { host: 'a', origin: 'https://hub.example', 'x-forwarded-host': 'evil.example, hub.example' },
    ],
  ])('may connect: %s', (_, headers) => {
    expect(policy().refusal(request(headers, '127.0.0.1'))).toBeUndefined();
  });

  it.each<[string, Record<string, string>, string?]>([
    ['of another host', { host: 'hub.example', origin: 'https://evil.example' }],
    ['of another port', { host: 'hub.example:3000', origin: 'http://hub.example:3001' }],
    ['of a longer name', { host: 'hub.example', origin: 'https://hub.example.evil.example' }],
    ['of a name below', { host: 'hub.example', origin: 'https://sub.hub.example' }],
    ['of a file, or in a sandbox', { host: 'hub.example', origin: 'null' }],
    ['of an empty origin', { host: 'hub.example', origin: '' }],
    ['of two origins', { host: 'hub.example', origin: 'https://hub.example https://evil.example' }],
    ['of an origin with a user', { host: 'hub.example', origin: 'https://hub.example@evil.example' }],
    ['of an origin with a path', { host: 'hub.example', origin: 'https://hub.example/page' }],
    ['of another scheme', { host: 'hub.example', origin: 'chrome-extension://hub.example' }],
    ['when the Host is none', { host: 'a b', origin: 'https://a' }],
    [
      'that a stranger asks for',
      { host: 'hub.example', origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' },
      '10.1.2.3',
    ],
  ])('may not connect: %s', (_, headers, from = '127.0.0.1') => {
    expect(policy().refusal(request(headers, from))).toMatch(/may not connect here: add it to CORS_ORIGIN/);
  });

  it('may connect when its origin is listed, and then the own ones still may', () => {
    const listed = policy(['https://dash.example.com', 'http://127.0.0.1:5173/']);
    expect(listed.allows(request({ origin: 'https://dash.example.com' }))).toBe(true);
    expect(listed.allows(request({ origin: 'http://127.0.0.1:5173' }))).toBe(true);
    expect(listed.allows(request({ origin: 'http://127.0.0.1:3000' }))).toBe(true);
    expect(listed.allows(request({ origin: 'http://dash.example.com' }))).toBe(false);
    expect(policy(['*']).allows(request({ origin: 'https://any.example' }))).toBe(true);
  });

  it('of a name that was made to point here may not connect to an open hub', () => {
    const rebound = request({ host: 'evil.example:3000', origin: 'http://evil.example:3000' });
    expect(policy([], true).allows(rebound)).toBe(false);
    expect(policy(['http://evil.example:3000'], true).allows(rebound)).toBe(true);
    const own = request({ host: 'localhost:3000', origin: 'http://localhost:3000' });
    expect(policy([], true).allows(own)).toBe(true);
    const proxied = { host: 'hub.example', origin: 'https://hub.example', 'x-forwarded-for': '203.0.113.9' };
    expect(policy([], true).allows(request(proxied))).toBe(true);
  });

  it('that is allowed by list is not the hub’s own', () => {
    const listed = policy(['https://dash.example.com']);
    expect(listed.isOwnOrNone(request({ origin: 'https://dash.example.com' }))).toBe(false);
    expect(listed.isOwnOrNone(request({ origin: 'null' }))).toBe(false);
    expect(listed.isOwnOrNone(request({ origin: 'http://127.0.0.1:3000' }))).toBe(true);
    expect(listed.isOwnOrNone(request())).toBe(true);
  });
});

describe('the options made of it', () => {
  it('answer the handshake as engine.io asks', () => {
    const answers: unknown[] = [];
    const decide = (error: unknown, allowed: boolean): void => void answers.push([error, allowed]);
    policy().allowRequest(request(), decide);
    policy().allowRequest(request({ origin: 'https://evil.example' }), decide);
    expect(answers).toEqual([
      [null, true],
      [expect.stringContaining('https://evil.example'), false],
    ]);
  });

  it('allow browsers what the list allows, and credentials never to everybody', () => {
    expect(policy().cors).toMatchObject({ origin: false });
    expect(policy(['https://dash.example.com/']).cors).toMatchObject({
      origin: ['https://dash.example.com'],
      credentials: true,
    });
    expect(policy(['*']).cors).toMatchObject({ origin: '*', credentials: false });
  });

  it.each(['dash.example.com', 'ftp://x', 'https://x/path', 'https://', 'https://a b', ''])(
    'refuse %j in the list',
    (entry) => {
      expect(() => canonicalOrigin(entry)).toThrow(/expected origins such as/);
      expect(() => policy([entry])).toThrow(RangeError);
    },
  );
});
