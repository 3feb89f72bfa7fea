import { describe, expect, it } from '@jest/globals';
import { TrustedProxies, addressKey, isLocal, isLoopback, isLoopbackHost } from '../../src/access/address.js';
import { request } from './support.js';

describe('the address of a request', () => {
  const trusted = new TrustedProxies(['loopback', 'uniquelocal', '203.0.113.7']);

  it.each<[string, string, string | undefined, string]>([
    ["is the peer's", '198.51.100.4', undefined, '198.51.100.4'],
    ["is the peer's when it is not trusted, whatever it says", '198.51.100.4', '1.2.3.4', '198.51.100.4'],
    ['is what a trusted proxy says', '127.0.0.1', '198.51.100.4', '198.51.100.4'],
    ['is the last one that no trusted proxy wrote', '10.0.0.2', '1.1.1.1, 198.51.100.4, 203.0.113.7', '198.51.100.4'],
    ['is not what the client put in front', '127.0.0.1', '127.0.0.1, 198.51.100.4', '198.51.100.4'],
    ['is plain when it came over an IPv6 socket', '::ffff:198.51.100.4', undefined, '198.51.100.4'],
    ['is without a port', '127.0.0.1', '198.51.100.4:5555', '198.51.100.4'],
    ['is without brackets', '::1', '[2001:db8::1]:5555', '2001:db8::1'],
    ["is the proxy's own when it says nothing of use", '127.0.0.1', 'unknown', '127.0.0.1'],
    ["is the innermost proxy's when all are trusted", '127.0.0.1', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
  ])('%s', (_, peer, forwarded, address) => {
    expect(trusted.addressOf(request(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }, peer))).toBe(
      address,
    );
  });

  it('is the peer’s when nobody is trusted', () => {
    expect(new TrustedProxies([]).addressOf(request({ 'x-forwarded-for': '1.2.3.4' }))).toBe('127.0.0.1');
  });

  it('is empty for a socket that is gone', () => {
    expect(trusted.addressOf({ headers: {}, socket: {} })).toBe('');
  });
});

describe('the list of trusted proxies', () => {
  it.each(['nginx', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::1/129', '10.0.0.0/-1', ''])(
    'refuses %j',
    (entry) => {
      expect(() => new TrustedProxies([entry])).toThrow(
        /expected an address, a network such as 10\.0\.0\.0\/8, or one of loopback/,
      );
    },
  );

  it('takes names, addresses and networks of both families', () => {
    const list = new TrustedProxies(['linklocal', '192.0.2.1', '2001:db8::/32']);
    expect(['169.254.1.1', 'fe80::1', '192.0.2.1', '2001:db8:9::1'].every((address) => list.trusts(address))).toBe(
      true,
    );
    expect(['192.0.2.2', '2001:db9::1', '', 'x'].some((address) => list.trusts(address))).toBe(false);
  });

  it('decides whose forwarded headers count', () => {
    const list = new TrustedProxies(['loopback']);
    const headers = { 'x-forwarded-host': 'a, b' };
    expect(list.forwarded(request(headers), 'x-forwarded-host')).toBe('b');
    expect(list.forwarded(request(headers, '192.0.2.1'), 'x-forwarded-host')).toBeUndefined();
    expect(list.forwarded(request(), 'x-forwarded-proto')).toBeUndefined();
  });
});

describe('this machine', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['0.0.0.0', false],
    ['10.0.0.1', false],
    ['', false],
    ['localhost', false],
  ])('has the address %j: %p', (address, expected) => {
    expect(isLoopback(address)).toBe(expected);
  });

  it.each([
    ['localhost', true],
    ['LOCALHOST:3000', true],
    ['app.localhost:80', true],
    ['127.0.0.1:3000', true],
    ['[::1]:3000', true],
    ['localhost.evil.example', false],
    ['evil.example:3000', false],
    ['127.0.0.1.evil.example', false],
    ['2130706433', false],
    ['', false],
  ])('has the name %j: %p', (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected);
  });

  it.each<[string, Record<string, string>, string, boolean]>([
    ['itself', {}, '127.0.0.1', true],
    ['itself through its own proxy', { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' }, '127.0.0.1', true],
    ['another one', {}, '10.0.0.1', false],
    ['another one through a proxy', { 'x-forwarded-for': '198.51.100.4' }, '127.0.0.1', false],
    ['another one that puts 127.0.0.1 in front', { 'x-forwarded-for': '127.0.0.1, 198.51.100.4' }, '127.0.0.1', false],
    ['another one by X-Real-IP', { 'x-real-ip': '198.51.100.4' }, '127.0.0.1', false],
    ['another one by Forwarded', { forwarded: 'for=127.0.0.1' }, '127.0.0.1', false],
  ])('speaks for %s', (_, headers, from, expected) => {
    expect(isLocal(request(headers, from))).toBe(expected);
  });
});

describe('what an address is counted under', () => {
  it.each([
    ['198.51.100.4', '198.51.100.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('%j is %j', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});
