import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { accepted, frameOf, HubServer } from '../client/hub-server.js';
import { launchBrowser } from '../support/browser.js';
import { projectRoot } from '../support/project.js';

/** The page, on what is published: StrictMode, two components of one channel, one that suspends, one that is refused. */
const PAGE = `
import { Component, StrictMode, Suspense, createElement as h } from 'react';
import { createRoot } from 'react-dom/client';
import { createHub } from 'pollcast/client';
import { HubProvider, useTopic } from 'pollcast/react';

function Panel({ id, topic, params, suspense }) {
  const { rows, state, updatedAt, error } = useTopic(topic, params, { suspense });
  const text = rows ? rows.map(({ n }) => n).join() : (error?.code ?? 'no rows');
  return h('p', { id, 'data-state': state, 'data-updated': typeof updatedAt }, text);
}
class Boundary extends Component {
  state = {};
  static getDerivedStateFromError(error) { return { error }; }
  render() { return this.state.error ? h('p', { id: 'caught' }, this.state.error.code) : this.props.children; }
}
const root = createRoot(document.getElementById('root'));
let hub;
window.show = (url, n) => {
  hub ??= createHub(url, { retryFirstMs: 20, retryMostMs: 50 });
  root.render(h(StrictMode, null, h(HubProvider, { hub },
    h(Panel, { id: 'one', topic: 'plain', params: { n } }),
    h(Panel, { id: 'two', topic: 'plain', params: { n } }),
    h(Panel, { id: 'refused', topic: 'refused' }),
    h(Suspense, { fallback: h('p', { id: 'waiting' }, 'waiting') }, h(Panel, { id: 'late', topic: 'late', suspense: true })),
    h(Boundary, null, h(Suspense, { fallback: null }, h(Panel, { id: 'never', topic: 'refused', suspense: true }))),
  )));
};
window.hide = () => root.unmount();
`;

const BUNDLE = `
import { build } from 'vite';
const page = { name: 'page', resolveId: (id) => (id === 'page' ? '\\0page' : undefined), load: (id) => (id === '\\0page' ? process.env.PAGE : undefined) };
const { output } = (await build({
  configFile: false, logLevel: 'error', plugins: [page],
  resolve: { alias: { 'pollcast/client': process.cwd() + '/dist/client/index.js', 'pollcast/react': process.cwd() + '/dist/client/react.js' } },
  build: { write: false, minify: false, rolldownOptions: { input: 'page' } },
}));
process.stdout.write(output[0].code);
`;

let server: HubServer;
let browser: Browser;
let page: Page;
let release = (): void => undefined;

beforeAll(async () => {
  server = await HubServer.start();
  server.onSubscribe = (request, ack) => {
    const answer = (): void => ack(accepted(request, 1, [{ n: Number(request.params?.n ?? 0) }]));
    if (request.topic === 'refused') ack({ ok: false, error: { code: 'FORBIDDEN', message: 'not you' } });
    else if (request.topic === 'late') release = answer;
    else answer();
  };
  const args = ['--input-type=module', '-e', BUNDLE];
  const options = {
    cwd: projectRoot,
    env: { ...process.env, PAGE, NODE_ENV: 'development' },
    maxBuffer: 64 * 1024 * 1024,
  };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  browser = await launchBrowser();
  page = await browser.newPage();
  await page.setContent('<div id="root"></div>');
  await page.addScriptTag({ type: 'module', content: stdout });
  await page.waitForFunction('window.show');
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const shows = (selector: string): Promise<unknown> => page.waitForSelector(selector);

test('useTopic shows rows, state and error in StrictMode, by one subscription for each channel', async () => {
  await page.evaluate(`show(${JSON.stringify(server.url)}, 1)`);
  await shows('#one[data-state=live][data-updated=number]:text-is("1")');
  await shows('#two:text-is("1")');
  await shows('#refused[data-state=failed]:text-is("FORBIDDEN")');
  await shows('#waiting');
  await shows('#caught:text-is("FORBIDDEN")');
  await server.received('subscribe', 3);
  expect(server.named('subscribe').filter(({ request }) => request.topic === 'plain')).toHaveLength(1);
  release();
  await shows('#late[data-state=live]:text-is("0")');
  expect(await page.locator('#waiting').count()).toBe(0);
  server.frame(frameOf('late', 2, [{ n: 7 }]));
  await shows('#late:text-is("7")');
  server.status({ channel: 'plain?n=1', state: 'stale', reason: 'cluster', since: 0 });
  await shows('#one[data-state=stale]:text-is("1")');
});

test('other parameters are another channel, and the old one is left', async () => {
  await page.evaluate(`show(${JSON.stringify(server.url)}, 2)`);
  await shows('#one[data-state=live]:text-is("2")');
  expect((await server.received('unsubscribe', 1))[0]?.request).toEqual({ channel: 'plain?n=1' });
  await page.evaluate('hide()');
  const left = (await server.received('unsubscribe', 3)).map(({ request }) => request.channel);
  expect(left.sort()).toEqual(['late', 'plain?n=1', 'plain?n=2']);
});
