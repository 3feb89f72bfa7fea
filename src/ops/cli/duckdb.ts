import { PollcastError } from '../../errors.js';
import { loadDuck, messageOf } from '../../polling/sources/duckdb/load.js';
import { duckLocation } from '../../polling/sources/duckdb/location.js';
import { DuckStore } from '../../polling/sources/duckdb/store.js';
import { DATABASE } from '../../topics/check.js';
import { listTopicFiles, parseRead, readTopicFile } from '../../topics/files.js';
import type { PreparedSql } from '../../topics/sql.js';
import type { TopicFault } from '../../topics/topic.js';

const ofTheDatabase = (severity: TopicFault['severity'], message: string): TopicFault => ({
  file: DATABASE,
  line: 1,
  severity,
  message,
});

/** All faults of a folder's files, of which DuckDB prepares every statement; nothing is run. */
export async function checkWithDuck(dir: string, url: string): Promise<TopicFault[]> {
  const location = duckLocation(url);
  if (!location) throw new PollcastError('BAD_REQUEST', 'DATABASE_URL: expected duckdb:PATH');
  const faults: TopicFault[] = [];
  const warn = (fields: object, message: string): void => {
    const { file, err } = fields as { file?: string; err?: unknown };
    const why = err === undefined ? '' : `: ${firstLine(err)}`;
    faults.push(ofTheDatabase('warning', `${file}: ${message}${why}`));
  };
  const store = new DuckStore(await loadDuck(), location, { warn });
  /** What is wrong with a statement, and where in its source. */
  const wrong = (sql: PreparedSql): Promise<{ message: string; offset: number } | null> =>
    store.with(async (connection) => {
      try {
        await connection.prepare(sql.statement.text);
        return null;
      } catch (error) {
        return { message: firstLine(error), offset: sql.toSource(position(error, sql.statement.text)) };
      }
    });
  try {
    for (const file of await listTopicFiles(dir)) {
      const read = await readTopicFile(dir, file);
      if (read === undefined) continue;
      const { topic, origin, faults: found } = parseRead(file, read, 'duckdb');
      faults.push(...found);
      if (!topic || !origin) continue;
      const select = await wrong(origin.select);
      if (select) faults.push(origin.faultAt(origin.selectOffset(select.offset), select.message));
      const changed = origin.changed && (await wrong(origin.changed));
      if (changed) faults.push(origin.faultAt(origin.changedOffset(changed.offset), `changed: ${changed.message}`));
    }
  } catch (error) {
    faults.push(ofTheDatabase('error', `the database cannot be opened: ${firstLine(error)}`));
  } finally {
    store.close();
  }
  return faults;
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}

/** Where DuckDB's caret points, counted from 1; the statement's start where it shows a part of the line only. */
function position(error: unknown, text: string): number {
  const [, line = '', shown = '', before = ''] = /\nLINE (\d+): (.*)\n( *)\^/.exec(messageOf(error)) ?? [];
  const lines = text.split('\n');
  if (line === '' || lines[Number(line) - 1] !== shown) return 1;
  const start = lines.slice(0, Number(line) - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return start + before.length - `LINE ${line}: `.length + 1;
}
