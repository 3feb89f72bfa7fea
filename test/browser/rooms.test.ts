import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { get } from '../cluster/hub.js';
import { launchBrowser } from '../support/browser.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';

let cluster: TestCluster;
let browser: Browser;
let ada: Page;
let bo: Page;
const errors: string[] = [];

/** Each a person of their own, with their own storage. */
async function enter(name: string, room = 'incident-7'): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${cluster.url}/rooms/${room}`);
  await page.locator('.room[data-phase=joined]').waitFor();
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Your name').press('Enter');
  await page.locator('.room-members li', { hasText: name }).waitFor();
  return page;
}

beforeAll(async () => {
  [cluster, browser] = await Promise.all([
    startCluster({ nodes: 2, nginx: true, env: { DEMO: 'on', LINGER_MS: '1000' } }),
    launchBrowser(),
  ]);
  ada = await enter('Ada');
  bo = await enter('Bo');
}, 120_000);

afterAll(async () => {
  await browser.close();
  await cluster.stop();
}, 60_000);

const region = (page: Page, value: string) => page.getByRole('group', { name: 'For the whole page' }).getByLabel(value);

async function choose(by: Page, seenBy: Page, value: string): Promise<void> {
  await region(by, value).click({ force: true });
  await eventually(() => region(seenBy, value).isChecked(), { what: `${value} for the other`, deadlineMs: 30_000 });
}

async function note(by: Page, text: string): Promise<void> {
  await by.getByLabel('Note', { exact: true }).fill(text);
  await by.getByRole('button', { name: 'Add', exact: true }).click();
  await by.locator('.note', { hasText: text }).waitFor();
}

test('two windows on two nodes are in step: who is here, choices, status, notes', async () => {
  await ada.locator('.room-members li', { hasText: 'Bo' }).waitFor();
  await bo.locator('.room-members li', { hasText: 'Ada' }).waitFor();
  await choose(ada, bo, 'EU');
  await choose(bo, ada, 'US');
  await ada.getByLabel('Status').fill('Looking into it');
  await ada.getByRole('button', { name: 'Set', exact: true }).click();
  await eventually(async () => (await bo.getByLabel('Status').inputValue()) === 'Looking into it');
  await note(bo, 'Orders fell at noon');
  await note(bo, 'Never mind');
  await ada.getByRole('button', { name: 'Remove the note Never mind' }).click();
  await bo.locator('.note', { hasText: 'Never mind' }).waitFor({ state: 'detached' });
  await ada.locator('.note', { hasText: 'Orders fell at noon' }).waitFor();
}, 60_000);

test('a note about a chart is drawn at the chart, for all', async () => {
  const chart = (page: Page) => page.locator('.panel[data-topic="sales.by_region"]');
  await chart(ada)
    .getByRole('button', { name: /^Add a note about/ })
    .click();
  await ada.getByPlaceholder('What should the others see?').fill('The US dip is known');
  await ada.keyboard.press('Enter');
  await chart(bo).locator('.note', { hasText: 'The US dip is known' }).waitFor();
  await bo.getByLabel('about', { exact: true }).selectOption('sales.by_region');
  await bo.getByLabel('Note', { exact: true }).fill('Fixed by noon');
  await bo.getByRole('button', { name: 'Add', exact: true }).click();
  await chart(ada).locator('.note', { hasText: 'Fixed by noon' }).waitFor();
  expect(await ada.locator('.room-notes .note', { hasText: 'Fixed by noon' }).count()).toBe(0);
  await ada.getByRole('button', { name: 'Remove the note Fixed by noon' }).click();
  await chart(bo).locator('.note', { hasText: 'Fixed by noon' }).waitFor({ state: 'detached' });
}, 60_000);

test('the history says what happened, and who did it', async () => {
  await bo.getByRole('button', { name: 'History', exact: true }).click();
  const past = bo.locator('.room-history');
  await past.getByText('set the status to “Looking into it”').waitFor();
  await past.locator('li', { hasText: 'Ada' }).filter({ hasText: 'removed a note' }).first().waitFor();
  await past.press('Escape');
  await past.waitFor({ state: 'detached' });
}, 60_000);

test('the lobby lists the room, and opens others', async () => {
  const page = await browser.newPage();
  await page.goto(`${cluster.url}/rooms`);
  const item = page.locator('.room-list li', { hasText: 'incident-7' });
  await item.getByText('Looking into it').waitFor();
  await item.getByText('2 here').waitFor();
  await page.getByLabel('Open a room').fill('a b?');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  expect(new URL(page.url()).pathname).toBe('/rooms');
  await page.getByLabel('Open a room').fill('Quiet Corner');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await page.locator('.room[aria-label="Room quiet-corner"][data-phase=joined]').waitFor();
  await page.goto(`${cluster.url}/rooms/NOT%20A%20ROOM`);
  await page.getByRole('alert').getByText('expected 1 to 64 small letters').waitFor();
  await page.close();
}, 60_000);

test('axe finds nothing to object to: wide and narrow, light and dark', async () => {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const page = await browser.newPage();
  for (const path of ['/rooms', '/rooms/incident-7']) {
    await page.goto(`${cluster.url}${path}`);
    await page
      .locator(path === '/rooms' ? '.room-list li' : '.note')
      .first()
      .waitFor();
    if (path !== '/rooms') {
      await page.getByRole('button', { name: 'History', exact: true }).click();
      await page.locator('.room-history li').first().waitFor();
    }
    await page.evaluate(source);
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 390]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        const found = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as {
            axe: {
              run(where: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
            };
          };
          const { violations } = await axe.run({ include: ['.room, .lobby, .page-head'] });
          return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
        });
        expect(found).toEqual([]);
        expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(false);
      }
    }
  }
  await page.close();
}, 120_000);

test('the node of the room is killed: both are in step again, and nothing is lost', async () => {
  const processes = await get<{ name: string; node: string }[]>(`${cluster.nodes[0]?.url}/api/processes`);
  const owner = processes.find(({ name }) => name === 'room:incident-7')?.node;
  const node = cluster.nodes.find(({ name }) => name === owner);
  expect(node).toBeDefined();
  await ada.evaluate('window.stillTheSamePage = true');
  await node?.kill('SIGKILL');
  await note(ada, 'A node died');
  await bo.locator('.note', { hasText: 'A node died' }).waitFor();
  await choose(bo, ada, 'EU');
  await ada.locator('.note', { hasText: 'Orders fell at noon' }).waitFor();
  expect(await ada.getByLabel('Status').inputValue()).toBe('Looking into it');
  expect(await ada.evaluate('window.stillTheSamePage')).toBe(true);
  expect(errors).toEqual([]);
}, 90_000);
