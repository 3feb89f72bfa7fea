import type { ErrorCode } from '../../errors.js';

/** What a failed statement means for those who asked. */
export type Fault =
  /** The database is away, or may not be asked. `lost`: a connection broke, so a new one may work at once. */
  | { readonly kind: 'outage'; readonly lost: boolean; readonly cause: unknown }
  /** The statement ran into its own time-out. */
  | { readonly kind: 'timeout'; readonly sqlstate: string; readonly cause: unknown }
  /** It waited too long for a lock: the table's fault, so of all channels alike. */
  | { readonly kind: 'locked'; readonly sqlstate: string; readonly cause: unknown }
  /** It met another transaction and may simply be sent again. */
  | { readonly kind: 'again'; readonly sqlstate: string; readonly cause: unknown }
  /** The statement as such is not accepted, whatever its values. */
  | { readonly kind: 'structural'; readonly sqlstate: string; readonly cause: unknown }
  /** Evaluating it failed: of one channel's values, most likely. */
  | { readonly kind: 'failed'; readonly sqlstate: string; readonly cause: unknown };

const QUERY_CANCELED = '57014';
const LOCK_NOT_AVAILABLE = '55P03';
const AGAIN = new Set(['40001', '40P01']);

/** Connections that broke under a statement; a new connection may well work. */
const LOST = new Set(['08003', '08006', '25P03', '57P01', '57P05', 'ECONNRESET', 'EPIPE']);

/**
 * States that tell of the database and not of the statement: connection exceptions, shut-downs and starts, refused
 * logins, a database that does not exist, no free connection.
 */
function tellsOfOutage(sqlstate: string): boolean {
  return (
    sqlstate.startsWith('08') ||
    sqlstate.startsWith('28') ||
    /^57P0[1-5]$/.test(sqlstate) ||
    sqlstate === '25P03' ||
    sqlstate === '3D000' ||
    sqlstate === '53300'
  );
}

/**
 * @param timing `elapsedMs` since the statement was sent and its `timeoutMs`. Postgres reports a statement time-out and
 *   a cancellation by somebody else with the same state, and their messages are translated: only the time tells.
 */
export function classify(cause: unknown, timing: { elapsedMs: number; timeoutMs: number }): Fault {
  const sqlstate = sqlstateOf(cause);
  if (sqlstate === undefined) return { kind: 'outage', lost: isLost(cause), cause };
  if (tellsOfOutage(sqlstate)) return { kind: 'outage', lost: LOST.has(sqlstate), cause };
  if (sqlstate === LOCK_NOT_AVAILABLE) return { kind: 'locked', sqlstate, cause };
  if (AGAIN.has(sqlstate)) return { kind: 'again', sqlstate, cause };
  if (sqlstate === QUERY_CANCELED && timing.elapsedMs >= timing.timeoutMs * 0.9)
    return { kind: 'timeout', sqlstate, cause };
  if (sqlstate.startsWith('42') || sqlstate === '0A000') return { kind: 'structural', sqlstate, cause };
  return { kind: 'failed', sqlstate, cause };
}

/** The five characters of an error that the server sent; undefined for what went wrong on the way to it. */
export function sqlstateOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('severity' in cause) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' && /^[0-9A-Z]{5}$/.test(cause.code) ? cause.code : undefined;
}

function isLost(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  if ('code' in cause && LOST.has(String(cause.code))) return true;
  return cause.message.startsWith('Connection terminated unexpectedly');
}

/** What the classes of SQLSTATE mean, in words that tell a viewer nothing about the statement. */
const CLASSES: Record<string, string> = {
  '0A': 'feature not supported',
  '21': 'more than one row from a subquery',
  '22': 'data exception',
  '23': 'constraint violated',
  '25': 'not allowed in a read-only transaction',
  '34': 'invalid cursor',
  '38': 'external routine failed',
  '40': 'conflict with another transaction',
  '42': 'statement not accepted, or not allowed',
  '53': 'insufficient resources',
  '54': 'program limit exceeded',
  '55': 'object not in the right state',
  '57': 'cancelled',
  '58': 'system error',
  F0: 'configuration error',
  P0: 'raised by a function',
  XX: 'internal error',
};

/** Code and sentence for a client: neither SQL nor a value of the data nor a host is in it. */
export function tell(
  fault: Exclude<Fault, { kind: 'outage' }>,
  timeoutMs: number,
): { code: ErrorCode; message: string } {
  switch (fault.kind) {
    case 'timeout':
      return {
        code: 'QUERY_TIMEOUT',
        message: `The topic's query took longer than its timeout of ${timeoutMs} ms; narrow the parameters or raise the timeout.`,
      };
    case 'locked':
      return {
        code: 'QUERY_TIMEOUT',
        message: "The topic's query waited too long for a table that is locked; it is tried again.",
      };
    default: {
      const meaning = CLASSES[fault.sqlstate.slice(0, 2)] ?? 'error';
      return {
        code: 'QUERY_FAILED',
        message: `The topic's query failed at the database: ${meaning} (SQLSTATE ${fault.sqlstate}); the node's log has the details.`,
      };
    }
  }
}
