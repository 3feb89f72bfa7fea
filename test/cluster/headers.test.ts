import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { clock, oneRow } from './hub.js';

let cluster: TestCluster;
let base: string;

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 1,
    topics: { 'clock.sql': clock('headers_rows', '1s') },
    schema: oneRow('headers_rows'),
  });
  base = cluster.nodes[0]?.url ?? '';
}, 60_000);
afterAll(() => cluster?.stop(), 60_000);

const PAGES = ['/', '/rooms', '/rows', '/console', '/reference', '/recordings', '/watch', '/docs', '/docs/reliability'];
const OTHERS = [
  '/api',
  '/api/topics',
  '/api/topics/clock',
  '/api/topics/none',
  '/health/ready',
  '/metrics',
  '/nowhere',
];

/** A policy's sources by directive. */
function policyOf(headers: Headers): Map<string, string[]> {
  const text = headers.get('content-security-policy') ?? '';
  return new Map(
    text.split(';').map((directive): [string, string[]] => {
      const [name = '', ...sources] = directive.trim().split(/\s+/);
      return [name, sources];
    }),
  );
}

test.each([...PAGES, ...OTHERS])('%s is sent with headers that allow the hub itself and nothing else', async (path) => {
  const { headers } = await fetch(base + path);
  const policy = policyOf(headers);
  expect(policy.get('default-src')).toEqual(["'self'"]);
  expect(policy.get('connect-src')).toEqual(["'self'"]);
  expect(policy.get('frame-ancestors')).toEqual(["'none'"]);
  expect(policy.get('object-src')).toEqual(["'none'"]);
  const sources = [...policy.values()].flat();
  expect(sources.filter((source) => /unsafe|\*|^https?:/.test(source))).toEqual([]);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('x-powered-by')).toBeNull();
});

test.each(PAGES)('%s keeps to its own policy: no script and no style of its own in its text', async (path) => {
  const response = await fetch(base + path);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/html/)]);
  const html = await response.text();
  const scripts = html.match(/<script\b[^>]*>/g) ?? [];
  expect(scripts.filter((tag) => !/\bsrc="(?![a-z]+:|\/\/)/.test(tag))).toEqual([]);
  expect(html).not.toMatch(/<style\b|\sstyle="|\son[a-z]+="|javascript:/i);
});

test('what a page loads is sent with them, too', async () => {
  const html = await (await fetch(base)).text();
  const assets = [...html.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path ?? '');
  expect(assets.length).toBeGreaterThan(0);
  for (const path of assets) {
    const { status, headers } = await fetch(base + path);
    expect([path, status, headers.get('x-content-type-options')]).toEqual([path, 200, 'nosniff']);
    expect(policyOf(headers).get('default-src')).toEqual(["'self'"]);
  }
});
