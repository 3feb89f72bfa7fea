import * as duck from '@duckdb/node-api';
import type { Logger } from '../../../../src/kernel/log.js';
import { DuckSource, type DuckSourceOptions } from '../../../../src/polling/sources/duckdb/duckdb.js';
import { duckLocation } from '../../../../src/polling/sources/duckdb/location.js';
import { parseTopic } from '../../../../src/topics/topic-file.js';
import type { Topic } from '../../../../src/topics/topic.js';

const quiet: Pick<Logger, 'info' | 'warn'> = { info: () => undefined, warn: () => undefined };

export function duckSource(url: string, options: Partial<DuckSourceOptions> = {}): DuckSource {
  const location = duckLocation(url);
  if (!location) throw new Error(`not an address of DuckDB: ${url}`);
  return new DuckSource({ duck, location, log: quiet, ...options });
}

/** A topic as it would come out of a file for DuckDB. */
export function duckTopic(sql: string, header = ''): Topic {
  const { topic, faults } = parseTopic('test/topic.sql', `/*\ntitle: test\n${header}\n*/\n${sql}`, 'duckdb');
  if (!topic) throw new Error(faults.map(({ message }) => message).join('; '));
  return topic;
}

/** Runs statements on a database file, or on one in memory that writes files, as somebody else's program would. */
export async function writeDuck(file: string, sql: string): Promise<void> {
  const instance = await duck.DuckDBInstance.create(file);
  const connection = await instance.connect();
  try {
    await connection.run(sql);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
