import { describe, expect, test } from '@jest/globals';
import type { Answer, Ask, Source } from '../../../src/polling/source.js';
import type { Topic } from '../../../src/topics/topic.js';
import { asksOf, kinds, N, numbers, rowsOf, whenever } from './support.js';

/** One implementation on a database with `item (id int, k int, v int)`: `k` 0 to 9, ten of each, `id` 0 to 99, `v` = `id`. */
export interface SourceBench {
  readonly open: () => Source;
  readonly topic: (sql: string, header?: string) => Topic;
  /** Writes to the database, as its owner would. */
  readonly write: (sql: string) => Promise<void>;
  /** A SELECT that takes minutes. */
  readonly slow: string;
  /** A source whose database is not there. */
  readonly away: () => Source;
}

const seenOf = (answer: Answer | undefined): { hash?: string; mark?: string } =>
  answer?.kind === 'rows' ? { hash: answer.hash, mark: answer.mark } : {};

const again = (asks: readonly Ask[], answers: readonly Answer[]): Ask[] =>
  asks.map((ask, i) => ({ ...ask, ...seenOf(answers[i]) }));

/** What every source of a database promises, see `Source`. */
export function sourceSuite(bench: () => SourceBench): void {
  const items = (): Topic => bench().topic('select id, v from item where k = :n order by id', N);

  describe('a source', () => {
    test('brings the rows of each channel, in the order of the asks, and each as soon as it is known', async () => {
      const source = bench().open();
      const told: number[] = [];
      const options = { ...whenever(), onAnswer: (index: number) => void told.push(index) };
      const answers = await source.ask(items(), asksOf([{ n: 7 }, { n: 42 }, { n: 0 }]), options);
      expect(answers.map(rowsOf)).toEqual([
        Array.from({ length: 10 }, (_, i) => ({ id: i * 10 + 7, v: i * 10 + 7 })),
        [],
        Array.from({ length: 10 }, (_, i) => ({ id: i * 10, v: i * 10 })),
      ]);
      expect(answers.map((answer) => answer.kind === 'rows' && answer.count)).toEqual([10, 0, 10]);
      expect(told.sort()).toEqual([0, 1, 2]);
    });

    test('brings rows again only for channels whose result moved', async () => {
      const source = bench().open();
      const asks = asksOf(numbers(10));
      const known = again(asks, await source.ask(items(), asks, whenever()));
      expect(kinds(await source.ask(items(), known, whenever()))).toEqual({ unchanged: 10 });
      await bench().write('update item set v = v + 1000 where id = 42');
      try {
        const moved = await source.ask(items(), known, whenever());
        expect(kinds(moved)).toEqual({ unchanged: 9, rows: 1 });
        expect(rowsOf(moved[2])).toContainEqual({ id: 42, v: 1042 });
      } finally {
        await bench().write('update item set v = v - 1000 where id = 42');
      }
    });

    test('gives rows when the hash is another source’s', async () => {
      const [ask] = asksOf([{ n: 1 }]);
      const [answer] = await bench()
        .open()
        .ask(items(), [{ ...ask!, hash: 'sha1:beef' }], whenever());
      expect(answer).toMatchObject({ kind: 'rows', count: 10 });
    });

    test('leaves the main query out while the mark of `changed:` holds, and needs the hash that belongs to it', async () => {
      const source = bench().open();
      const topic = bench().topic(
        'select sum(v)::int as total from item where k = :n',
        `${N}\nchanged: select max(id) from item where k = :n`,
      );
      const asks = asksOf(numbers(3));
      const first = await source.ask(topic, asks, whenever());
      expect(first.map(rowsOf)).toEqual([[{ total: 450 }], [{ total: 460 }], [{ total: 470 }]]);
      const known = again(asks, first);
      // The result moves and the mark does not: nobody sees it, so the main query was not asked.
      await bench().write('update item set v = v + 1 where id = 11');
      try {
        expect(await source.ask(topic, known, whenever())).toEqual(
          known.map(({ mark }) => ({ kind: 'unchanged', mark })),
        );
        const withoutHash = known.map(({ hash: _hash, ...ask }) => ask);
        expect(rowsOf((await source.ask(topic, withoutHash, whenever()))[1])).toEqual([{ total: 461 }]);
      } finally {
        await bench().write('update item set v = v - 1 where id = 11');
      }
    });

    test('tells a channel that fails, and no other, without a word of the statement', async () => {
      const topic = bench().topic("select (case when :n = 3 then 'secret' else '1' end)::int as x", N);
      const answers = await bench()
        .open()
        .ask(topic, asksOf(numbers(6)), whenever());
      expect(kinds(answers)).toEqual({ rows: 5, QUERY_FAILED: 1 });
      expect(answers[3]).toMatchObject({ kind: 'failed', code: 'QUERY_FAILED' });
      expect(JSON.stringify(answers[3])).not.toMatch(/secret|select|case/i);
    });

    test('tells all channels of a statement that the database does not accept', async () => {
      const topic = bench().topic('select nosuch from item where k = :n', N);
      const answers = await bench()
        .open()
        .ask(topic, asksOf(numbers(3)), whenever());
      expect(kinds(answers)).toEqual({ QUERY_FAILED: 3 });
      expect(JSON.stringify(answers)).not.toContain('nosuch');
    });

    test('ends what takes longer than the time-out, and goes on', async () => {
      const source = bench().open();
      const [answer] = await source.ask(bench().topic(bench().slow, 'timeout: 300ms'), asksOf([{}]), whenever());
      expect(answer).toMatchObject({
        kind: 'failed',
        code: 'QUERY_TIMEOUT',
        message: expect.stringContaining('300 ms'),
      });
      expect(kinds(await source.ask(items(), asksOf(numbers(3)), whenever()))).toEqual({ rows: 3 });
    });

    test('ends what is under way when nobody wants it any more, and tells so', async () => {
      const source = bench().open();
      const over = new AbortController();
      const asked = source.ask(bench().topic(bench().slow, 'timeout: 5m'), asksOf([{}]), {
        signal: over.signal,
        mayQuery: () => {
          setImmediate(() => over.abort());
          return true;
        },
      });
      expect(kinds(await asked)).toEqual({ outage: 1 });
      expect(kinds(await source.ask(items(), asksOf(numbers(2)), whenever()))).toEqual({ rows: 2 });
    });

    test('asks nothing after the right to ask is lost', async () => {
      const options = { signal: new AbortController().signal, mayQuery: () => false };
      expect(
        kinds(
          await bench()
            .open()
            .ask(items(), asksOf(numbers(3)), options),
        ),
      ).toEqual({ outage: 3 });
    });

    test('refuses more rows than max_rows, and takes as many', async () => {
      const source = bench().open();
      const at = async (most: number) => {
        const topic = bench().topic('select id from item order by id', `max_rows: ${most}`);
        return (await source.ask(topic, asksOf([{}]), whenever()))[0];
      };
      expect(await at(99)).toMatchObject({ kind: 'failed', code: 'TOO_MANY_ROWS' });
      expect(await at(100)).toMatchObject({ kind: 'rows', count: 100 });
    });

    test('binds values of every type, whatever is in them', async () => {
      const topic = bench().topic(
        `select :t as t, :i as i, :b as b, :f as f, :y as y, :d as d, :u as u, :ts = '2024-01-02T01:04:05Z'::timestamptz as same,
                'it''s' = any(:list) as listed, :nothing is null as nothing, :i * 2 as twice`,
        `params:
  t: { type: text }
  i: { type: int }
  b: { type: bigint }
  f: { type: float }
  y: { type: bool }
  d: { type: date }
  u: { type: uuid }
  ts: { type: timestamptz }
  list: { type: "text[]" }
  nothing: { type: text, default: null }`,
      );
      const u = 'aaaaaaaa-0000-0000-0000-000000000000';
      const values = {
        ...{ t: `'; drop table item; -- "\\{},`, i: -5, b: '9007199254740993', f: 0.1, y: true, d: '2024-02-29', u },
        ...{ ts: '2024-01-02T01:04:05Z', list: ['a,b', "it's", '"', '\\', 'NULL', ''], nothing: null },
      };
      const [answer] = await bench()
        .open()
        .ask(topic, asksOf([values]), whenever());
      expect(answer).toMatchObject({ kind: 'rows' });
      // As text: a JSON number of that size is not exact here.
      expect(answer?.kind === 'rows' && answer.rows).toContain('9007199254740993');
      const { b: _b, ts: _ts, list: _list, ...plain } = values;
      const same = { same: true, listed: true, nothing: true, twice: -10 };
      expect(rowsOf(answer)).toEqual([{ b: expect.any(Number), ...plain, ...same }]);
    });

    test('writes every type as Postgres does in JSON', async () => {
      const topic = bench().topic(
        `select '2024-01-02 03:04:05.5'::timestamp as a, '2024-01-02T03:04:05.000001+02:00'::timestamptz as b,
                '2024-01-02'::date as c, 1.50::decimal(10, 2) as d, 9007199254740993::bigint as e, 'NaN'::float8 as f,
                '1e300'::float8 as g, null::int as h, true as i, '{"a": [1, null]}'::json as j, '01:02:03'::time as k, 'é"' as l`,
      );
      const [answer] = await bench()
        .open()
        .ask(topic, asksOf([{}]), whenever());
      expect(rowsOf(answer)).toEqual([
        {
          ...{ a: '2024-01-02T03:04:05.5', b: '2024-01-02T01:04:05.000001+00:00', c: '2024-01-02', d: 1.5 },
          ...{ e: 9007199254740992, f: 'NaN', g: 1e300, h: null, i: true, j: { a: [1, null] }, k: '01:02:03', l: 'é"' },
        },
      ]);
      expect(answer?.kind === 'rows' && answer.rows).toContain('9007199254740993');
    });

    test('answers a ping; one whose database is away says so, and counts it against no channel', async () => {
      await bench().open().ping(30_000);
      const away = bench().away();
      expect(kinds(await away.ask(items(), asksOf(numbers(2)), whenever()))).toEqual({ outage: 2 });
      await expect(away.ping(30_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    });

    test('may be closed twice', async () => {
      const source = bench().open();
      await source.ask(items(), asksOf(numbers(1)), whenever());
      await source.close();
      await source.close();
    });
  });
}
