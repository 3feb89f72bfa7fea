import { describe, expect, test } from '@jest/globals';

import { prepareSql } from '../../src/topics/sql.js';

const PARAMS = [{ name: 'n', type: 'int' }] as const;

function alone(sql: string): string | undefined {
  const { prepared, problems } = prepareSql(sql, PARAMS);
  expect(problems).toEqual([]);
  return prepared?.statement.alone;
}

describe('channels must not share a SELECT', () => {
  test.each([
    ['EXISTS', 'select exists (select 1 from t where t.k = :n) as f from a union all select true'],
    ['NOT EXISTS inside an expression', 'select 1 as f union all select case when not exists (select :n) then 1 end'],
    ['IN', 'select * from (select k in (select k from t where t.n = :n) as f from a union all select true) s'],
    ['NOT IN', 'select * from (select true as f union all select k not in (select :n) from a) s'],
    ['= ANY', 'select k = any (select :n) as f from a union all select true'],
    ['one of three branches', 'select true as f union all select false union all select exists (select :n)'],
    ['a sub-select below', 'select f from (select exists (select :n) as f) s union all select true'],
    ['a CTE', 'with c as (select exists (select :n) as f) select f from c union all select true'],
    [
      'a CTE of a CTE',
      'with b as (select exists (select :n) as f), c as (select * from b) select f from c union all select true',
    ],
    [
      'a sub-select in a condition',
      'select 1 from a where k in (select f from (select exists (select :n)::int as f union all select 1) s)',
    ],
  ])('whose UNION ALL has a column that may come from %s', (_, sql) => {
    expect(alone(sql)).toMatch(/UNION ALL/);
  });
});

describe('channels share a SELECT', () => {
  test.each([
    ['with EXISTS and no UNION ALL', 'select exists (select :n) as f'],
    ['with UNION ALL and no such column', 'select k from a where k = :n union all select :n'],
    ['with EXISTS in a condition of a branch', 'select k from a where exists (select :n) union all select 1'],
    ['with EXISTS outside of the UNION ALL', 'select exists (select :n), k from (select 1 as k union all select 2) s'],
    ['with UNION, which is no UNION ALL', 'select exists (select :n) as f union select true'],
    ['with a scalar sub-select', 'select (select max(k) from a where k < :n) as m union all select 1'],
    [
      'with a CTE that no branch reads',
      'with c as (select exists (select :n) as f), u as (select 1 as k union all select 2) select f, k from c, u',
    ],
    ['without parameters, which has one channel', 'select exists (select 1) as f union all select true'],
  ])('%s', (_, sql) => {
    expect(alone(sql)).toBeUndefined();
  });
});
