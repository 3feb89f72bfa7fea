import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import { get } from '../cluster/hub.js';
import { faultsOf } from '../support/axe.js';
import { launchBrowser } from '../support/browser.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';

let cluster: TestCluster;
let browser: Browser;
let page: Page;
const errors: string[] = [];

beforeAll(async () => {
  [cluster, browser] = await Promise.all([
    startCluster({ nodes: 2, nginx: true, env: { DEMO: 'on', LINGER_MS: '1000' } }),
    launchBrowser(),
  ]);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(cluster.url);
}, 90_000);

afterAll(async () => {
  await browser.close();
  await cluster.stop();
}, 60_000);

interface Watched {
  channel: string;
  viewers: number;
  nodes: Record<string, number>;
}

/** What is watched, by a node that lives: the page is the only viewer there is. */
function watched(): Promise<Watched[]> {
  const node = cluster.nodes.find((one) => one.alive());
  return get<Watched[]>(`${node?.url}/api/viewers`);
}

async function changes(look: () => Promise<string | null>, what: string): Promise<void> {
  const before = await look();
  await eventually(async () => ((await look()) === before ? null : true), { what, deadlineMs: 30_000, everyMs: 100 });
}

const state = (): Locator => page.locator('.page-head .state');
const chart = (): Locator => page.locator('.panel .chart-canvas').first();

async function live(): Promise<void> {
  await eventually(async () => (await state().getAttribute('data-state')) === 'live', {
    what: 'the page to be live',
    deadlineMs: 30_000,
  });
}

async function numbersChange(): Promise<void> {
  await changes(
    async () => (await page.locator('.headline-value').allTextContents()).join('|'),
    'a headline to change',
  );
}

test('the page comes through nginx and is live: figures, charts, tables', async () => {
  await live();
  const atLeast = (selector: string, count: number) =>
    eventually(async () => (await page.locator(selector).count()) >= count, { what: `${count} of ${selector}` });
  await atLeast('.panel canvas', 2);
  await atLeast('.headline-value', 3);
  await atLeast('.panel table tbody tr', 1);
  await eventually(
    async () => (await page.locator('.headline-value').allTextContents()).every((text) => /\d/.test(text)),
    { what: 'figures in all headlines' },
  );
  await atLeast('.viewers', 1);
  expect(await page.locator('.viewers').first().textContent()).toMatch(/1 viewer/);
  // Whatever is shown can be had as a file.
  const shown = page.locator('.headline, .panel');
  expect(await shown.filter({ has: page.locator('.export-button') }).count()).toBe(await shown.count());
});

test('a chart is redrawn and numbers change, without anybody touching the page', async () => {
  await changes(() => chart().getAttribute('aria-label'), 'the newest values of a chart');
  const picture = () =>
    chart()
      .locator('canvas')
      .evaluate((canvas: unknown) => (canvas as { toDataURL(): string }).toDataURL());
  await changes(picture, 'its picture');
  await numbersChange();
}, 60_000);

test('switching the parameter switches the channels: the new one is watched, the old one is not any more', async () => {
  const regions = async () =>
    (await watched()).map(({ channel }) => channel).filter((channel) => /region=/.test(channel));
  await eventually(async () => (await regions()).some((channel) => channel.includes('region=all')));
  await page.getByRole('radio', { name: 'EU', exact: true }).check({ force: true });
  await eventually(
    async () => {
      const channels = await regions();
      return channels.length > 0 && channels.every((channel) => channel.includes('region=EU'));
    },
    { what: 'channels of EU alone' },
  );
  expect(page.url()).toContain('EU');
  await live();
  await numbersChange();
});

test('fits a phone, in light and in dark', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
});

test('survives the death of its node without a reload', async () => {
  await page.evaluate('window.stillTheSamePage = true');
  const name = await eventually(async () => Object.keys((await watched())[0]?.nodes ?? {})[0]);
  const node = cluster.nodes.find((one) => one.name === name);
  await node?.kill('SIGKILL');
  await eventually(
    async () => {
      const channels = await watched();
      return channels.length > 0 && channels.every(({ nodes }) => !(name in nodes));
    },
    { what: 'the page on the other node', deadlineMs: 30_000 },
  );
  await live();
  await numbersChange();
  await changes(() => chart().getAttribute('aria-label'), 'the chart to go on');
  expect(await page.evaluate('window.stillTheSamePage')).toBe(true);
  expect(errors).toEqual([]);
}, 60_000);

test.each([
  { width: 1280, colorScheme: 'light' as const },
  { width: 390, colorScheme: 'dark' as const },
])(
  'axe finds nothing to object to, and nothing is wider than the window: $width, $colorScheme',
  async ({ width, colorScheme }) => {
    // Still: a row that has just come is on its way to its colour.
    const still = await browser.newPage({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' });
    await still.goto(cluster.url);
    await still.locator('.panel .chart-canvas').first().waitFor({ timeout: 60_000 });
    expect(await faultsOf(still)).toEqual({ axe: [], sideways: false });
    await still.close();
  },
  90_000,
);

test('the browser is closed: nothing is polled any more', async () => {
  await browser.close();
  const node = cluster.nodes.find((one) => one.alive());
  await eventually(
    async () => !(await get<{ kind: string }[]>(`${node?.url}/api/processes`)).some(({ kind }) => kind === 'poller'),
    {
      what: 'the end of all pollers',
    },
  );
  expect(await watched()).toEqual([]);
});
