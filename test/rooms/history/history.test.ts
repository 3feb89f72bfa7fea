import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { newNodeId } from '../../../src/kernel/identity.js';
import { silent } from '../../../src/kernel/log.js';
import { openRedisCluster, type RedisPorts } from '../../../src/kernel/redis/cluster.js';
import { MemoryHistory } from '../../../src/rooms/history/memory.js';
import { PostgresHistory } from '../../../src/rooms/history/postgres.js';
import { RedisHistory } from '../../../src/rooms/history/redis.js';
import { startPostgres, type TestPostgres } from '../../support/postgres.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { event, historySuite } from './history.suite.js';

let postgres: TestPostgres;
let redis: TestRedis;
const opened: RedisPorts[] = [];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
});
afterAll(async () => {
  for (const ports of opened) await ports.close();
  await Promise.all([postgres.stop(), redis.stop()]);
});

async function inPostgres(): Promise<PostgresHistory> {
  const history = await PostgresHistory.open((await postgres.createDatabase()).url, silent);
  if (!history) throw new Error('the database may not be written');
  return history;
}

let clusters = 0;

historySuite('in memory', () => Promise.resolve(new MemoryHistory()));
historySuite('in Postgres', inPostgres);
historySuite('in Redis', async () => {
  const prefix = `history-${(clusters += 1)}`;
  const ports = await openRedisCluster({ node: newNodeId('a'), url: redis.url, lockUrls: [], prefix, log: silent });
  opened.push(ports);
  return new RedisHistory(ports);
});

it('a database that may only be read is told as such; one that was prepared for us may be written', async () => {
  const database = await postgres.createDatabase();
  await postgres.query(
    `create role reader login password 'reads'; revoke create on database ${database.name} from public`,
  );
  const url = database.url.replace(/\/\/[^@]*@/, '//reader:reads@');
  expect(await PostgresHistory.open(url, silent)).toBeNull();
  const owner = await PostgresHistory.open(database.url, silent);
  await owner?.close();
  await postgres.query(
    'grant usage on schema pollcast to reader; grant select, insert, delete on pollcast.room_history to reader',
    [],
    database.name,
  );
  const prepared = await PostgresHistory.open(url, silent);
  await prepared?.append([event('a', 1)]);
  expect(await prepared?.page('a', 9, 9)).toEqual([event('a', 1)]);
  await prepared?.close();
});

it('ten that open it at once all get it', async () => {
  const { url } = await postgres.createDatabase();
  const all = await Promise.all(Array.from({ length: 10 }, () => PostgresHistory.open(url, silent)));
  expect(all.every((history) => history !== null)).toBe(true);
  for (const history of all) await history?.close();
});
