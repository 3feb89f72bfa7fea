import { expect, test } from '@jest/globals';
import { Tickets, TICKET_COOKIE } from '../../src/access/tickets.js';
import { AccessService } from '../../src/access/access.service.js';
import { request as requestFrom, settings } from './support.js';

const holder = {
  user: 'recording:1',
  roles: ['analyst', 'admin'],
  claims: { tenant_id: 7 },
  until: Date.now() + 60_000,
};
const request = (value: string) => ({ headers: { cookie: `a=b; ${TICKET_COOKIE}=${value}` }, socket: {} });

test('a ticket carries roles and claims, never administration, and ends', () => {
  const tickets = new Tickets(settings().secret);
  expect(tickets.of(request(tickets.issue(holder)))).toEqual({
    ...{ user: 'recording:1', roles: ['analyst'], claims: { tenant_id: 7 } },
    ...{ expiresAt: holder.until, guest: false },
  });
  expect(tickets.of(request(tickets.issue({ ...holder, until: Date.now() - 1 })))).toBeUndefined();
});

test('one that is forged, changed or of another cluster is none', () => {
  const ours = new Tickets(settings().secret);
  const theirs = new Tickets(new Uint8Array(32));
  const [body = '', signature = ''] = ours.issue(holder).split('.');
  const other = Buffer.from(JSON.stringify({ ...holder, roles: ['boss'] })).toString('base64url');
  for (const forged of [
    theirs.issue(holder),
    `${other}.${signature}`,
    `${body}.`,
    `${body}.${signature.slice(1)}`,
    'x.y',
  ])
    expect(ours.of(request(forged))).toBeUndefined();
});

test('on a hub whose admin API is open to this machine, a ticket opens it to nobody', async () => {
  const access = new AccessService(settings());
  expect(await access.isAdmin(requestFrom({}))).toBe(true);
  const cookie = `${TICKET_COOKIE}=${access.tickets.issue(holder)}`;
  expect(await access.isAdmin(requestFrom({ cookie }))).toBe(false);
});
