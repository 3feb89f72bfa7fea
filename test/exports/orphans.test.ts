import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { OrphanFiles } from '../../src/exports/orphans.js';
import { silent } from '../../src/kernel/log.js';
import { storageTrouble } from '../../src/storage/storage.js';
import { altered, ROOT, Stage, type StageNode } from './stage.js';

let stage: Stage;
let node: StageNode;
let orphans: OrphanFiles;

beforeEach(async () => {
  stage = await Stage.open();
  node = await stage.node('a');
  orphans = new OrphanFiles(stage.storage, node.ports.store, ROOT, stage.cluster.time.clock(), silent);
});

afterEach(() => stage.close());

const find = () => stage.cluster.within(orphans.find());
const put = (path: string, text = 'left') => stage.storage.write(path, Readable.from([text]));

test('what a record knows is none; what nobody knows, and what a dead owner left in a known export, is', async () => {
  const topic = stage.serve('few', () => [{ id: 1 }]);
  await stage.request(node, topic, 'csv');
  const ready = await stage.ended(node);
  const fence = Number(/\/(\d+)-/.exec(ready.pieces[0]?.path ?? '')?.[1]);
  expect(await find()).toEqual([]);

  await put(`${ROOT}/nobodys/7-00001.csv`);
  await put(`${ROOT}/nobodys/7-00002.csv`);
  await put(`${ready.folder}/${fence - 1}-00001.csv`);
  // Its own, not noted yet; another cluster's; another feature's.
  await put(`${ready.folder}/${fence}-00009.csv`);
  await put('exports/elsewhere/nobodys/7-00001.csv');
  await put('recordings/x/y');
  const found = await find();
  const inFolder = `${ready.folder}/${fence - 1}-00001.csv`;
  expect(found).toHaveLength(2);
  expect(Object.fromEntries(found.map((one) => [one.name, one]))).toEqual({
    [`${ROOT}/nobodys`]: {
      kind: 'orphan-file',
      name: `${ROOT}/nobodys`,
      node: null,
      ageMs: expect.any(Number) as unknown,
      evidence: '2 files, 8 bytes, of an export that no record names',
    },
    [inFolder]: {
      kind: 'orphan-file',
      name: inFolder,
      node: null,
      ageMs: expect.any(Number) as unknown,
      evidence: `4 bytes, left by an owner with fence ${fence - 1}; its export is ready without it`,
    },
  });
  for (const zombie of found) expect(await orphans.clean(zombie)).toMatchObject({ removed: true });
  expect(await find()).toEqual([]);
  expect(await orphans.clean(found[0] as { name: string })).toEqual({
    removed: false,
    outcome: 'it is none any more',
  });
  expect(await stage.files()).toEqual(
    [...ready.pieces.map(({ path }) => path), `${ready.folder}/${fence}-00009.csv`].sort(),
  );
  expect((await stage.file(ready)).toString()).toBe('id\n1\n');
});

test('what is gone at the second look is none: an export that is just being removed', async () => {
  await put(`${ROOT}/going/7-00001.csv`);
  const looking = orphans.find();
  await stage.cluster.time.advance(100);
  await stage.storage.deleteAll(`${ROOT}/going`);
  expect(await stage.cluster.within(looking)).toEqual([]);
});

test('half a file of a writer that died is found with its folder', async () => {
  const source = new Readable({ read: () => undefined });
  const writing = stage.storage.write(`${ROOT}/half/7-00001.csv`, source);
  source.push('half');
  await stage.cluster.time.until(async () => (await find()).length === 1, 'the half file');
  const [half] = await find();
  expect(half).toMatchObject({ name: `${ROOT}/half`, evidence: expect.stringMatching(/^1 file, 4 bytes/) as unknown });
  await orphans.clean(half as { name: string });
  source.push(null);
  await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await find()).toEqual([]);
});

test('while the storage does not answer there is nothing to say of files, and the other zombies are still told', async () => {
  await put(`${ROOT}/nobodys/7-00001.csv`);
  async function* fails() {
    await Promise.reject(storageTrouble('away'));
    yield* [];
  }
  const away = altered(stage.storage, { list: fails });
  const blind = new OrphanFiles(away, node.ports.store, ROOT, stage.cluster.time.clock(), silent);
  expect(await stage.cluster.within(blind.find())).toEqual([]);
});
