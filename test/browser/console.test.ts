import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { clock, get, oneRow } from '../cluster/hub.js';
import { call, connectSocket, TestViewer } from '../cluster/viewer.js';
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
      env: { LINGER_MS: '500' },
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

test('a topic is explained on demand', async () => {
  const { page } = await open();
  await page.getByRole('button', { name: 'Explain tick' }).click();
  expect(await page.getByLabel('Plan of tick').textContent()).toMatch(/Seq Scan on ticked/);
  await page.close();
}, 60_000);

test('axe finds nothing to object to: wide and narrow, light and dark', async () => {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const { page } = await open({ viewport: { width, height: 900 }, colorScheme });
      await page.evaluate(source);
      const found = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        const { violations } = await axe.run();
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
      });
      expect(found).toEqual([]);
      const sideways = await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');
      expect(sideways).toBe(false);
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
