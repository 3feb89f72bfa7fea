import { readdir, stat } from 'node:fs/promises';
import { join, parse } from 'node:path';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Logger } from '../../../kernel/log.js';
import type { Duck } from './load.js';
import type { DuckLocation } from './location.js';

/** Reader of each kind of file, by what its name ends with. */
const READERS: Readonly<Record<string, string>> = {
  '.parquet': 'read_parquet',
  '.csv': 'read_csv',
  '.tsv': 'read_csv',
  '.json': 'read_json',
  '.ndjson': 'read_json',
};

/** One opened database and its connections; those who use it when it is replaced still end their queries. */
interface Opened {
  readonly instance: DuckDBInstance;
  readonly seen: string;
  readonly idle: DuckDBConnection[];
  users: number;
  retired: boolean;
}

/**
 * A DuckDB that can only read, and only what it was given: a database file (opened read-only), or a folder whose files are
 * views of their names. Everything else of the file system, extensions, other databases and DuckDB's own settings are out of its
 * reach before the first query runs, and stay so.
 *
 * When another file takes the place of the one that was opened, or files of the folder come or go, the next query sees it.
 */
export class DuckStore {
  #current: Opened | null = null;
  #opening: Promise<Opened> | null = null;
  #closed = false;

  constructor(
    readonly duck: Duck,
    private readonly location: DuckLocation,
    private readonly log: Pick<Logger, 'warn'>,
  ) {}

  /** Lends a connection. Rejects when the database cannot be opened. */
  async with<T>(use: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const opened = await this.#fresh();
    opened.users += 1;
    let connection: DuckDBConnection | undefined;
    try {
      connection = opened.idle.pop() ?? (await opened.instance.connect());
      return await use(connection);
    } finally {
      if (connection) opened.idle.push(connection);
      opened.users -= 1;
      if (opened.retired) this.#end(opened);
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#current) this.#retire(this.#current);
    this.#current = null;
  }

  async #fresh(): Promise<Opened> {
    const seen = await this.#look();
    if (this.#closed) throw new Error('it is closed');
    if (this.#current?.seen === seen) return this.#current;
    this.#opening ??= this.#open(seen).finally(() => (this.#opening = null));
    return this.#opening;
  }

  /** What tells one state of the files from another: the names within a folder, the identity of a file. */
  async #look(): Promise<string> {
    const { path } = this.location;
    const found = await stat(path);
    if (found.isDirectory()) return (await readdir(path)).sort().join('\n');
    return `${found.ino} ${found.size} ${found.mtimeMs}`;
  }

  async #open(seen: string): Promise<Opened> {
    const { duck, location } = this;
    const isFolder = (await stat(location.path)).isDirectory();
    const instance = await duck.DuckDBInstance.create(isFolder ? ':memory:' : location.path, {
      ...(isFolder ? {} : { access_mode: 'READ_ONLY' }),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
      ...(location.threads === undefined ? {} : { threads: String(location.threads) }),
      ...(location.memory === undefined ? {} : { memory_limit: location.memory }),
    });
    try {
      const connection = await instance.connect();
      const folders = [...location.files, ...(isFolder ? [location.path] : [])];
      if (isFolder) await this.#nameFiles(connection, location.path);
      await connection.run(`SET GLOBAL TimeZone = 'UTC'`);
      await connection.run(`SET allowed_directories = [${folders.map((folder) => literal(`${folder}/`)).join(', ')}]`);
      await connection.run('SET enable_external_access = false');
      await connection.run('SET lock_configuration = true');
      const opened: Opened = { instance, seen, idle: [connection], users: 0, retired: false };
      if (this.#closed) throw new Error('it was closed meanwhile');
      if (this.#current) this.#retire(this.#current);
      this.#current = opened;
      return opened;
    } catch (error) {
      instance.closeSync();
      throw error;
    }
  }

  /** `orders.parquet` is the view `orders`. One that cannot be read is left out, and told. */
  async #nameFiles(connection: DuckDBConnection, folder: string): Promise<void> {
    const named = new Map<string, string>();
    for (const file of (await readdir(folder)).sort()) {
      const { name, ext } = parse(file);
      const reader = READERS[ext.toLowerCase()];
      const view = name.toLowerCase().replace(/\W+/g, '_');
      if (reader === undefined || file.startsWith('.')) continue;
      const other = named.get(view);
      if (other !== undefined) {
        this.log.warn({ file, other, table: view }, 'two files would be one table: the second is left out');
        continue;
      }
      named.set(view, file);
      try {
        await connection.run(`CREATE VIEW "${view}" AS SELECT * FROM ${reader}(${literal(join(folder, file))})`);
      } catch (error) {
        this.log.warn({ err: error, file }, 'a file cannot be read as a table: it is left out');
      }
    }
  }

  #retire(opened: Opened): void {
    opened.retired = true;
    this.#end(opened);
  }

  #end({ users, idle, instance }: Opened): void {
    if (users > 0) return;
    for (const connection of idle.splice(0)) connection.closeSync();
    instance.closeSync();
  }
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
