import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { faultsOf } from '../support/axe.js';
import { launchBrowser } from '../support/browser.js';
import { startNode, type TestNode } from '../support/node.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { projectRoot } from '../support/project.js';

const PATIENCE_MS = 90_000;

let postgres: TestPostgres;
let browser: Browser;
let node: TestNode;
let url: string;

/** `npm run countdown`, smaller: 300 rows that take a step each second, and begin anew when all are at 0. */
function startCountdown(databaseUrl: string, env: Record<string, string> = {}): Promise<TestNode> {
  const loader = join(projectRoot, 'test', 'support', 'ts-loader.mjs');
  return startNode({
    program: ['--import', loader, join(projectRoot, 'examples', 'countdown', 'main.ts')],
    env: {
      DATABASE_URL: databaseUrl,
      TOPICS_DIR: join(projectRoot, 'examples', 'countdown', 'topics'),
      ...{ ROWS: '300', LIMIT: '300', EVERY: '1s' },
      ...env,
    },
  });
}

beforeAll(async () => {
  [postgres, browser] = await Promise.all([startPostgres(), launchBrowser()]);
  ({ url } = await postgres.createDatabase());
  node = await startCountdown(url);
}, PATIENCE_MS);
afterAll(async () => {
  await browser?.close();
  await node?.stop();
  await postgres?.stop();
}, PATIENCE_MS);

async function open(at: string, options: BrowserContextOptions = {}): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(PATIENCE_MS);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${at}/rows`);
  return { page, errors };
}

test(
  'the page shows processes and steps of row workers, by worker and node',
  async () => {
    const { page, errors } = await open(node.url);
    for (const label of ['Processes', 'Steps', 'CPU', 'Memory']) {
      const value = page.getByRole('region', { name: `${label} now` }).locator('.headline-value');
      await value.filter({ hasText: /[1-9]/ }).waitFor();
    }
    const worker = page.getByRole('table', { name: 'Row workers by node' }).locator('tbody tr');
    await worker.filter({ hasText: 'countdown' }).filter({ hasText: node.name }).waitFor();
    for (const title of ['Processes', 'Steps per second', 'Lateness, ms', 'CPU of the nodes, per cent of a core'])
      await page.locator('.panel', { hasText: title }).locator('canvas').first().waitFor();
    expect(errors).toEqual([]);
    await page.close();
    const written = (await (await fetch(`${node.url}/metrics`)).text()).match(
      /pollcast_rows_written_total\{.*\} (\d+)/,
    );
    expect(Number(written?.[1])).toBeGreaterThan(0);
  },
  2 * PATIENCE_MS,
);

test(
  'axe finds nothing to object to: wide and narrow, light and dark',
  async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 390]) {
        const { page } = await open(node.url, { viewport: { width, height: 900 }, colorScheme });
        await page.locator('tbody tr', { hasText: 'countdown' }).waitFor();
        await page.locator('.panel canvas').first().waitFor();
        expect(await faultsOf(page)).toEqual({ axe: [], sideways: false });
        await page.close();
      }
    }
  },
  4 * PATIENCE_MS,
);

test(
  'a hub without row workers, and who may not see them, are told what to do',
  async () => {
    const plain = await startNode({ env: { DATABASE_URL: url } });
    const locked = await startCountdown((await postgres.createDatabase()).url, { ADMIN_TOKEN: 'open-sesame' });
    try {
      for (const [at, heading] of [
        [plain.url, 'This hub has no row workers'],
        [locked.url, 'Row workers are shown to administrators'],
      ] as const) {
        const { page } = await open(at);
        await page.getByRole('heading', { name: heading }).waitFor();
        await page.close();
      }
    } finally {
      await Promise.all([plain.stop(), locked.stop()]);
    }
  },
  2 * PATIENCE_MS,
);
