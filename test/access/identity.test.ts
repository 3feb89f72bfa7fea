import { describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { assertMayWatch, mayWatch } from '../../src/access/authorize.js';
import { guestIdentity, isAdministrator, rolesOf } from '../../src/access/identity.js';
import { deriveSecret, sameSecret } from '../../src/access/secret.js';

describe('the roles of a token', () => {
  it.each<[string, JWTPayload, string[]]>([
    ['come from an array', { roles: ['analyst', 'night shift'] }, ['analyst', 'night shift']],
    ['come from a text with spaces', { roles: 'analyst admin' }, ['analyst', 'admin']],
    ['come from a text with commas', { roles: 'analyst, admin,' }, ['analyst', 'admin']],
    ['come from `role`', { role: 'analyst' }, ['analyst']],
    ['come from `scope`', { scope: 'openid analyst' }, ['openid', 'analyst']],
    ['come from the first claim alone', { roles: ['analyst'], role: 'admin', scope: 'admin' }, ['analyst']],
    ['are none when the first claim is empty', { roles: [], scope: 'admin' }, []],
    ['come from the next claim when the first is null', { roles: null, role: 'analyst' }, ['analyst']],
    ['are named once', { roles: ['a', 'a'] }, ['a']],
    ['are texts only', { roles: ['a', 1, null, ['admin'], { admin: true }, ''] }, ['a']],
    ['are none in an object', { roles: { admin: true } }, []],
    ['are none in `true`', { roles: true }, []],
    ['are none without a claim', { sub: 'ada' }, []],
  ])('%s', (_, claims, roles) => {
    expect(rolesOf(claims)).toEqual(roles);
  });

  it('are compared by letter: Admin is not admin', () => {
    expect(isAdministrator({ ...guestIdentity('g'), roles: ['Admin'] })).toBe(false);
    expect(isAdministrator({ ...guestIdentity('g'), roles: ['admin'] })).toBe(true);
  });
});

describe('a topic', () => {
  const open = { name: 'sales.today', roles: [] };
  const guarded = { name: 'sales.margins', roles: ['analyst', 'boss'] };

  it('without roles may be watched by anyone who is let in', () => {
    expect(mayWatch(guestIdentity('g'), open)).toBe(true);
    expect(() => assertMayWatch(guestIdentity('g'), open)).not.toThrow();
  });

  it('with roles may be watched with one of them', () => {
    expect(mayWatch({ roles: ['boss'] }, guarded)).toBe(true);
    expect(mayWatch({ roles: ['intern', 'analyst'] }, guarded)).toBe(true);
  });

  it.each([[[]], [['intern']], [['admin']], [['Analyst']]])('is forbidden with the roles %j', (roles) => {
    expect(mayWatch({ roles }, guarded)).toBe(false);
    expect(() => assertMayWatch({ roles }, guarded)).toThrow(
      expect.objectContaining({
        code: 'FORBIDDEN',
        message: 'Watching sales.margins needs one of the roles analyst, boss, which this user does not have.',
      }),
    );
  });
});

describe('secrets', () => {
  it('derived for different purposes or from different origins differ, and are the same on every node', () => {
    const one = deriveSecret('shared', 'guests');
    expect(deriveSecret(new TextEncoder().encode('shared'), 'guests')).toEqual(one);
    expect(deriveSecret('shared', 'downloads')).not.toEqual(one);
    expect(deriveSecret('other', 'guests')).not.toEqual(one);
    expect(one).toHaveLength(32);
  });

  it.each([
    ['same', 'same', true],
    ['same', 'Same', false],
    ['same', 'same ', false],
    ['', '', true],
    ['', 'x', false],
    ['ü', 'u\u0308', false],
  ])('%j and %j are the same: %p', (given, expected, same) => {
    expect(sameSecret(given, expected)).toBe(same);
  });
});
