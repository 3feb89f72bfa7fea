import { expect, test } from '@jest/globals';
import { Links } from '../../src/access/links.js';
import { settings } from './support.js';

const PATH = '/api/exports/one/file';
const links = new Links(settings().secret);
const linkOf = (query: string): string => query.slice(query.indexOf('=') + 1);
const soon = (): number => Date.now() + 60_000;

test('a link says whose it is, for its own path and its own time', () => {
  for (const user of ['ada', 'guest-x', 'ünï/cødé "x"']) {
    const link = linkOf(links.sign(PATH, user, soon()));
    expect(links.userOf(PATH, link)).toBe(user);
    expect(links.userOf('/api/exports/two/file', link)).toBeUndefined();
  }
  expect(links.userOf(PATH, linkOf(links.sign(PATH, 'ada', Date.now() - 1)))).toBeUndefined();
});

test("one that is forged, changed, of another cluster or none at all is nobody's", () => {
  const [body = '', signature = ''] = linkOf(links.sign(PATH, 'ada', soon())).split('.');
  const other = Buffer.from(JSON.stringify(['eve', soon()])).toString('base64url');
  const theirs = linkOf(new Links(new Uint8Array(32)).sign(PATH, 'ada', soon()));
  for (const link of [
    theirs,
    `${other}.${signature}`,
    `${body}.`,
    body,
    `.${signature}`,
    '',
    'x.y',
    7,
    ['a', 'b'],
    {},
  ]) {
    expect(links.userOf(PATH, link)).toBeUndefined();
  }
});
