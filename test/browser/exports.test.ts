import { createRequire } from 'node:module';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { get, type ProcessRow } from '../cluster/hub.js';
import { launchBrowser } from '../support/browser.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';

const ROWS = 230_000;
const PIECE_ROWS = 100_000;

let cluster: TestCluster;
let browser: Browser;
let page: Page;
let files: string;
const errors: string[] = [];

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), 'pollcast-exports-'));
  [cluster, browser] = await Promise.all([
    startCluster({
      nodes: 3,
      nginx: true,
      topics: {
        // Too many rows to be watched: the panel says so, and exports them all the same.
        'things.sql':
          '/*\ntitle: All things\ninterval: 1m\nkey: [id]\nmax_rows: 100\n*/\n' +
          "SELECT id, 'thing ' || id AS name, CASE WHEN id % 1000 = 0 THEN pg_sleep(0.03)::text END AS pause FROM things ORDER BY id",
        'few.sql':
          '/*\ntitle: A few things\ninterval: 5s\nparams:\n  most: {type: int, default: 5}\nkey: [id]\n*/\n' +
          "SELECT id, 'thing ' || id AS name FROM things WHERE id <= :most ORDER BY id",
      },
      schema:
        `CREATE TABLE things AS SELECT i AS id FROM generate_series(1, ${ROWS}) AS i; ` +
        'ALTER TABLE things ADD PRIMARY KEY (id); ANALYZE things',
      env: { STORAGE_URL: `file:${files}` },
    }),
    launchBrowser(),
  ]);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on('pageerror', (error) => errors.push(String(error)));
  // Whatever the card shows is written down; in the tab, so that it outlives a refresh.
  await page.addInitScript({ content: WATCH_CARD });
  await page.goto(cluster.url);
}, 120_000);

afterAll(async () => {
  await browser.close();
  await cluster.stop();
  await rm(files, { recursive: true, force: true });
}, 60_000);

/** Runs in the page: writes down each look of the card, and that it is gone, once for each change. */
const WATCH_CARD = `document.addEventListener('DOMContentLoaded', () => {
  const note = () => {
    const card = document.querySelector('.export-card');
    const bar = card?.querySelector('[role=progressbar]');
    const seen = card ? [card.dataset.id, card.dataset.state, bar?.ariaValueNow ?? ''].join(' ') : 'gone';
    const looks = JSON.parse(sessionStorage.getItem('looks') ?? '[]');
    if (looks.at(-1) !== seen) sessionStorage.setItem('looks', JSON.stringify([...looks, seen]));
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
})`;

const looks = (): Promise<string[]> => page.evaluate("JSON.parse(sessionStorage.getItem('looks') ?? '[]')");
const card = () => page.locator('.export-card');

async function ask(title: string, format: string): Promise<void> {
  await page.getByRole('button', { name: `Export ${title}` }).click();
  await page.getByRole('menuitem', { name: format }).click();
}

async function rowsAtLeast(count: number): Promise<void> {
  await eventually(
    async () => Number((await card().locator('.export-rows').textContent())?.replace(/\D/g, '') ?? 0) >= count,
    { what: `${count} rows on the card`, deadlineMs: 60_000 },
  );
}

async function downloaded(): Promise<{ name: string; text: string }> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    card().getByRole('link', { name: 'Download' }).click(),
  ]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
}

test('a panel exports what it shows, by mouse or by keys; the file is downloaded and put away', async () => {
  await ask('A few things', 'CSV');
  await card().getByText('Ready').waitFor();
  await card().getByText('5 rows').waitFor();
  const { name, text } = await downloaded();
  expect(name).toMatch(/^few-[\d-]+\.csv$/);
  expect(text).toBe(['id,name', ...[1, 2, 3, 4, 5].map((id) => `${id},thing ${id}`), ''].join('\n'));
  await page.getByRole('button', { name: 'Dismiss the export' }).click();
  await card().waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Export A few things' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await page.getByRole('menu').waitFor({ state: 'detached' });
  expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Export A few things');
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await card().getByText('Ready').waitFor();
  expect((await downloaded()).name).toMatch(/\.pdf$/);
  await page.getByRole('button', { name: 'Dismiss the export' }).click();
  await card().waitFor({ state: 'detached' });
}, 60_000);

test('cancelled, asked for again, and only one at a time', async () => {
  await ask('All things', 'CSV');
  await card().getByRole('progressbar').waitFor();
  await ask('A few things', 'Excel');
  await card().getByText('One export at a time').waitFor();
  await card().getByRole('button', { name: 'Cancel' }).click();
  await card().getByText('Cancelled').waitFor();
  await card().getByRole('button', { name: 'Try again' }).click();
  await card().getByRole('progressbar').waitFor();
}, 60_000);

test('it goes on over a refresh and over the death of its node, without a flicker, and the file is whole', async () => {
  const id = await card().getAttribute('data-id');
  await rowsAtLeast(1_000);
  await page.reload();
  expect(await card().getAttribute('data-id')).toBe(id);
  await rowsAtLeast(PIECE_ROWS + 5_000);
  await page.evaluate('window.stillTheSamePage = true');
  const processes = await get<ProcessRow[]>(`${cluster.nodes[0]?.url}/api/processes`);
  const owner = processes.find(({ kind }) => kind === 'export')?.node;
  const node = cluster.nodes.find(({ name }) => name === owner);
  expect(node).toBeDefined();
  await node?.kill('SIGKILL');
  await card().getByText('Ready').waitFor({ timeout: 60_000 });
  expect(await page.evaluate('window.stillTheSamePage')).toBe(true);
  const text = (await downloaded()).text.split('\n');
  expect(text).toHaveLength(ROWS + 2);
  expect(text.every((line, i) => i === 0 || i > ROWS || line.startsWith(`${i},thing ${i},`))).toBe(true);

  const seen = (await looks()).slice((await looks()).findIndex((look) => look.startsWith(`${id} `)));
  expect(seen.filter((look) => !look.startsWith(`${id} `))).toEqual([]);
  const states = seen.map((look) => look.split(' ')[1]).filter((state, i, all) => state !== all[i - 1]);
  expect(states.join()).toMatch(/^(pending,)?processing,ready$/);
  const progress = seen.flatMap((look) => look.split(' ')[2] || []).map(Number);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
  expect(progress.length).toBeGreaterThan(5);
  expect(errors).toEqual([]);
}, 120_000);

test('axe finds nothing to object to: wide and narrow, light and dark, menu and card', async () => {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  await page.getByRole('button', { name: 'Export A few things' }).click();
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const found = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: { run(where: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        const { violations } = await axe.run({ include: ['.export, .export-card'] });
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
      });
      expect(found).toEqual([]);
      expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(false);
    }
  }
}, 60_000);
