import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { faultsOf } from '../support/axe.js';
import { launchBrowser } from '../support/browser.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { projectRoot } from '../support/project.js';

const built = join(projectRoot, 'dist', 'web', 'docs');
const sources = readdirSync(join(projectRoot, 'docs')).filter((name) => name.endsWith('.md'));
const pages = readdirSync(built)
  .filter((name) => name.endsWith('.html'))
  .map((name) => name.replace(/\.html$/, ''));

describe('what is built', () => {
  const html = new Map(pages.map((name) => [name, readFileSync(join(built, `${name}.html`), 'utf8')]));

  test('every file of docs/ is a page, and every page is in the navigation of every other', () => {
    const expected = sources.map((name) => (name === 'start.md' ? 'index' : name.replace(/\.md$/, '')));
    expect(pages).toEqual(expect.arrayContaining(expected));
    for (const [name, text] of html) {
      const tree = /<nav class="docs-tree" aria-label="Documentation">([\s\S]*?)<\/nav>/.exec(text)?.[1] ?? '';
      const linked = [...tree.matchAll(/href="([^"]+)"/g)].map(([, href]) => (href === './' ? 'index' : href));
      expect({ name, linked: linked.sort() }).toEqual({ name, linked: [...pages].sort() });
      expect(tree.match(/aria-current="page"/g)).toHaveLength(1);
    }
  });

  test('every link between pages leads to a page, and to a heading of it', () => {
    const broken: string[] = [];
    for (const [name, text] of html) {
      for (const [, href = ''] of text.matchAll(/<a [^>]*?href="([^"]+)"/g)) {
        if (/^https?:/.test(href) || href.startsWith('/')) continue;
        const [path = '', hash] = href.split('#');
        const target = path === '' ? name : path === './' ? 'index' : path;
        const there = html.get(target);
        if (there === undefined || (hash && !there.includes(`id="${hash}"`))) broken.push(`${name}: ${href}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('nothing is inline that the content policy forbids, and nothing comes from elsewhere', () => {
    for (const [name, text] of html) {
      const inline = /<style|<script(?![^>]*\ssrc=)|\sstyle="|\son[a-z]+="/.exec(text)?.[0];
      const foreign = /(?:src|<link[^>]*href)="(?:https?:)?\/\/[^"]*"/.exec(text)?.[0];
      expect({ name, inline, foreign }).toEqual({ name, inline: undefined, foreign: undefined });
    }
  });
});

describe('in Chromium, from a node', () => {
  let cluster: TestCluster;
  let browser: Browser;

  beforeAll(async () => {
    [cluster, browser] = await Promise.all([
      startCluster({ nodes: 1, topics: { 'one.sql': 'SELECT 1 AS one' } }),
      launchBrowser(),
    ]);
  }, 90_000);
  afterAll(async () => {
    await browser.close();
    await cluster.stop();
  }, 60_000);

  async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<{ page: Page; faults: string[] }> {
    const page = await browser.newPage({ viewport: { width: 1360, height: 900 }, ...options });
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(`${page.url()}: ${String(error)}`));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(`${page.url()}: ${message.text()}`);
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(cluster.url)) faults.push(`${page.url()}: asked for ${request.url()}`);
    });
    return { page, faults };
  }

  test.each([
    { width: 1360, colorScheme: 'light' },
    { width: 390, colorScheme: 'dark' },
  ] as const)(
    'axe finds nothing to object to on any page, and none is wider than the window: $width, $colorScheme',
    async ({ width, colorScheme }) => {
      const { page, faults } = await open({ viewport: { width, height: 900 }, colorScheme });
      for (const name of pages) {
        await page.goto(`${cluster.url}/docs/${name === 'index' ? '' : name}`);
        expect({ name, ...(await faultsOf(page)) }).toEqual({ name, axe: [], sideways: false });
      }
      expect(faults).toEqual([]);
      await page.close();
    },
    480_000,
  );

  test('a search leads to the heading that it names, by the keyboard', async () => {
    const { page, faults } = await open();
    await page.goto(`${cluster.url}/docs`);
    await page.keyboard.press('/');
    await page.keyboard.type('retain');
    await page.getByRole('option').first().waitFor();
    await page.keyboard.press('ArrowDown');
    const chosen = page.locator('[role=option][aria-selected=true]');
    const url = await chosen.getAttribute('data-url');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/docs/${url}`);
    await page.getByLabel('Search the documentation').fill('nosuchword');
    await page.getByText('Nothing found for nosuchword').waitFor({ state: 'attached' });
    expect(faults).toEqual([]);
    await page.close();
  }, 60_000);

  test('the theme that is chosen here is the one of the other pages, and stays', async () => {
    const { page } = await open({ colorScheme: 'light' });
    await page.goto(`${cluster.url}/docs/topics`);
    await page.getByRole('button', { name: 'Use the dark theme' }).click();
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const dark = await ground();
    await page.goto(`${cluster.url}/docs/client`);
    expect(await ground()).toBe(dark);
    await page.goto(cluster.url);
    expect(await ground()).toBe(dark);
    await page.close();
  }, 60_000);

  test('on a phone all pages are behind one button', async () => {
    const { page } = await open({ viewport: { width: 390, height: 800 } });
    await page.goto(`${cluster.url}/docs/topics`);
    await page.getByText('All pages').click();
    await page.getByRole('link', { name: 'Glossary' }).click();
    await page.getByRole('heading', { level: 1, name: 'Glossary' }).waitFor();
    await page.close();
  }, 60_000);

  test('without JavaScript everything can be read', async () => {
    const { page } = await open({ javaScriptEnabled: false });
    await page.goto(`${cluster.url}/docs`);
    await page.getByRole('link', { name: 'Concepts' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Concepts' }).waitFor();
    expect(await page.getByLabel('Search the documentation').isVisible()).toBe(false);
    await page.close();
  }, 60_000);
});
