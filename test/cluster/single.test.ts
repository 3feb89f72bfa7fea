import { connect } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { startNode, type TestNode } from '../support/node.js';
import { complaints, get } from './hub.js';
import { TestViewer } from './viewer.js';

let node: TestNode | undefined;

afterEach(async () => {
  await node?.kill('SIGKILL');
});

/** What `npm start` starts: nothing given, so a database of its own with the demo's data, and no Redis. */
async function start(): Promise<{ node: TestNode; databasePort: number }> {
  node = await startNode();
  const line = node.logs.find((text) => text.includes('embedded Postgres runs')) ?? '{}';
  return { node, databasePort: (JSON.parse(line) as { port: number }).port };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

test('a node to which nothing is given serves the page and topics that move, and takes its database with it', async () => {
  const { node, databasePort } = await start();
  const page = await fetch(node.url);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  expect(await page.text()).toMatch(/<script type="module"/);
  expect((await get<unknown[]>(`${node.url}/api/topics`)).length).toBeGreaterThanOrEqual(6);

  const viewer = await TestViewer.watch(node.url, { topic: 'sales.revenue_today' });
  await viewer.more(2);
  expect(viewer.violations).toEqual([]);
  viewer.close();

  expect(await listens(databasePort)).toBe(true);
  await node.stop();
  expect(await listens(databasePort)).toBe(false);
  expect(complaints(node)).toEqual([]);
}, 60_000);

test('killed, it leaves no database behind', async () => {
  const { node, databasePort } = await start();
  expect(await listens(databasePort)).toBe(true);
  await node.kill('SIGKILL');
  await eventually(async () => !(await listens(databasePort)), { what: 'the end of its database' });
  expect(await listens(databasePort)).toBe(false);
}, 60_000);
