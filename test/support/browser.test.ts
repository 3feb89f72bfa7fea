import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchBrowser } from './browser.js';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

test('renders a page and runs its script', async () => {
  const page = await browser.newPage();
  await page.setContent('<p id="out"></p><script>out.textContent = [1, 2, 3].map((n) => n * n).join()</script>');
  expect(await page.textContent('#out')).toBe('1,4,9');
  expect((await page.screenshot()).subarray(1, 4).toString()).toBe('PNG');
});

test('has a font with letters of different widths', async () => {
  const page = await browser.newPage();
  await page.setContent('<span id="wide">WWWW</span><br><span id="narrow">iiii</span>');
  const width = async (id: string) => (await page.locator(id).boundingBox())?.width ?? 0;
  expect(await width('#wide')).toBeGreaterThan(await width('#narrow'));
});
