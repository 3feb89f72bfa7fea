import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { createHub, type Hub, type Snapshot } from '../../client/index.js';
import { packageVersion } from '../../src/version.js';
import { fraction } from '../../src/polling/names.js';
import { launchBrowser } from '../support/browser.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { packageOfVersion } from '../support/package-version.js';
import { clock, complaints, get, oneRow } from './hub.js';

const INTERVAL_MS = 500;
const OLD = packageVersion();
const NEW = '99.0.0';
let cluster: TestCluster;
let newRoot: string;
let browser: Browser;
let nodes: TestNode[];
const viewers: Viewer[] = [];

/** A page as it is in the field: the published client behind the load balancer, built with a version of the hub. */
class Viewer {
  readonly snapshots: Snapshot[] = [];
  readonly told: string[] = [];
  /** For each time that it was cut off: why the attempts to come back failed. */
  readonly failed: string[][] = [];
  readonly #hub: Hub;

  constructor(url: string, version: string) {
    this.#hub = createHub(url, { version, hiddenEvery: null });
    this.#hub.onRelease((release) => this.told.push(release.version));
    // `since` stays while it is cut off: what is told again with the same one is an attempt that failed.
    let since = NaN;
    this.#hub.onConnection((status) => {
      if (status.state !== 'offline') return;
      if (status.since === since) this.failed.at(-1)?.push(status.error?.code ?? 'no answer');
      else this.failed.push([]);
      since = status.since;
    });
    this.#hub.topic('grid').watch((snapshot) => {
      if (snapshot.rows !== this.snapshots.at(-1)?.rows) this.snapshots.push(snapshot);
    });
  }

  /** Which due times of the topic's grid it has seen the polls of. */
  get polls(): number[] {
    const at = this.snapshots.flatMap(({ rows }) => (rows?.[0] ? [Number(rows[0].at)] : []));
    return at.map((ms) => Math.floor((ms - fraction('grid') * INTERVAL_MS) / INTERVAL_MS));
  }

  async more(count: number): Promise<void> {
    const before = this.polls.length;
    await eventually(() => this.polls.length >= before + count, { what: `${count} more polls`, deadlineMs: 30_000 });
  }

  close(): void {
    this.#hub.close();
  }
}

beforeAll(async () => {
  [cluster, newRoot, browser] = await Promise.all([
    startCluster({
      nginx: true,
      topics: { 'grid.sql': clock('released', `${INTERVAL_MS}ms`) },
      schema: oneRow('released'),
    }),
    packageOfVersion(NEW),
    launchBrowser(),
  ]);
  nodes = [...cluster.nodes];
  for (let i = 0; i < 6; i++) viewers.push(new Viewer(cluster.url, OLD));
  await Promise.all(viewers.map((viewer) => viewer.more(2)));
}, 90_000);

afterAll(async () => {
  await browser.close();
  for (const viewer of viewers) viewer.close();
  await cluster.stop();
  await rm(newRoot, { recursive: true, force: true });
}, 60_000);

/** Stops a node in order and starts it on the same port, as another version. */
async function restart(i: number, version: string): Promise<void> {
  const before = nodes[i]!;
  await before.stop();
  expect(complaints(before)).toEqual([]);
  nodes[i] = await cluster.add(
    { NODE_NAME: `n${i}-${version}-${cluster.prefix}`, PORT: String(before.port) },
    version === NEW ? newRoot : undefined,
  );
}

async function everybodyTold(versions: string[]): Promise<void> {
  await eventually(() => viewers.every(({ told }) => told.length >= versions.length), { what: 'notices for all' });
  // What would come twice has come by now: polls have reached everyone since.
  await Promise.all(viewers.map((viewer) => viewer.more(3)));
  expect(viewers.map(({ told }) => told)).toEqual(viewers.map(() => versions));
}

test('a rollout half-way announces nothing, and `nodes` shows both versions', async () => {
  await restart(0, NEW);
  const listed = await get<{ version: string }[]>(`${nodes[0]!.url}/api/nodes`);
  expect(listed.map(({ version }) => version).sort()).toEqual([OLD, OLD, NEW].sort());
  const early = new Viewer(cluster.url, NEW);
  await Promise.all([early, ...viewers].map((viewer) => viewer.more(4)));
  expect([early, ...viewers].flatMap(({ told }) => told)).toEqual([]);
  early.close();
}, 60_000);

test('the last node restarted: exactly one notice each, no poll missed, and whoever is cut off is taken in at once', async () => {
  await restart(1, NEW);
  expect(viewers.flatMap(({ told }) => told)).toEqual([]);
  await restart(2, NEW);
  await everybodyTold([NEW]);
  // Each was on a node that stopped, most of them on several.
  expect(viewers.every(({ failed }) => failed.length > 0)).toBe(true);
  for (const viewer of viewers) {
    // By the second attempt, that is 1.4 s of waiting at most: the rest of the promised 3 s is the machine's.
    expect(viewer.failed.filter(({ length }) => length > 1)).toEqual([]);
    const { polls } = viewer;
    expect(new Set(viewer.snapshots.map(({ state }) => state))).toEqual(new Set(['live']));
    expect(polls.filter((poll, i) => i > 0 && poll <= polls[i - 1]!)).toEqual([]);
  }
  // Together they saw every due time from the first to the last: one that moves between two nodes may skip, a poll may not.
  const seen = new Set(viewers.flatMap(({ polls }) => polls));
  const [first, last] = [Math.min(...seen), Math.max(...seen)];
  const due = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  expect(due.filter((cell) => !seen.has(cell))).toEqual([]);
}, 90_000);

test('who comes later with an older page is told at once; with the new one, not', async () => {
  const [older, current] = [new Viewer(cluster.url, OLD), new Viewer(cluster.url, NEW)];
  await eventually(() => older.told.length > 0, { what: 'the notice of a late joiner' });
  await Promise.all([older.more(2), current.more(2)]);
  expect([older.told, current.told]).toEqual([[NEW], []]);
  older.close();
  current.close();
}, 60_000);

test('the page says so in a bar that is heard too, and refreshes when it is asked to', async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  // Built with the old version, as every page here: the new package is a copy of this one.
  await page.goto(cluster.url);
  const bar = page.getByRole('status').filter({ hasText: 'A new version is here' });
  await bar.waitFor();
  expect(await bar.textContent()).toContain(NEW);
  await page.evaluate('window.before = true');
  await bar.getByRole('button', { name: 'Refresh' }).click();
  await page.waitForFunction('window.before === undefined');
  await page.close();
}, 60_000);

test('a rollback is a release too', async () => {
  for (const i of [0, 1, 2]) await restart(i, OLD);
  await everybodyTold([NEW, OLD]);
}, 120_000);
