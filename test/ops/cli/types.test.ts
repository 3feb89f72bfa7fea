import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCli } from '../../../src/ops/cli/program.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.js';
import { TYPE_CHECK_MS, typeCheck } from '../../support/type-check.js';

const TOPICS = {
  'sales/by_region.sql': `/*
title: Revenue by region */ -- a comment that ends early is no title
SELECT 1 AS x`,
  'sales/of.sql': `/*
title: Of one customer
params:
  customer: { type: bigint }
  regions: { type: text[], default: [EU], enum: [EU, it's] }
  level: { type: bigint, default: 1, enum: [1, 9007199254740993] }
  since: { type: timestamptz, default: null }
  tenant: { type: int, claim: tenant_id }
*/
SELECT id, region, total, count(*) OVER () AS orders, details, total > 5 AS "is large"
FROM orders
WHERE customer = :customer AND region = ANY (:regions) AND :level > 0 AND :tenant > 0 AND placed_at > :since`,
  'nothing.sql': 'SELECT id FROM orders',
};

let postgres: TestPostgres;
let database: TestDatabase;
let home: string;
let out: string;
const env = (): Record<string, string> => ({ DATABASE_URL: database.url, TOPICS_DIR: home });

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.createDatabase();
  await postgres.query(
    `CREATE TABLE orders (id uuid NOT NULL, customer bigint, region text NOT NULL, total numeric, details jsonb NOT NULL,
                          placed_at timestamptz)`,
    [],
    database.name,
  );
});
afterAll(() => postgres?.stop());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-cli-types-'));
  out = join(home, 'pollcast.d.ts');
  for (const [file, text] of Object.entries(TOPICS)) {
    await mkdir(dirname(join(home, file)), { recursive: true });
    await writeFile(join(home, file), text);
  }
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function cli(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const written = { out: '', error: '' };
  const code = await runCli(args, {
    env: env(),
    out: (text) => void (written.out += text),
    error: (text) => void (written.error += text),
    colour: false,
    signal: new AbortController().signal,
    interruptible: () => undefined,
  });
  return { code, ...written };
}

describe('pollcast types', () => {
  it(
    'writes types by which pollcast/client and pollcast/react know every topic',
    async () => {
      expect(await cli('types', '--out', out)).toEqual({ code: 0, out: `Wrote ${out}.\n`, error: '' });
      const types = await readFile(out, 'utf8');
      expect(await cli('types')).toEqual({ code: 0, out: types, error: '' });
      expect(await typeCheck({ 'pollcast.d.ts': types, 'use.ts': USE })).toBe('');
    },
    TYPE_CHECK_MS,
  );

  it('makes the folder that the file is to lie in', async () => {
    const deeper = join(home, 'app', 'src', 'pollcast.d.ts');
    expect(await cli('types', '--out', deeper, '--check')).toMatchObject({ code: 1, out: '' });
    expect(await cli('types', '--out', deeper)).toEqual({ code: 0, out: `Wrote ${deeper}.\n`, error: '' });
    expect(await cli('types', '--out', deeper, '--check')).toMatchObject({ code: 0 });
  });

  it('--check says whether the file is what the topics are now, and writes nothing', async () => {
    const stale = { code: 1, out: '', error: expect.stringContaining(`run \`pollcast types --out ${out}\``) };
    expect(await cli('types', '--out', out, '--check')).toEqual(stale);
    await cli('types', '--out', out);
    const before = await readFile(out, 'utf8');
    expect(await cli('types', '--out', out, '--check')).toMatchObject({ code: 0, out: `${out} is up to date.\n` });
    await postgres.query('ALTER TABLE orders ALTER total SET NOT NULL', [], database.name);
    try {
      expect(await cli('types', '--out', out, '--check')).toEqual(stale);
      expect(await readFile(out, 'utf8')).toBe(before);
    } finally {
      await postgres.query('ALTER TABLE orders ALTER total DROP NOT NULL', [], database.name);
    }
  });

  it('writes nothing while a topic has an error, and says which', async () => {
    await writeFile(join(home, 'broken.sql'), 'SELECT nosuch FROM orders');
    expect(await cli('types', '--out', out)).toEqual({
      code: 1,
      out: '',
      error:
        'broken.sql:1:8: error: column "nosuch" does not exist\nErrors: 1. No types are written before every topic is right.\n',
    });
    await expect(readFile(out)).rejects.toThrow('ENOENT');
  });

  it('refuses what it cannot do with what to do instead', async () => {
    expect(await cli('types', '--check')).toMatchObject({
      code: 2,
      error: expect.stringContaining('--check: expected --out FILE beside it'),
    });
    expect(await cli('types', '--out', join(home, 'nothing.sql', 'pollcast.d.ts'))).toMatchObject({
      code: 1,
      error: expect.stringMatching(
        /^--out: expected a file that can be read, got .* \(what it is to lie in is no folder\)\n$/,
      ),
    });
    expect(await cli('types', '--out', home)).toMatchObject({
      code: 1,
      error: expect.stringMatching(
        /^--out: expected a file that can be read, got .* \(it is a folder: name a file in it\)\n$/,
      ),
    });
  });
});

const USE = `
import { createHub } from 'pollcast/client';
import { useTopic } from 'pollcast/react';

const hub = createHub('http://127.0.0.1');
hub.topic('nothing').subscribe((rows) => rows[0]!.id.trim());
hub.topic('sales.by_region').subscribe((rows) => rows[0]!.x.toFixed());
const of = hub.topic('sales.of', { customer: 7, regions: ["it's"], level: '9007199254740993', since: null });
for await (const [row] of of) {
  row!.region.trim();
  row!.orders.toFixed();
  row!.total?.toFixed();
  row!['is large'] === true;
  // @ts-expect-error it may be null
  row!.total.toFixed();
}
hub.topic('sales.of', { customer: '9007199254740993', level: 1 });
// @ts-expect-error the customer must be given
hub.topic('sales.of', {});
// @ts-expect-error no such region
hub.topic('sales.of', { customer: 7, regions: ['XX'] });
// @ts-expect-error not exact as a number
hub.topic('sales.of', { customer: 7, level: 9007199254740993 });
// @ts-expect-error taken from the token
hub.topic('sales.of', { customer: 7, tenant: 1 });
// @ts-expect-error it takes none
hub.topic('nothing', { customer: 7 });

export function Component() {
  const { rows } = useTopic('sales.of', { customer: 7 });
  // @ts-expect-error no such column
  rows?.[0]?.nosuch.trim();
  return rows?.map(({ region }) => region.trim());
}
`;
