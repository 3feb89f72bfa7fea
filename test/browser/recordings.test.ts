import { createRequire } from 'node:module';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import { recorderSlots, startRecorder, type Recorder } from '../recordings/support.js';
import { launchBrowser } from '../support/browser.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';

/** A browser has to start, and on a busy machine that takes a while. */
const PATIENCE_MS = 60_000;

let recorder: Recorder;
let cluster: TestCluster;
let browser: Browser;
let page: Page;
let folder: string;
const errors: string[] = [];

beforeAll(async () => {
  recorder = await startRecorder();
  folder = await mkdtemp(join(tmpdir(), 'pollcast-videos-'));
  [cluster, browser] = await Promise.all([
    startCluster({ nodes: 1, env: { ...recorder.env, STORAGE_URL: `file:${folder}/files`, DEMO: 'on' } }),
    launchBrowser(),
  ]);
  await recorderSlots(cluster.nodes, 2);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('pageerror', (error) => errors.push(String(error)));
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
  await recorder?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const button = (name: RegExp): Locator => page.getByRole('button', { name });
const entry = (title: string): Locator => page.locator('.recording', { hasText: title });
const moments = (): Locator => page.locator('.timeline button');

/** Presses Record, lets some seconds be made, and stops. */
async function recordSome(meanwhile?: () => Promise<unknown>): Promise<void> {
  await button(/^Record$/).click();
  await button(/^Stop recording · 0:(0[2-9]|[1-5]\d)$/).waitFor();
  await meanwhile?.();
  await button(/^Stop recording/).click();
  await button(/^Record$/).waitFor();
}

/** What the player's video is, or does. */
const video = <T>(member: string): Promise<T> => page.evaluate<T>(`document.querySelector('.player video').${member}`);

test('the dashboard is recorded from its button, and is there to be watched', async () => {
  await page.goto(cluster.url);
  await recordSome();
  await page.getByRole('link', { name: 'Watch it' }).click();
  await page.getByRole('region', { name: 'Recording of Dashboard' }).waitFor();
  const item = entry('Dashboard');
  await item.getByText('Ready').waitFor();
  expect(await item.locator('.recording-length').textContent()).toMatch(/^0:\d\d$/);
  const picture = item.locator('img');
  await eventually(() => picture.evaluate((image: unknown) => (image as { naturalWidth: number }).naturalWidth > 0), {
    what: 'a thumbnail',
  });
  await eventually(async () => (await video<number>('duration')) >= 2, {
    what: 'a video that the browser can play',
    deadlineMs: PATIENCE_MS,
  });
}, 120_000);

test('a moment of the timeline is a way to it in the video, and the timeline follows the video', async () => {
  await moments().first().waitFor();
  const url = await page.evaluate<string>("document.querySelector('.player video').getAttribute('src')");
  const text = await (await page.request.get(`${cluster.url}${url.replace(/video$/, 'timeline')}`)).text();
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { at: number });
  expect(await moments().count()).toBe(lines.length);
  const last = lines.length - 1;
  await moments().nth(last).click();
  await eventually(async () => !(await video<boolean>('seeking')), {
    what: 'the video to be there',
  });
  expect(await video<number>('currentTime')).toBeCloseTo(lines[last]?.at ?? NaN, 2);
  expect(await moments().nth(last).getAttribute('aria-current')).toBe('time');
  await moments().first().focus();
  await page.keyboard.press('Enter');
  expect(await video<number>('currentTime')).toBeCloseTo(lines[0]?.at ?? NaN, 2);
  await video('play()');
  await eventually(
    async () =>
      (await page.locator('.timeline [aria-current] >> nth=0').textContent()) !==
      (await moments().first().textContent()),
    {
      what: 'the timeline to follow',
      deadlineMs: PATIENCE_MS,
    },
  );
}, 120_000);

test('a room is recorded from its page: the others see the recorder, and the timeline says who did what', async () => {
  await page.goto(`${cluster.url}/rooms/incident-7`);
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Your name').press('Enter');
  await recordSome(async () => {
    await page.locator('.room-members li', { hasText: 'Recorder' }).waitFor();
    await page.getByLabel('Status').fill('Looking into it');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await button(/^Stop recording · 0:(0[4-9]|[1-5]\d)$/).waitFor();
  });
  await page.locator('.room-members li', { hasText: 'Recorder' }).waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Watch it' }).click();
  await page.getByRole('region', { name: 'Recording of Room incident-7' }).waitFor();
  await page.locator('.timeline', { hasText: 'Ada set the status to “Looking into it”' }).waitFor();
}, 120_000);

test('one that is under way is stopped from the list; while it is made it says so', async () => {
  await page.goto(cluster.url);
  await button(/^Record$/).click();
  await button(/^Stop recording/).waitFor();
  await page.goto(`${cluster.url}/recordings`);
  const item = page.locator('.recording').first();
  await item.getByText('Recording', { exact: true }).waitFor();
  await item.locator('.recording-length').waitFor();
  await item.getByRole('button', { name: 'Stop', exact: true }).click();
  await item.getByText('Ready').waitFor();
  expect(await page.locator('.recording').count()).toBe(3);
}, 120_000);

test('axe finds nothing to object to: wide and narrow, light and dark', async () => {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await entry('Room incident-7').locator('.recording-open').click();
  await moments().first().waitFor();
  await page.evaluate(source);
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const found = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: { run(where: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        // A screen recording of charts has no sound to caption; what happened in it stands beside it.
        const { violations } = await axe.run({ include: ['.page-head, .page-main'], exclude: ['video'] });
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
      });
      expect([colorScheme, width, found]).toEqual([colorScheme, width, []]);
      expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(false);
    }
  }
  expect(errors).toEqual([]);
}, 120_000);
