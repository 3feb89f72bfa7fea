import type pg from 'pg';
import type { FunctionCall, SqlProblem } from './sql.js';

/** What a role that topics run under should not have, each as the end of a sentence about it. */
const EXCESSES = `
  SELECT 'is a superuser' AS excess FROM pg_roles WHERE rolname = current_user AND rolsuper
  UNION ALL
  SELECT 'may make roles, databases or replicas (CREATEROLE, CREATEDB, REPLICATION)'
  FROM pg_roles WHERE rolname = current_user AND (rolcreaterole OR rolcreatedb OR rolreplication)
  UNION ALL
  SELECT 'is a member of ' || rolname
  FROM pg_roles
  WHERE rolname IN ('pg_write_all_data', 'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files',
                    'pg_signal_backend', 'pg_maintain', 'pg_checkpoint', 'pg_create_subscription')
    AND pg_has_role(current_user, oid, 'MEMBER')
  UNION ALL
  (SELECT 'can write, for example to ' || c.oid::regclass
   FROM pg_class AS c
   JOIN pg_namespace AS n ON n.oid = c.relnamespace
   WHERE n.nspname NOT LIKE 'pg\\_%'
     AND n.nspname <> 'information_schema'
     AND has_schema_privilege(n.oid, 'USAGE')
     AND CASE
           WHEN c.relkind IN ('r', 'p', 'v', 'f')
           THEN has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                OR has_any_column_privilege(c.oid, 'INSERT, UPDATE')
           WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE')
         END
   ORDER BY c.relkind = 'S', c.oid::regclass::text
   LIMIT 1)
  UNION ALL
  (SELECT 'may create tables in the schema ' || quote_ident(nspname)
   FROM pg_namespace
   WHERE nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(oid, 'CREATE')
   ORDER BY nspname
   LIMIT 1)`;

/** Why the role that topics run under is a danger, as a sentence; undefined when it may only SELECT. */
export async function excessiveRights(client: pg.ClientBase): Promise<string | undefined> {
  const { rows } = await client.query<{ role: string; excess: string | null }>({
    text: `SELECT current_user AS role, excess FROM (${EXCESSES}) AS excesses`,
    queryMode: 'extended',
  } as pg.QueryConfig);
  const [first] = rows;
  if (!first) return undefined;
  // A superuser may do all the rest too.
  const excesses = rows.map(({ excess }) => excess).slice(0, first.excess === 'is a superuser' ? 1 : undefined);
  return `the role \`${first.role}\` that topics run under ${excesses.join(', and ')}: give them a role that can only SELECT`;
}

/**
 * Functions of the database's own users that a statement calls and that Postgres does not hold to reading. Not those of
 * extensions, and not what a view, an operator or another function calls in turn.
 */
export async function unseenFunctions(client: pg.ClientBase, calls: readonly FunctionCall[]): Promise<SqlProblem[]> {
  if (calls.length === 0) return [];
  const { rows } = await client.query<{ n: number; definer: boolean }>({
    text: `
      SELECT call.n::int AS n, bool_or(p.prosecdef) AS definer
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS call (schema, name, n)
      JOIN pg_proc AS p ON p.proname = call.name AND p.provolatile = 'v' AND p.prokind <> 'a'
      JOIN pg_namespace AS s ON s.oid = p.pronamespace
      WHERE s.nspname NOT IN ('pg_catalog', 'information_schema')
        AND CASE WHEN call.schema IS NULL THEN pg_function_is_visible(p.oid) ELSE s.nspname = call.schema END
        AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
      GROUP BY call.n
      ORDER BY call.n`,
    values: [calls.map(({ schema }) => schema ?? null), calls.map(({ name }) => name)],
    queryMode: 'extended',
  } as pg.QueryConfig);
  return rows.map(({ n, definer }) => {
    const { name, offset } = calls[n - 1] as FunctionCall;
    const rights = definer ? " with its owner's rights (SECURITY DEFINER)" : '';
    const message = `the function \`${name}\` is VOLATILE and not looked into: it may do more than read${rights}; declare it STABLE, which makes Postgres hold it to reading`;
    return { offset, message };
  });
}
