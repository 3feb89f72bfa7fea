import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { RowTable, type RowWrite } from '../../src/rows/table.js';
import { silent } from '../../src/kernel/log.js';
import { eventually } from '../support/eventually.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { ask, createCounters, openTable, type Counters } from './counters.js';

jest.setTimeout(180_000);

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

let counters: Counters;
let table: RowTable;
beforeEach(async () => {
  counters = await createCounters(postgres, 10);
  ({ table } = await openTable(counters));
});
const clients: pg.Client[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await table.close();
});

const SLICE = { name: 'rows:countdown#0', fence: 7 };

/** Writes of all counters, as they are now. */
async function writes(slice = SLICE): Promise<RowWrite[]> {
  const all = Array.from({ length: 16 }, (_, i) => i);
  const found = await table.find(all, [], 100);
  return found
    .sort((a, b) => Number(a.key) - Number(b.key))
    .map(({ key, version, json }) => {
      const { value } = JSON.parse(json) as { value: number };
      return { slice, key, version, values: [String(value - 1)] };
    });
}

async function other(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: counters.database.url });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

const somebodyWaits = () =>
  eventually(async () => (await ask(counters, 'select from pg_locks where not granted')).length > 0, {
    what: 'a statement that waits for a lock',
  });

const values = async () =>
  (await ask<{ value: number }>(counters, 'select value from counters order by id')).map((row) => row.value);

describe('the table of a row worker', () => {
  it('finds what matches and is not known, by slice; and counts it', async () => {
    const demand = await table.demand(100);
    expect([...demand.values()].reduce((a, b) => a + b, 0)).toBe(10);
    for (const [slice, count] of demand) expect(await table.find([slice], [], 100)).toHaveLength(count);
    await ask(counters, 'update counters set value = 0 where id = 3');
    const found = await table.find([...demand.keys()], ['1', '2'], 100);
    expect(found.map(({ key }) => Number(key)).sort((a, b) => a - b)).toEqual([4, 5, 6, 7, 8, 9, 10]);
    expect(JSON.parse(found[0]!.json)).toMatchObject({ value: 3, note: null });
    expect(await table.find([...demand.keys()], [], 4)).toHaveLength(4);
  });

  it('writes a group in one statement, and each row learns what it is now and whether it still matches', async () => {
    await table.raiseFence(SLICE.name, SLICE.fence);
    const group = (await writes()).map((write, i) => ({ ...write, values: [i === 0 ? '0' : '2'] }));
    const seen = await table.write('value', group);
    expect(seen.map(({ at }) => at).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(seen.find(({ at }) => at === 0)).toMatchObject({ matches: false });
    expect(JSON.parse(seen.find(({ at }) => at === 4)!.json)).toEqual({ id: 5, value: 2, note: null });
    expect(await values()).toEqual([0, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    expect(await postgres.queryCount('pollcast_free', counters.database.name)).toBe(1);
    // What they are now is what the next write is made from.
    const again = group.map((write, at) => ({
      ...write,
      version: seen.find((one) => one.at === at)!.version!,
      values: ['1'],
    }));
    expect(await table.write('value', again)).toHaveLength(10);
  });

  it('refuses the writes of a slice whose fence was raised, and not those of others beside them', async () => {
    await table.raiseFence('rows:countdown#0', 7);
    await table.raiseFence('rows:countdown#1', 7);
    await table.raiseFence('rows:countdown#0', 8);
    const group = (await writes()).map((write, i) =>
      i < 5 ? write : { ...write, slice: { name: 'rows:countdown#1', fence: 7 } },
    );
    await table.write('value', group);
    expect(await values()).toEqual([3, 3, 3, 3, 3, 2, 2, 2, 2, 2]);
    await expect(table.raiseFence('rows:countdown#0', 7)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await table.fences(['rows:countdown#0', 'none'])).toEqual(new Map([['rows:countdown#0', 8]]));
  });

  it('refuses a write that began before the fence was raised and waits for it', async () => {
    await table.raiseFence(SLICE.name, SLICE.fence);
    const group = await writes();
    const successor = await other();
    await successor.query('begin');
    await successor.query(`update pollcast.row_fences set fence = 8 where slice = '${SLICE.name}'`);
    const writing = table.write('value', group);
    await somebodyWaits();
    await successor.query('commit');
    expect(await writing).toEqual([]);
    expect(await values()).toEqual(Array(10).fill(3));
  });

  it('lets whoever raises the fence wait for a write that is under way', async () => {
    await table.raiseFence(SLICE.name, SLICE.fence);
    const group = await writes();
    // Holds up the statement between its fence and its end, as a trigger of the user's might.
    await ask(
      counters,
      `create function hold_up() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return new; end $$;
       create trigger held before update on counters for each row execute function hold_up()`,
    );
    const holder = await other();
    await holder.query('select pg_advisory_lock(1)');
    const writing = table.write('value', group);
    await somebodyWaits();
    const raised = table.raiseFence(SLICE.name, 8);
    await eventually(async () => (await ask(counters, 'select from pg_locks where not granted')).length > 1);
    await holder.query('select pg_advisory_unlock(1)');
    expect(await writing).toHaveLength(10);
    await raised;
    expect((await writes({ ...SLICE, fence: 8 })).map((write) => write.values)).toEqual(Array(10).fill(['1']));
  });

  it('does not write a row that was changed after it was read, not even while the statement was waiting', async () => {
    await table.raiseFence(SLICE.name, SLICE.fence);
    const group = await writes();
    await ask(counters, 'update counters set value = 30 where id = 1');
    const holder = await other();
    await holder.query('begin');
    await holder.query('select from pollcast.row_fences for update');
    const writing = table.write('value', group);
    await somebodyWaits();
    // The statement has its snapshot already, in which this has not happened.
    await ask(counters, 'update counters set value = 40 where id = 2');
    await ask(counters, 'delete from counters where id = 3');
    await holder.query('commit');
    const seen = await writing;
    expect(seen.map(({ at }) => at).sort()).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(await values()).toEqual([30, 40, 2, 2, 2, 2, 2, 2, 2]);
    const looked = await table.look(group);
    expect(
      looked
        .filter(({ at }) => at < 3)
        .map(({ at, version, json }) => [at, version === null ? null : (JSON.parse(json) as object)]),
    ).toEqual([
      [0, { id: 1, value: 30, note: null }],
      [1, { id: 2, value: 40, note: null }],
      [2, null],
    ]);
  });

  it('does not wait for a row that somebody has locked', async () => {
    await table.raiseFence(SLICE.name, SLICE.fence);
    const holder = await other();
    await holder.query('begin');
    await holder.query('select from counters where id = 4 for update');
    const group = await writes();
    expect(await table.write('value', group)).toHaveLength(9);
    // It is as it was: not changed, not gone.
    expect(await table.look([group[3]!])).toEqual([]);
    await holder.query('rollback');
    expect(await table.write('value', [group[3]!])).toHaveLength(1);
  });

  it('works on keys and values of any text', async () => {
    const odd = ['a', 'NULL', 'with "quotes"', 'back\\slash', 'comma, {brace}', '', 'ümläut', ' blank '];
    await ask(counters, `create table words (word text primary key, value int not null, note text, tags text[])`);
    const client = await other();
    await client.query('insert into words (word, value) select unnest($1::text[]), 1', [odd]);
    await table.close();
    ({ table } = await openTable(counters, { table: 'words', key: 'word' }));
    await table.raiseFence(SLICE.name, SLICE.fence);
    const found = await table.find([...(await table.demand(100)).keys()], [], 100);
    const group = found.map(({ key, version }) => {
      const { values } = table.encode({ note: key, tags: [key, null], value: 7 });
      return { slice: SLICE, key, version, values };
    });
    expect(await table.write(table.encode({ note: '', tags: [], value: 0 }).columns, group)).toHaveLength(odd.length);
    const { rows } = await client.query<{ word: string; note: string; tags: string[] }>(
      'select * from words where value = 7',
    );
    expect(rows.map(({ note }) => note).sort()).toEqual([...odd].sort());
    expect(rows.every(({ word, note, tags }) => word === note && word === tags[0] && tags[1] === null)).toBe(true);
  });

  it('works on partitions, where two rows may lie at the same place', async () => {
    await ask(
      counters,
      `create table parted (id bigint, value int not null, primary key (id)) partition by hash (id);
       create table parted_0 partition of parted for values with (modulus 2, remainder 0);
       create table parted_1 partition of parted for values with (modulus 2, remainder 1);
       insert into parted select i, 3 from generate_series(1, 20) i`,
    );
    await table.close();
    ({ table } = await openTable(counters, { table: 'public.parted' }));
    await table.raiseFence(SLICE.name, SLICE.fence);
    const group = (await writes()).slice(0, 10);
    expect(await table.write('value', group)).toHaveLength(10);
    expect(await ask(counters, 'select id::int from parted where value = 2 order by id')).toEqual(
      group.map(({ key }) => ({ id: Number(key) })).sort((a, b) => a.id - b.id),
    );
  });

  it.each([
    [{ table: 'nothing' }, 'there is no table nothing'],
    [{ key: 'ident' }, 'it has no column ident'],
    [{ key: 'note' }, 'note does not identify a row'],
  ])('is refused with %p', async (options, why) => {
    await table.close();
    ({ table } = await openTable(counters, options));
    await expect(table.demand(1)).rejects.toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining(why) });
  });

  it('tells what a step can not write', async () => {
    await table.demand(1);
    expect(() => table.encode({ valu: 1 })).toThrow('counters has no column valu: did you mean `value`?');
    expect(() => table.encode({ id: 1 })).toThrow('id is the key: a step can not change it');
    expect(table.encode({ value: 1, note: undefined })).toEqual({ columns: 'value', values: ['1'] });
  });

  it('is refused for a database that is not Postgres', async () => {
    const { definition } = await openTable(counters);
    expect(() => new RowTable('duckdb:./x.db', definition, silent, 1)).toThrow('row workers need a Postgres');
  });
});
