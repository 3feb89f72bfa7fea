import { describe, expect, it } from '@jest/globals';
import { TrustedProxies } from '../../src/access/address.js';
import { Authenticator, bearerToken } from '../../src/access/authenticator.js';
import { Guests } from '../../src/access/guests.js';
import { Tickets } from '../../src/access/tickets.js';
import { SECRET, request, settings, shared, token } from './support.js';

const tickets = new Tickets(settings().secret);
const guests = new Guests(settings().secret, new TrustedProxies([]));
const open = new Authenticator({ mode: 'none' }, guests, tickets);
const closed = new Authenticator({ mode: 'jwt', secret: SECRET }, guests, tickets);

describe('without authentication', () => {
  it('everybody is a guest without rights that does not end', async () => {
    const identity = await open.authenticate(undefined, { request: request() });
    expect(identity).toEqual({ user: expect.stringMatching(/^guest-/), roles: [], claims: {}, guest: true });
  });

  it('a token that would be good elsewhere gives no rights', async () => {
    const given = await token(shared, 'HS256', { roles: ['admin'] });
    const identity = await open.authenticate(given, { request: request() });
    expect(identity).toMatchObject({ guest: true, roles: [], claims: {} });
  });

  it("the handshake's guest token goes before the cookie", async () => {
    const user = guests.newName();
    const cookie = `pollcast_guest=${guests.tokenFor(guests.newName())}`;
    const identity = await open.authenticate(undefined, { request: request({ cookie }), guest: guests.tokenFor(user) });
    expect(identity.user).toBe(user);
  });

  it('a forged guest token counts as none', async () => {
    const user = guests.newName();
    const cookie = `pollcast_guest=${guests.tokenFor(user)}`;
    const forged = guests.tokenFor(guests.newName()).slice(0, -2) + 'AA';
    expect((await open.authenticate(undefined, { request: request({ cookie }), guest: forged })).user).toBe(user);
  });

  it('over HTTP the guest token comes as a bearer token, and other headers are no fault', async () => {
    const user = guests.newName();
    const asBearer = request({ authorization: `Bearer ${guests.tokenFor(user)}` });
    expect((await open.authenticateRequest(asBearer)).user).toBe(user);
    expect((await open.authenticateRequest(request({ authorization: 'Basic YTpi' }))).guest).toBe(true);
  });
});

describe('with authentication', () => {
  it('a good token tells who it is, on a socket and over HTTP', async () => {
    const given = await token(shared, 'HS256');
    expect((await closed.authenticate(given, { request: request() })).user).toBe('ada');
    expect((await closed.authenticateRequest(request({ authorization: `bearer ${given}` }))).user).toBe('ada');
  });

  it('a guest token and a guest cookie are worth nothing', async () => {
    const guest = guests.tokenFor(guests.newName());
    const context = { request: request({ cookie: `pollcast_guest=${guest}` }), guest };
    await expect(closed.authenticate(undefined, context)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(closed.authenticate(guest, context)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it.each(['Basic YTpi', 'Bearer', 'Bearer a b', 'Token x'])('the header `%s` is refused', async (authorization) => {
    await expect(closed.authenticateRequest(request({ authorization }))).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('Bearer TOKEN'),
    });
  });
});

describe('the bearer token of a request', () => {
  it('is undefined when there is no header, and never more than the token', () => {
    expect(bearerToken(request())).toBeUndefined();
    expect(bearerToken(request({ authorization: 'Bearer  abc ' }))).toBe('abc');
  });
});
