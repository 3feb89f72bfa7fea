import pg from 'pg';
import { PollcastError } from '../errors.js';
import { bindOne } from '../polling/sources/values.js';
import type { Channel } from '../topics/topic.js';

/**
 * The database's plan of a channel's statement, as text. It is planned, not run.
 *
 * @throws PollcastError `BAD_REQUEST` for a topic without a statement; `UNAVAILABLE`, `QUERY_FAILED`
 */
export async function explain({ topic, values }: Channel, url: string): Promise<string> {
  if (topic.read)
    throw new PollcastError('BAD_REQUEST', `${topic.name} is written in code: it has no statement to explain.`);
  if (!/^postgres(ql)?:/.test(url))
    throw new PollcastError('BAD_REQUEST', 'Only statements of Postgres can be explained here.');
  const specs = topic.select.params.map((name) => topic.params.find((param) => param.name === name));
  const bound = bindOne(
    specs.filter((spec) => spec !== undefined),
    { values, seen: null },
  ).slice(0, -1);
  const client = new pg.Client({
    connectionString: url,
    application_name: 'pollcast explain',
    connectionTimeoutMillis: 3_000,
    statement_timeout: topic.timeoutMs,
    options: '-c default_transaction_read_only=on',
  });
  // A server that goes away meanwhile is told by the query's own rejection.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw new PollcastError('UNAVAILABLE', 'The database does not answer.', undefined, { cause: error });
  }
  try {
    // Extended protocol, so that what follows the statement, if anything could, is not run.
    const query = { text: `EXPLAIN ${topic.select.text}`, values: bound, queryMode: 'extended' };
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(query);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  } catch (error) {
    throw new PollcastError(
      'QUERY_FAILED',
      'The database could not plan the statement; see `pollcast topics check`.',
      undefined,
      {
        cause: error,
      },
    );
  } finally {
    await client.end();
  }
}
