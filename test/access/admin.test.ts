import { describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { AccessService } from '../../src/access/access.service.js';
import type { RequestLike } from '../../src/access/address.js';
import type { AccessSettings } from '../../src/access/settings.js';
import { SECRET, request, settings, shared, startKeyServer, token } from './support.js';

const ADMIN_TOKEN = 'the-admin-token';

async function verdict(changes: Partial<AccessSettings>, asked: RequestLike): Promise<string> {
  const access = new AccessService(settings(changes));
  const code = await access.assertAdmin(asked).then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );
  expect(await access.isAdmin(asked)).toBe(code === 'ok');
  return code;
}

const bearer = (text: string): Record<string, string> => ({ authorization: `Bearer ${text}` });

describe('on loopback, without authentication and without ADMIN_TOKEN, the admin API', () => {
  it.each<[string, Record<string, string>, string?]>([
    ['a program on this machine', {}],
    ['a program by the name localhost', { host: 'localhost:3000' }],
    ["the hub's own page", { origin: 'http://127.0.0.1:3000' }],
    ['a program that sends some token', bearer('anything')],
    ['a program over IPv6', { host: '[::1]:3000' }, '::1'],
    ['a proxy here, for this machine', { 'x-forwarded-for': '127.0.0.1' }],
  ])('is open to %s', async (_, headers, from = '127.0.0.1') => {
    expect(await verdict({}, request(headers, from))).toBe('ok');
  });

  it.each<[string, string, Record<string, string>, string?]>([
    ["another page in this machine's browser", 'FORBIDDEN', { origin: 'https://evil.example' }],
    ['a page on another port', 'FORBIDDEN', { origin: 'http://127.0.0.1:8080' }],
    ['a sandboxed page', 'FORBIDDEN', { origin: 'null' }],
    [
      'a page of a name that was made to point here',
      'FORBIDDEN',
      { host: 'evil.example', origin: 'http://evil.example' },
    ],
    ['the same, reading without an origin', 'UNAUTHENTICATED', { host: 'evil.example' }],
    ['the same, pretending to be a proxy', 'UNAUTHENTICATED', { host: 'evil.example', 'x-forwarded-for': '127.0.0.1' }],
    ['somebody behind a proxy', 'UNAUTHENTICATED', { 'x-forwarded-for': '198.51.100.4' }],
    [
      'somebody behind a proxy who says he is here',
      'UNAUTHENTICATED',
      { 'x-forwarded-for': '127.0.0.1, 198.51.100.4' },
    ],
    ['another machine', 'UNAUTHENTICATED', {}, '10.0.0.9'],
  ])('is closed to %s', async (_, code, headers, from = '127.0.0.1') => {
    expect(await verdict({}, request(headers, from))).toBe(code);
  });

  it('is closed to pages of other origins even when these may watch', async () => {
    const origin = 'https://dash.example.com';
    expect(await verdict({ origins: [origin] }, request({ origin }))).toBe('FORBIDDEN');
    expect(await verdict({ origins: ['*'] }, request({ origin }))).toBe('FORBIDDEN');
  });
});

describe('with ADMIN_TOKEN the admin API', () => {
  const rules = { adminToken: ADMIN_TOKEN };

  it.each<[string, string, Record<string, string>]>([
    ['the token', 'ok', bearer(ADMIN_TOKEN)],
    ['no token, on loopback too', 'UNAUTHENTICATED', {}],
    ['a wrong token', 'UNAUTHENTICATED', bearer('guess')],
    ['the beginning of the token', 'UNAUTHENTICATED', bearer('the')],
    ['the token in capitals', 'UNAUTHENTICATED', bearer(ADMIN_TOKEN.toUpperCase())],
    ['the token as a password', 'UNAUTHENTICATED', { authorization: `Basic ${btoa(`admin:${ADMIN_TOKEN}`)}` }],
  ])('gives for %s: %s', async (_, code, headers) => {
    expect(await verdict(rules, request(headers))).toBe(code);
  });

  it('is closed without the token on a hub for everybody, even from this machine', async () => {
    expect(await verdict({ loopback: false }, request())).toBe('UNAUTHENTICATED');
    expect(await verdict({ loopback: false }, request(bearer('')))).toBe('UNAUTHENTICATED');
    expect(await verdict({ loopback: false }, request(bearer('undefined')))).toBe('UNAUTHENTICATED');
  });
});

describe('with JSON Web Tokens the admin API', () => {
  const rules: Partial<AccessSettings> = { auth: { mode: 'jwt', secret: SECRET } };

  it('is open to the role admin and to nobody else', async () => {
    const of = async (claims: JWTPayload): Promise<string> =>
      verdict(rules, request(bearer(await token(shared, 'HS256', claims))));
    expect(await of({ roles: ['admin'] })).toBe('ok');
    expect(await of({ roles: ['analyst'] })).toBe('FORBIDDEN');
    expect(await of({})).toBe('FORBIDDEN');
    expect(await of({ roles: ['admin'], exp: 1 })).toBe('UNAUTHENTICATED');
    expect(await verdict(rules, request())).toBe('UNAUTHENTICATED');
    expect(await verdict(rules, request(bearer('rubbish')))).toBe('UNAUTHENTICATED');
  });

  it('takes ADMIN_TOKEN as well', async () => {
    const both = { ...rules, adminToken: 'x'.repeat(40) };
    expect(await verdict(both, request(bearer('x'.repeat(40)), '10.0.0.9'))).toBe('ok');
    expect(await verdict(both, request(bearer(await token(shared, 'HS256', { role: 'admin' })), '10.0.0.9'))).toBe(
      'ok',
    );
    expect(await verdict(both, request(bearer('x'.repeat(39)), '10.0.0.9'))).toBe('UNAUTHENTICATED');
  });

  it('says that it cannot know when the key server is gone, instead of no', async () => {
    const server = await startKeyServer();
    server.fail();
    const access = new AccessService(settings({ auth: { mode: 'jwt', jwksUrl: server.url } }));
    const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
      'sign',
      'verify',
    ]);
    const asked = request(bearer(await token(privateKey, 'ES256', { roles: ['admin'] })));
    await expect(access.isAdmin(asked)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await server.close();
  });
});
