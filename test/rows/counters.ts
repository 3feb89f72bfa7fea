import { expect } from '@jest/globals';
import { silent } from '../../src/kernel/log.js';
import { defineWorker } from '../../src/rows/definition.js';
import type { RowSteps, RowWorkerOptions } from '../../src/rows/row-worker.decorator.js';
import { RowTable } from '../../src/rows/table.js';
import { eventually } from '../support/eventually.js';
import type { TestDatabase, TestPostgres } from '../support/postgres.js';

/** Counters at 3, or another value, and every change of one written down by the database itself. */
export const countersOf = (rows: number, value = 3): string => `
  create table counters (id bigint primary key, value int not null, note text);
  create table changes (n bigserial, id bigint, before int, after int, at timestamptz default clock_timestamp());
  create function note_change() returns trigger language plpgsql as
    $$ begin insert into changes (id, before, after) values (old.id, old.value, new.value); return null; end $$;
  create trigger note after update of value on counters for each row execute function note_change();
  insert into counters select i, ${value} from generate_series(1, ${rows}) i;`;

export interface Counter {
  readonly id: number;
  readonly value: number;
  readonly note: string | null;
}

/** A database with counters, and the questions that tests ask it. */
export interface Counters {
  readonly postgres: TestPostgres;
  readonly database: TestDatabase;
}

export async function createCounters(postgres: TestPostgres, rows: number): Promise<Counters> {
  const database = await postgres.createDatabase();
  await postgres.query(countersOf(rows), [], database.name);
  return { postgres, database };
}

export function ask<Row extends Record<string, unknown>>(
  { postgres, database }: Counters,
  text: string,
): Promise<Row[]> {
  return postgres.query<Row>(text, [], database.name);
}

export async function openTable(
  { database }: Pick<Counters, 'database'>,
  options: Partial<RowWorkerOptions> = {},
  steps: RowSteps<Counter> = { step: ({ value }) => ({ value: value - 1 }) },
): Promise<{ table: RowTable; definition: Awaited<ReturnType<typeof defineWorker>> }> {
  const all = { name: 'countdown', table: 'counters', match: 'value > 0', every: '40ms', ...options };
  const definition = await defineWorker(all, steps, 'Test');
  return { definition, table: new RowTable(database.url, definition, silent, 2) };
}

/** Waits until nothing is left to count. */
export function allAtZero(of: Counters): Promise<unknown> {
  return eventually(async () => (await ask(of, 'select from counters where value > 0 limit 1')).length === 0, {
    what: 'all rows at 0',
    deadlineMs: 120_000,
    everyMs: 100,
  });
}

/** Each of so many rows went down to 0 from where it was, one at a time, and nothing else was written. */
export async function expectSteps(of: Counters, rows: number, from = 3): Promise<void> {
  const taken = `array_agg(before || '>' || after order by n)`;
  const wrong = await ask(
    of,
    `select id, ${taken} as steps from changes group by id
     having ${taken} <> (select array_agg(v || '>' || v - 1 order by v desc) from generate_series(1, ${from}) v)`,
  );
  expect(wrong).toEqual([]);
  expect(await ask(of, 'select count(distinct id)::int as rows, count(*)::int as steps from changes')).toEqual([
    { rows, steps: rows * from },
  ]);
}
