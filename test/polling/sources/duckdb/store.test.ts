import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DuckSource } from '../../../../src/polling/sources/duckdb/duckdb.js';
import { duckLocation } from '../../../../src/polling/sources/duckdb/location.js';
import { parseTopic } from '../../../../src/topics/topic-file.js';
import { asksOf, rowsOf, whenever, type Values } from '../support.js';
import { duckSource, duckTopic, writeDuck } from './support.js';

let dir: string;
let lake: string;
let source: DuckSource | undefined;
const warned: unknown[] = [];
const log = { info: () => undefined, warn: (fields: object) => void warned.push(fields) };
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pollcast-lake-'));
  lake = join(dir, 'lake');
  warned.length = 0;
  await mkdir(lake);
  await writeFile(join(lake, 'regions.csv'), 'name,orders\nEU,3\nUS,4\n');
  await writeFile(join(dir, 'secret.csv'), 'password\nhunter2\n');
  await writeDuck(':memory:', `copy (select i as id from range(3) r(i)) to '${join(lake, 'items.parquet')}'`);
});
afterEach(async () => {
  await source?.close();
  source = undefined;
  await rm(dir, { recursive: true, force: true });
});

async function rows(sql: string, values: Values = {}, header = ''): Promise<unknown> {
  source ??= duckSource(`duckdb:${lake}`, { log });
  const [answer] = await source.ask(duckTopic(sql, header), asksOf([values]), whenever());
  return rowsOf(answer);
}

describe('a folder', () => {
  test('has a table for each file: Parquet, CSV, JSON', async () => {
    await writeFile(join(lake, 'Web Hits.ndjson'), '{"path": "/a"}\n{"path": "/b"}\n');
    expect(await rows('select name, orders from regions order by name')).toEqual([
      { name: 'EU', orders: 3 },
      { name: 'US', orders: 4 },
    ]);
    expect(
      await rows('select count(*) as items from items where id >= :n', { n: 1 }, 'params:\n  n: { type: int }'),
    ).toEqual([{ items: 2 }]);
    expect(await rows('select path from web_hits order by 1')).toEqual([{ path: '/a' }, { path: '/b' }]);
  });

  test('is read anew when a file is replaced, comes or goes', async () => {
    const count = 'select sum(orders)::int as orders from regions';
    expect(await rows(count)).toEqual([{ orders: 7 }]);
    await writeFile(join(lake, 'next'), 'name,orders\nEU,30\nUS,40\nAPAC,50\n');
    await rename(join(lake, 'next'), join(lake, 'regions.csv'));
    expect(await rows(count)).toEqual([{ orders: 120 }]);
    await writeFile(join(lake, 'more.csv'), 'x\n1\n');
    expect(await rows('select x from more')).toEqual([{ x: 1 }]);
    await rm(join(lake, 'more.csv'));
    expect(await rows('select x from more')).toMatchObject({ kind: 'failed', code: 'QUERY_FAILED' });
  });

  test('leaves out what is no table, and tells', async () => {
    await writeFile(join(lake, 'broken.parquet'), 'this is no parquet');
    await writeFile(join(lake, 'regions.json'), '[]');
    expect(await rows('select count(*) as n from regions')).toEqual([{ n: 2 }]);
    expect(warned).toMatchObject([{ file: 'broken.parquet' }, { file: 'regions.json', other: 'regions.csv' }]);
  });
});

describe('what a statement can reach', () => {
  test.each([
    ['another file', (at: string) => `select * from read_csv('${at}/secret.csv')`],
    ['another file, by way of the folder', (at: string) => `select * from read_csv('${at}/lake/../secret.csv')`],
    ['another file as a table', (at: string) => `select * from "${at}/secret.csv"`],
    ['names of files', (at: string) => `select * from glob('${at}/*')`],
    ['another database', (at: string) => `attach '${at}/other.db' as other`],
    ['a file to write', (at: string) => `copy (select 1) to '${at}/out.csv'`],
    ['even within the folder', (at: string) => `copy (select 1) to '${at}/lake/out.csv'`],
    ['an extension', () => 'install httpfs'],
    ['a server', () => "select * from read_csv('https://example.com/x.csv')"],
    ['a setting', () => 'set enable_external_access = true'],
    ['a table of its own', () => 'create table mine as select 1'],
    ['two statements', () => 'select 1; select 2'],
  ])('is not %s, whoever let it through', async (_what, sql) => {
    source = duckSource(`duckdb:${lake}`);
    const topic = { ...duckTopic('select 1 as x'), select: { text: sql(dir), params: [] } };
    const [answer] = await source.ask(topic, asksOf([{}]), whenever());
    expect(answer).toMatchObject({ kind: 'failed', code: 'QUERY_FAILED' });
    expect(JSON.stringify(answer)).not.toMatch(/hunter2|secret|lake/);
  });

  test.each([
    ["select * from read_parquet('lake/*.parquet')", undefined],
    ['select i from range(:n) as r(i), unnest(array[1, 2]) as u(j)', undefined],
    ['select * from read_csv(:file)', '`read_csv` reads files: expected a constant text that names them'],
    ["select * from read_csv('a' || :file)", '`read_csv` reads files'],
    ["select * from read_text('/etc/passwd')", '`read_text` is not among those that are allowed with DuckDB'],
    ["select * from glob('/etc/*')", '`glob` is not among'],
    ["select * from query('select 1')", '`query` is not among'],
    ["select * from postgres_scan('host=db', 'public', 'orders')", '`postgres_scan` is not among'],
    ["select 1 as x from items i join lateral sniff_csv('x') s on true", '`sniff_csv` is not among'],
    ["select set_config('x', 'y', false) as x", '`set_config` changes a setting'],
    ["copy items to 'x.csv'", 'expected one SELECT, got COPY'],
  ])('is looked at when the file is read: %s', (sql, fault) => {
    const header = 'params:\n  file: { type: text, default: x }\n  n: { type: int, default: 1 }';
    const { faults } = parseTopic('a.sql', `/*\n${header}\n*/\n${sql}`, 'duckdb');
    const errors = faults.filter(({ severity }) => severity === 'error').map(({ message }) => message);
    expect(errors).toEqual(fault === undefined ? [] : [expect.stringContaining(fault)]);
  });
});

describe('an address', () => {
  test('names a file or a folder, and what belongs to it', () => {
    expect(duckLocation('duckdb:/data/shop.duckdb?files=/data/a,/data/b&threads=2&memory=1GB')).toEqual({
      path: '/data/shop.duckdb',
      files: ['/data/a', '/data/b'],
      threads: 2,
      memory: '1GB',
    });
    for (const wrong of [
      'duckdb:',
      'duckdb:/x?thread=2',
      'duckdb:/x?threads=0',
      'duckdb:/x?memory=much',
      'postgres://x',
    ])
      expect(duckLocation(wrong)).toBeUndefined();
  });
});
