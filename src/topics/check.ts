import pg from 'pg';
import { describe } from '../errors.js';
import { describeStatement, type ResultField } from './describe-statement.js';
import { listTopicFiles, parseRead, readTopicFile } from './files.js';
import { didYouMean } from './nearest.js';
import { excessiveRights, unseenFunctions } from './rights.js';
import type { PreparedSql } from './sql.js';
import type { ParsedTopic, TopicOrigin } from './topic-file.js';
import type { ParamSpec, Topic, TopicFault } from './topic.js';
import { elementType } from './values.js';

/** Stands for the database in faults that belong to no file. */
export const DATABASE = 'DATABASE_URL';

/** Type oids whose values can leave the range in which a JSON number is exact in JavaScript. */
const INT8 = 20;
const NUMERIC = 1700;
const WIDE_ARRAYS = new Set([1016, 1231]);

/** A double has 15 digits that are always exact. */
const EXACT_DIGITS = 15;

type Complaint = { message: string; position?: number };

/** Told before each topic that is asked about: how many are done, and of how many. */
export type CheckProgress = (done: number, of: number) => void;

/**
 * Parses every topic file of a folder and asks the database to plan each statement, in a read-only transaction that is rolled
 * back. Nothing is run but EXPLAIN.
 *
 * @param pool null: without the database, the files alone
 * @param progress is told how far it is
 * @returns all faults; those of the database itself stand under `DATABASE_URL`
 * @throws PollcastError `NOT_FOUND` when there is no such folder
 */
export async function checkTopics(
  dir: string,
  pool: pg.Pool | null,
  progress: CheckProgress = () => undefined,
): Promise<TopicFault[]> {
  const faults: TopicFault[] = [];
  const good: Required<Pick<ParsedTopic, 'topic' | 'origin'>>[] = [];
  for (const file of await listTopicFiles(dir)) {
    const read = await readTopicFile(dir, file);
    if (read === undefined) continue;
    const { topic, origin, faults: found } = parseRead(file, read);
    faults.push(...found);
    if (topic && origin) good.push({ topic, origin });
  }
  if (pool) faults.push(...(await askDatabase(pool, good, progress)));
  return faults.sort((a, b) => compare(a.file, b.file) || a.line - b.line || (a.column ?? 0) - (b.column ?? 0));
}

async function askDatabase(
  pool: pg.Pool,
  topics: readonly Required<Pick<ParsedTopic, 'topic' | 'origin'>>[],
  progress: CheckProgress,
): Promise<TopicFault[]> {
  const faults: TopicFault[] = [];
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    return [
      {
        file: DATABASE,
        line: 1,
        severity: 'error',
        message: `the database cannot be asked: ${describe(error)} (is DATABASE_URL right, and does it run?)`,
      },
    ];
  }
  const ignore = (): void => undefined; // a lost connection also fails the query under way
  client.on('error', ignore);
  let broken: Error | undefined;
  try {
    const rights = await excessiveRights(client);
    if (rights) faults.push({ file: DATABASE, line: 1, severity: 'warning', message: rights });
    for (const [done, { topic, origin }] of topics.entries()) {
      progress(done, topics.length);
      faults.push(...(await checkTopic(client, topic, origin)));
    }
  } catch (error) {
    broken = error instanceof Error ? error : new Error(String(error));
    faults.push({
      file: DATABASE,
      line: 1,
      severity: 'error',
      message: `the database cannot be asked: ${describe(error)}`,
    });
  } finally {
    client.removeListener('error', ignore);
    client.release(broken);
  }
  return faults;
}

/** The faults that only the database sees in one topic. */
async function checkTopic(client: pg.ClientBase, topic: Topic, origin: TopicOrigin): Promise<TopicFault[]> {
  const faults: TopicFault[] = [];
  for (const { offset, message } of await unseenFunctions(client, origin.select.calls))
    faults.push(origin.faultAt(origin.selectOffset(offset), message, 'warning'));
  for (const { offset, message } of await unseenFunctions(client, origin.changed?.calls ?? []))
    faults.push(origin.faultAt(origin.changedOffset(offset), `changed: ${message}`, 'warning'));
  const select = await plan(client, topic, origin.select);
  if ('complaint' in select) {
    faults.push(
      origin.faultAt(origin.selectOffset(sourceOffset(origin.select, select.complaint)), select.complaint.message),
    );
  } else faults.push(...checkColumns(topic, origin, select.fields));
  if (origin.changed) {
    const changed = await plan(client, topic, origin.changed);
    if ('complaint' in changed) {
      const at = origin.changedOffset(sourceOffset(origin.changed, changed.complaint));
      faults.push(origin.faultAt(at, `changed: ${changed.complaint.message}`));
    }
  }
  return faults;
}

/** Describe finds the columns and most faults with their place; only planning finds the rest, such as a bad constant. */
async function plan(
  client: pg.ClientBase,
  topic: Topic,
  sql: PreparedSql,
): Promise<{ fields: ResultField[] } | { complaint: Complaint }> {
  const { text, params } = sql.statement;
  const prefix = 'EXPLAIN ';
  let shift = 0;
  await client.query('BEGIN READ ONLY');
  try {
    const fields = await describeStatement(client, text);
    shift = prefix.length;
    const values = params.map((name) => sample(topic.params.find((spec) => spec.name === name)));
    await client.query({ text: `${prefix}${text}`, values, queryMode: 'extended' } as pg.QueryConfig);
    return { fields };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    const position = error.position === undefined ? undefined : Number(error.position) - shift;
    const hint = error.hint === undefined ? '' : ` (${error.hint})`;
    return { complaint: { message: named(`${error.message}${hint}`, params), position } };
  } finally {
    await client.query('ROLLBACK');
  }
}

function checkColumns(topic: Topic, origin: TopicOrigin, fields: readonly ResultField[]): TopicFault[] {
  const faults: TopicFault[] = [];
  const names = fields.map(({ name }) => name);
  // Positions are known only where the select list has one entry for each column.
  const columns = origin.select.columns.length === fields.length ? origin.select.columns : [];
  const at = (index: number): number => origin.selectOffset(columns[index]?.offset ?? 0);
  if (fields.length === 0) faults.push(origin.faultAt(at(0), 'expected a SELECT with columns, got one without'));
  for (const [index, name] of names.entries()) {
    if (name === '?column?')
      faults.push(origin.faultAt(at(index), `column ${index + 1} has no name: add AS and a name`));
    else if (names.indexOf(name) < index) {
      faults.push(
        origin.faultAt(
          at(index),
          `two columns are named \`${name}\`, of which a row's JSON keeps one: rename one with AS`,
        ),
      );
    }
  }
  for (const [index, name] of topic.key.entries()) {
    if (names.includes(name)) continue;
    const message = `key: expected a column of the result, got \`${name}\`${didYouMean(name, names) || `: it has ${names.join(', ')}`}`;
    faults.push(origin.faultAt(origin.offsets.get(`key.${index}`) ?? 0, message));
  }
  for (const [index, field] of fields.entries()) {
    const type = wideType(field);
    if (type === undefined || columns[index]?.small) continue;
    const message = `column \`${field.name}\` is ${type} and can pass 2^53, beyond which a JSON number is not exact: cast it to text, or to int or float8 where its values stay small`;
    faults.push(origin.faultAt(at(index), message, 'warning'));
  }
  return faults;
}

function wideType({ dataTypeID, dataTypeModifier }: ResultField): string | undefined {
  if (dataTypeID === INT8) return 'bigint';
  if (WIDE_ARRAYS.has(dataTypeID)) return dataTypeID === 1016 ? 'bigint[]' : 'numeric[]';
  if (dataTypeID !== NUMERIC) return undefined;
  // The modifier packs precision and scale above the length word of 4; -1 is a numeric without limits.
  const precision = dataTypeModifier < 4 ? Infinity : ((dataTypeModifier - 4) >> 16) & 0xffff;
  return precision <= EXACT_DIGITS ? undefined : 'numeric';
}

/** A value to plan with: what the parameter is most likely to be. */
function sample(spec: ParamSpec | undefined): unknown {
  if (spec === undefined) return null;
  if (spec.default !== undefined) return spec.default;
  const [first] = spec.enum ?? [];
  if (first === undefined) return null;
  return elementType(spec.type).array ? [first] : first;
}

function sourceOffset(sql: PreparedSql, { position }: Complaint): number {
  return position === undefined ? 0 : sql.toSource(position);
}

/** `$1` in the server's message by its name in the file. */
function named(message: string, params: readonly string[]): string {
  return message.replace(/\$(\d+)/g, (found, n: string) =>
    params[Number(n) - 1] === undefined ? found : `:${params[Number(n) - 1]}`,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
