/**
 * The catalogue of coded errors: the only errors that cross a boundary (socket, HTTP, CLI, mailbox).
 *
 * Whatever else is thrown is a bug or an outage and is told to the outside as `UNAVAILABLE`, without its text:
 * no SQL, host or stack ever reaches a client.
 */
export const ERROR_CODES = {
  UNKNOWN_TOPIC: 'No topic has this name.',
  INVALID_PARAMS: 'The parameters do not fit the topic; details name each fault.',
  UNAUTHENTICATED: 'The token is missing, wrong or expired.',
  FORBIDDEN: 'This user may not do that.',
  RATE_LIMITED: 'Too many calls; details.retryAfterMs says when to try again.',
  TOO_MANY_CHANNELS: 'This connection already watches as many channels as it may.',
  QUERY_FAILED: "The topic's query failed at the database.",
  QUERY_TIMEOUT: "The topic's query took longer than its timeout.",
  TOO_MANY_ROWS: 'The result has more rows than max_rows.',
  NOT_SUBSCRIBED: 'This connection does not watch that channel.',
  BAD_REQUEST: 'The message does not have the shape that the contract gives it.',
  UNAVAILABLE: 'Something that is needed (Redis, the database, another node) does not answer now; try again.',
  EXPORT_RUNNING: 'This user already has an export under way; details name it.',
  NOT_FOUND: 'Nothing with this name or id exists.',
  CONFLICT: 'The version is stale; details carry the current one.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** HTTP status of each code. */
export const HTTP_STATUS: Record<ErrorCode, number> = {
  UNKNOWN_TOPIC: 404,
  INVALID_PARAMS: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  RATE_LIMITED: 429,
  TOO_MANY_CHANNELS: 429,
  QUERY_FAILED: 502,
  QUERY_TIMEOUT: 504,
  TOO_MANY_ROWS: 413,
  NOT_SUBSCRIBED: 409,
  BAD_REQUEST: 400,
  UNAVAILABLE: 503,
  EXPORT_RUNNING: 409,
  NOT_FOUND: 404,
  CONFLICT: 409,
};

/** What goes over the wire: `{ code, message, details? }`. */
export interface WireError {
  code: ErrorCode;
  message: string;
  details?: unknown;
}

export class PollcastError extends Error {
  override readonly name = 'PollcastError';

  /**
   * @param code    one of the catalogue
   * @param message what was expected, what was got, what to do; safe to show to a client
   * @param details machine-readable, safe to show to a client
   * @param options `cause` stays inside: it is logged, never sent
   */
  constructor(
    readonly code: ErrorCode,
    message: string = ERROR_CODES[code],
    readonly details?: unknown,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  toWire(): WireError {
    return this.details === undefined
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, details: this.details };
  }

  static fromWire(wire: WireError): PollcastError {
    return new PollcastError(wire.code, wire.message, wire.details);
  }
}

/** Any thrown value as a coded error; what is not coded becomes `UNAVAILABLE` with the original as its cause. */
export function toPollcastError(thrown: unknown): PollcastError {
  if (thrown instanceof PollcastError) return thrown;
  return new PollcastError('UNAVAILABLE', ERROR_CODES.UNAVAILABLE, undefined, { cause: thrown });
}

/** The sentence for a log line or a terminal: message, then causes. */
export function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : `: ${describe(thrown.cause)}`;
  return `${thrown.message || thrown.name}${cause}`;
}
