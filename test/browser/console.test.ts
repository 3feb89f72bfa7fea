import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { newLeaseValue, newNodeId } from '../../src/kernel/identity.js';
import { clock, get, Lookout, oneRow } from '../cluster/hub.js';
import { call, connectSocket, TestViewer } from '../cluster/viewer.js';
import { faultsOf } from '../support/axe.js';
import { launchBrowser } from '../support/browser.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startNode } from '../support/node.js';

let cluster: TestCluster;
let browser: Browser;
let viewer: TestViewer;

beforeAll(async () => {
  [cluster, browser] = await Promise.all([
    startCluster({
      nodes: 2,
      topics: { 'tick.sql': clock('ticked', '200ms') },
      schema: oneRow('ticked'),
      // So long that no reconcile pass clears away the zombie that is planted before somebody does by hand.
      env: { LINGER_MS: '500', LEASE_MS: '120000' },
    }),
    launchBrowser(),
  ]);
  viewer = await TestViewer.watch(cluster.url, { topic: 'tick' });
}, 90_000);

afterAll(async () => {
  viewer.close();
  await browser.close();
  await cluster.stop();
}, 60_000);

async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${cluster.url}/console`);
  await page.locator('.node-card').nth(1).waitFor();
  await page.locator('#topics tbody tr').first().waitFor();
  return { page, errors };
}

const owner = async (page: Page): Promise<string | null> => {
  const row = page.locator('#processes tbody tr', { hasText: 'poller:tick' });
  return row.locator('td').nth(1).textContent();
};

test('the console shows who owns what, and moves a process to another node', async () => {
  const { page, errors } = await open();
  const from = await owner(page);
  expect(cluster.nodes.map(({ name }) => name)).toContain(from);
  await page.getByRole('button', { name: 'Move poller:tick' }).click();
  const to = await eventually(
    async () => {
      const now = await owner(page);
      return now !== null && now !== from && cluster.nodes.some(({ name }) => name === now) ? now : null;
    },
    { what: 'the poller on the other node', deadlineMs: 20_000 },
  );
  await page.locator('.node-card', { hasText: to }).locator('.process-chips li', { hasText: 'tick' }).waitFor();
  await page.locator('#events tbody tr', { hasText: 'poller:tick' }).first().waitFor();
  expect(errors).toEqual([]);
  await page.close();
}, 60_000);

test('by the keyboard alone a process is stopped, once that was meant; a poller that is watched comes back', async () => {
  const { page } = await open();
  const fence = async (): Promise<number | undefined> =>
    (await get<{ name: string; fence: number }[]>(`${cluster.url}/api/processes`)).find(
      ({ name }) => name === 'poller:tick',
    )?.fence;
  const before = await fence();
  await page.getByRole('button', { name: 'Stop poller:tick' }).focus();
  await page.keyboard.press('Enter');
  const sure = page.getByRole('button', { name: 'Really stop poller:tick' });
  await sure.waitFor();
  expect(await fence()).toBe(before);
  await page.keyboard.press('Enter');
  await eventually(async () => ((await fence()) ?? before) !== before, {
    what: 'the poller under another fence',
    deadlineMs: 60_000,
  });
  await page.close();
}, 120_000);

test('a zombie is shown with its evidence, and cleaned away by a button', async () => {
  const lookout = new Lookout(cluster);
  const { page } = await open();
  const zombie = page.locator('#zombies tbody tr', { hasText: 'poller:nothing' });
  const lease = lookout.keys.lease('poller:nothing');
  try {
    await lookout.client.set(lease, newLeaseValue(newNodeId('ghost')), 'PX', 600_000);
    await zombie.filter({ hasText: 'orphan-lease' }).waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Clean all zombies' }).click();
    await page.getByRole('button', { name: 'Really clean all zombies' }).click();
    await zombie.waitFor({ state: 'detached', timeout: 60_000 });
    expect(await lookout.client.exists(lease)).toBe(0);
  } finally {
    await page.close();
    await lookout.close();
  }
}, 150_000);

test('a topic is explained on demand', async () => {
  const { page } = await open();
  await page.getByRole('button', { name: 'Explain tick' }).click();
  expect(await page.getByLabel('Plan of tick').textContent()).toMatch(/Seq Scan on ticked/);
  await page.close();
}, 60_000);

test('axe finds nothing to object to: wide and narrow, light and dark', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const { page } = await open({ viewport: { width, height: 900 }, colorScheme });
      expect(await faultsOf(page)).toEqual({ axe: [], sideways: false });
      await page.close();
    }
  }
}, 120_000);

test('nobody looks: nothing of the console is polled', async () => {
  const node = cluster.nodes[0];
  await eventually(
    async () => {
      const rows = await get<{ name: string }[]>(`${node?.url}/api/processes`);
      return !rows.some(({ name }) => name.startsWith('poller:pollcast.'));
    },
    { what: 'the end of the pollers of the console', deadlineMs: 30_000 },
  );
  expect((await get<{ name: string }[]>(`${node?.url}/api/topics`)).map(({ name }) => name)).toEqual(['tick']);
}, 60_000);

test('with an admin token the console is for those who have it', async () => {
  const node = await startNode({
    env: { ADMIN_TOKEN: 'open-sesame', DATABASE_URL: cluster.database.url, TOPICS_DIR: cluster.topicsDir ?? '' },
  });
  try {
    const stranger = await connectSocket(node.url);
    expect(await call(stranger, 'subscribe', { topic: 'pollcast.nodes' })).toMatchObject({
      ok: false,
      error: { code: 'FORBIDDEN' },
    });
    stranger.close();
    const page = await browser.newPage();
    await page.goto(`${node.url}/console`);
    await page.getByLabel('Token').fill('open-sesame');
    await page.getByRole('button', { name: 'Open the console' }).click();
    await page.locator('.node-card', { hasText: node.name }).waitFor();
    await page.close();
  } finally {
    await node.stop();
  }
}, 60_000);
