import { describe, expect, it } from '@jest/globals';
import { TrustedProxies } from '../../src/access/address.js';
import { GUEST_COOKIE, Guests } from '../../src/access/guests.js';
import { ManualClock, request } from './support.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const secret = new TextEncoder().encode('the same on all nodes');
const proxies = new TrustedProxies(['loopback']);
const guests = (clock = new ManualClock(), key = secret): Guests => new Guests(key, proxies, clock);

const cookieIn = (setCookie: string | undefined): string => /^[^;]+/.exec(setCookie ?? '')?.[0] ?? '';

describe('a guest', () => {
  it('gets a name and a cookie that scripts cannot read and other sites do not send', () => {
    const { user, setCookie } = guests().visit(request());
    expect(user).toMatch(/^guest-[\w-]{12}$/);
    expect(setCookie).toMatch(/^pollcast_guest=v1\.[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
  });

  it('has a name that is not taken for a socket id', () => {
    expect(guests().newName()).not.toHaveLength(20);
  });

  it('is the same one when the same request is looked at twice', () => {
    const everybody = guests();
    const one = request();
    expect(everybody.visit(one)).toBe(everybody.visit(one));
    expect(everybody.visit(request()).user).not.toBe(everybody.visit(one).user);
  });

  it('is the same one after a refresh, on every node', () => {
    const clock = new ManualClock();
    const { user, setCookie } = guests(clock).visit(request());
    const cookie = `theme=dark; ${cookieIn(setCookie)}; other=1`;
    expect(guests(clock).visit(request({ cookie }))).toEqual({ user });
  });

  it('gets a new cookie under the old name before the old one runs out', () => {
    const clock = new ManualClock();
    const { user, setCookie } = guests(clock).visit(request());
    clock.advance(40 * DAY_MS);
    const later = guests(clock).visit(request({ cookie: cookieIn(setCookie) }));
    expect(later.user).toBe(user);
    expect(cookieIn(later.setCookie)).not.toBe(cookieIn(setCookie));
  });

  it('is a new one after two months of absence', () => {
    const clock = new ManualClock();
    const { user, setCookie } = guests(clock).visit(request());
    clock.advance(61 * DAY_MS);
    expect(guests(clock).visit(request({ cookie: cookieIn(setCookie) })).user).not.toBe(user);
  });

  it.each([
    ['over TLS', {}, true, '10.0.0.9'],
    ['behind a proxy that ends TLS', { 'x-forwarded-proto': 'https' }, false, '127.0.0.1'],
  ])('gets a cookie for TLS alone %s', (_, headers, encrypted, remoteAddress) => {
    const { setCookie } = guests().visit({ headers, socket: { encrypted, remoteAddress } });
    expect(setCookie).toMatch(/; Secure$/);
  });

  it('is not believed about TLS when it is no trusted proxy', () => {
    const { setCookie } = guests().visit(request({ 'x-forwarded-proto': 'https' }, '10.0.0.9'));
    expect(setCookie).not.toContain('Secure');
  });

  it('that keeps no cookies is recognised by a token', () => {
    const clock = new ManualClock();
    const user = guests(clock).newName();
    expect(guests(clock).recognise(guests(clock).tokenFor(user))).toBe(user);
  });
});

describe('a guest token', () => {
  const clock = new ManualClock();
  const good = guests(clock).tokenFor('guest-AAAAAAAAAAAA');
  const [version, , issued = '', signature = ''] = good.split('.');
  const lastChar = signature.at(-1) ?? '';
  const sibling = String.fromCharCode(lastChar.charCodeAt(0) + 1);

  it.each<[string, unknown]>([
    ['another name', [version, 'BBBBBBBBBBBB', issued, signature].join('.')],
    ['another time', [version, 'AAAAAAAAAAAA', (Number.parseInt(issued, 36) + 1).toString(36), signature].join('.')],
    ['another version', good.replace('v1', 'v2')],
    ['no signature', good.slice(0, -signature.length)],
    ['a cut signature', good.slice(0, -1)],
    ['another spelling of the signature', good.slice(0, -1) + sibling],
    ['something behind it', `${good}x`],
    ['a line break behind it', `${good}\n`],
    ['another secret', guests(clock, new TextEncoder().encode('of another cluster')).tokenFor('guest-AAAAAAAAAAAA')],
    ['nothing', undefined],
    ['an array', [good]],
    ['an object', { token: good }],
  ])('with %s is none', (_, token) => {
    const everybody = guests(clock);
    expect(everybody.recognise(good)).toBe('guest-AAAAAAAAAAAA');
    expect(everybody.recognise(token)).toBeUndefined();
    if (typeof token !== 'string' || token.includes('\n')) return;
    const visit = everybody.visit(request({ cookie: `${GUEST_COOKIE}=${token}` }));
    expect(visit.user).not.toBe('guest-AAAAAAAAAAAA');
    expect(visit.setCookie).toBeDefined();
  });

  it('under a longer cookie name is not looked at', () => {
    const visit = guests(clock).visit(request({ cookie: `x${GUEST_COOKIE}=${good}` }));
    expect(visit.user).not.toBe('guest-AAAAAAAAAAAA');
  });
});
