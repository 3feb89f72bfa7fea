import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createHub, type Hub, type HubOptions } from '../../client/index.js';
import { HubServer } from './hub-server.js';

let server: HubServer;
let hub: Hub;
const page = { hidden: false, listeners: new Set<() => void>() };

beforeEach(async () => {
  server = await HubServer.start();
  page.hidden = false;
});

afterEach(async () => {
  hub.close();
  await server.close();
});

function open(options: HubOptions = {}): void {
  hub = createHub(server.url, {
    ...options,
    visibility: {
      get hidden() {
        return page.hidden;
      },
      onChange: (listener) => {
        page.listeners.add(listener);
        return () => page.listeners.delete(listener);
      },
    },
  });
}

function turn(hidden: boolean): void {
  page.hidden = hidden;
  for (const listener of page.listeners) listener();
}

async function every(count: number): Promise<unknown[]> {
  return (await server.received('subscribe', count)).map(({ request }) => request.every);
}

it('asks for less while the page is hidden, and resumes at its own pace when it is seen again', async () => {
  open();
  hub.topic('a', {}, { every: '2s' }).subscribe(() => undefined);
  await every(1);
  turn(true);
  await every(2);
  turn(false);
  expect(await every(3)).toEqual(['2s', '15s', '2s']);
  expect(server.named('subscribe').at(-1)?.request.since).toEqual({ epoch: 1, seq: 1 });
});

it('leaves a channel alone that is slower than that anyway', async () => {
  open({ hiddenEvery: '5s' });
  hub.topic('slow', {}, { every: '1m' }).subscribe(() => undefined);
  await every(1);
  turn(true);
  // The next call in line shows that nothing was asked in between.
  hub.topic('quick').subscribe(() => undefined);
  expect(await every(2)).toEqual(['1m', '5s']);
});

it('goes on as ever when it is told to', async () => {
  open({ hiddenEvery: null });
  hub.topic('a').subscribe(() => undefined);
  await every(1);
  turn(true);
  hub.topic('b').subscribe(() => undefined);
  expect(await every(2)).toEqual([undefined, undefined]);
});

it('stops listening to the page when it is closed', () => {
  open();
  expect(page.listeners.size).toBe(1);
  hub.close();
  expect(page.listeners.size).toBe(0);
});
