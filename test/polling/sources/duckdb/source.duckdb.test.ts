import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { Source } from '../../../../src/polling/source.js';
import { sourceSuite } from '../source.suite.js';
import { duckSource, duckTopic, writeDuck } from './support.js';

let dir: string;
let file: string;
const opened: Source[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pollcast-duck-'));
  file = join(dir, 'shop.duckdb');
  await writeDuck(
    file,
    'create table item as select i::int as id, (i % 10)::int as k, i::int as v from range(100) r(i)',
  );
});
afterEach(() => Promise.all(opened.splice(0).map((source) => source.close())));
afterAll(() => rm(dir, { recursive: true, force: true }));

const open = (path: string): Source => {
  const source = duckSource(`duckdb:${path}`);
  opened.push(source);
  return source;
};

/** Whoever writes makes another file and puts it in the place of the first: DuckDB has one writer, or many readers. */
async function write(sql: string): Promise<void> {
  const next = join(dir, 'next.duckdb');
  await writeDuck(next, `attach '${file}' as old (read_only); create table item as from old.item; detach old; ${sql}`);
  await rename(next, file);
}

sourceSuite(() => ({
  open: () => open(file),
  topic: duckTopic,
  write,
  slow: 'select count(*) as x from range(100000000000) a, range(1000) b',
  away: () => open(join(dir, 'nowhere', 'shop.duckdb')),
}));
