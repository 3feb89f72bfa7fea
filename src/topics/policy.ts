/**
 * What a topic's SELECT may call.
 *
 * A READ ONLY transaction stops writes to tables, but not everything that leaves a trace: advisory locks, notifications,
 * settings, signals to other backends, files on the server, SQL hidden in a text argument, calls to other servers. These
 * are refused here, when the file is read, with file and line.
 *
 * - Functions whose name starts with `pg_` are refused unless they are listed: Postgres keeps this prefix for itself, and
 *   each release adds some that do things.
 * - All other functions are allowed unless they are listed: they are SQL's own, an extension's or the user's.
 * - A schema in front of the name changes nothing, except that some schemas are refused as a whole.
 *
 * Limits: functions of the user's own are not looked into. The READ ONLY transaction and the role that topics run under
 * must hold those, which is why `topics check` warns when that role can write, and of each such function that is not
 * declared to read only.
 */
const ALLOWED_PG = [
  /^pg_sleep(_for|_until)?$/, // bounded by the topic's timeout
  /^pg_(typeof|basetype|collation_for|column_size|column_compression|column_toast_chunk_id|input_is_valid|input_error_info)$/,
  /^pg_(size_pretty|size_bytes|database_size|table_size|total_relation_size|relation_size|indexes_size|tablespace_size)$/,
  /^pg_get_(\w*def|\w*def_columns|expr|userbyid|keywords|serial_sequence|function_\w+|viewdef|partkeydef|catalog_foreign_keys|multixact_members|replication_slots|wal_\w+)$/,
  /^pg_[a-z]+_is_(visible|updatable)$/,
  /^pg_(backend_pid|blocking_pids|safe_snapshot_blocking_pids|my_temp_schema|is_other_temp_schema|jit_available)$/,
  /^pg_(postmaster_start_time|conf_load_time|is_in_recovery|is_wal_replay_paused|get_wal_replay_pause_state)$/,
  /^pg_(current_wal_\w+|last_wal_\w+|last_xact_replay_timestamp|last_committed_xact|wal_lsn_diff|walfile_name\w*|split_walfile_name)$/,
  /^pg_(current_snapshot|snapshot_\w+|visible_in_snapshot|xact_status|xact_commit_timestamp\w*|current_xact_id_if_assigned)$/,
  /^pg_(encoding_to_char|char_to_encoding|encoding_max_length|client_encoding|timezone_names|timezone_abbrevs\w*)$/,
  /^pg_(has_role|describe_object|identify_object\w*|get_object_address|options_to_table|sequence_parameters|sequence_last_value)$/,
  /^pg_(index_column_has_property|index_has_property|indexam_has_property|relation_filenode|relation_filepath|filenode_relation|tablespace_location|tablespace_databases)$/,
  /^pg_(partition_tree|partition_ancestors|partition_root|relation_is_publishable|relation_is_updatable|column_is_updatable)$/,
  /^pg_stat_get_\w+$/,
  /^pg_(stat_statements|stat_statements_info|lock_status|cursor|prepared_statement|prepared_xact|show_all_settings|available_\w+)$/,
  /^pg_(notification_queue_usage|control_\w+|buffercache_pages|buffercache_summary|buffercache_usage_counts)$/,
];

const DENIED: readonly (readonly [RegExp, string])[] = [
  [/^set_config$/, 'changes a setting of the connection, which other topics use too'],
  [/^setseed$/, 'changes the state of the connection, which other topics use too'],
  [/^(nextval|setval)$/, 'moves a sequence'],
  [/^(txid_current|binary_upgrade_\w+)$/, 'assigns a transaction id'],
  [/^(lo_\w+|loread|lowrite)$/, 'works on large objects and files of the server'],
  [/^(dblink\w*|postgres_fdw_\w+)$/, 'opens connections to other servers'],
  [/^http(_\w+)?$/, 'calls other servers'],
  [/^(query|cursor|table|schema|database)_to_xml\w*$/, 'runs SQL that is hidden in a text'],
  [/^(ts_stat|crosstab\w*|connectby|xpath_table)$/, 'runs SQL that is hidden in a text'],
  [/^(brin_(de)?summarize_\w+|gin_clean_pending_list)$/, 'changes an index'],
  [/^heap_force_\w+$/, 'changes rows past all transactions'],
  [/^autoprewarm_\w+$/, 'starts workers of the server and writes its files'],
  [/^(suppress_redundant_updates_trigger|unique_key_recheck|ri_fkey_\w+|tsvector_update_trigger\w*)$/, 'is a trigger'],
];

const DENIED_SCHEMAS = new Set([
  'aws_commons',
  'aws_lambda',
  'aws_s3',
  'cron',
  'dbms_alert',
  'dbms_pipe',
  'dbms_sql',
  'net',
  'pgagent',
  'pgq',
  'utl_file',
]);

/** Why a function may not be called, as the end of a sentence; undefined when it may. `name` is as the parser gives it. */
export function deniedFunction(schema: string | undefined, name: string, argumentCount: number): string | undefined {
  if (schema !== undefined && DENIED_SCHEMAS.has(schema))
    return `functions of the schema \`${schema}\` reach outside the database`;
  if (name.startsWith('pg_')) {
    return ALLOWED_PG.some((pattern) => pattern.test(name))
      ? undefined
      : `of the functions named \`pg_…\` only those that merely read are allowed, and \`${name}\` is not among them`;
  }
  // With three arguments it rewrites values; with two the second one is a query to run.
  if (name === 'ts_rewrite' && argumentCount < 3)
    return '`ts_rewrite` with two arguments runs SQL that is hidden in a text';
  const rule = DENIED.find(([pattern]) => pattern.test(name));
  return rule && `\`${name}\` ${rule[1]}`;
}

/** Which database the statements are for. Topic files are read by Postgres's grammar, of which DuckDB's is nearly a superset. */
export type Dialect = 'postgres' | 'duckdb';

/** By DATABASE_URL. */
export function dialectOf(databaseUrl: string | undefined): Dialect {
  return databaseUrl?.startsWith('duckdb:') ? 'duckdb' : 'postgres';
}

/** DuckDB's readers of files. Which files there are to read, its settings say: see `DuckStore`. */
const FILE_READERS = /^(read_(parquet|csv|csv_auto|json|json_auto|json_objects|ndjson|ndjson_auto)|parquet_scan)$/;

/** What may stand in a FROM of DuckDB. All others are refused: extensions bring ever more that reach for files, servers and SQL in texts. */
const DUCKDB_FROM = /^(range|generate_series|unnest)$/;

/** Whether a function reads files that its arguments name: then only constants may name them. */
export function readsFiles(name: string): boolean {
  return FILE_READERS.test(name);
}

/** Why a function may not stand in a FROM of DuckDB, as the end of a sentence; undefined when it may. */
export function deniedInFrom(name: string): string | undefined {
  return DUCKDB_FROM.test(name) || readsFiles(name)
    ? undefined
    : `of the functions that give tables, \`${name}\` is not among those that are allowed with DuckDB (range, generate_series, unnest, read_parquet, read_csv, read_json)`;
}
