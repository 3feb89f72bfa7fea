import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger as PinoLogger, type LoggerOptions } from 'pino';
import pretty from 'pino-pretty';
import { redactUrls, type Config } from '../config.js';

/** What drivers hang onto their errors: the SQL, its values and its rows, commands with their arguments. */
const ASKED = new Set(['query', 'parameters', 'internalQuery', 'where', 'detail', 'command', 'previousErrors']);
/** A bug of ours needs its place; what others are at fault for has a code and a sentence. */
const BUGS = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'AssertionError', 'EvalError']);

/** Never in a log, however it gets there: what lets somebody in. */
const SECRETS = ['authorization', 'cookie', 'token', 'adminToken', 'password', 'secret', 'connectionString'];

/**
 * pino, which has all of the kernel's `Logger`; `fatal` and `trace` besides. Pretty on a terminal, else JSON.
 *
 * @param destination of JSON lines; default: stdout
 */
export function createLogger(
  config: Pick<Config, 'logLevel' | 'logFormat'>,
  destination?: DestinationStream,
): PinoLogger {
  const options: LoggerOptions = {
    level: config.logLevel,
    // A cause is told with its error; an address in a driver's message, without its password.
    serializers: { err: (error: unknown) => serializeError(error, config.logLevel === 'debug') },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.headers.${name}`]), censor: '***' },
  };
  const format = config.logFormat ?? (process.stdout.isTTY ? 'pretty' : 'json');
  if (format === 'json') return destination ? pino(options, destination) : pino(options);
  // In this thread: the last lines of a stop are worth more than the time that it takes.
  const stream = pretty({
    // False where NO_COLOR is set, too.
    colorize: process.stdout.isTTY && process.stdout.hasColors(),
    ignore: 'pid,hostname',
    translateTime: 'HH:MM:ss.l',
    sync: true,
  });
  return pino(options, stream);
}

/** @param stacks of every error, not of bugs alone */
function serializeError(error: unknown, stacks: boolean): unknown {
  return error instanceof Error ? tellable(pino.stdSerializers.errWithCause(error), stacks) : error;
}

function tellable(told: object, stacks: boolean): object {
  const { type } = told as { type?: string };
  const parts = Object.entries(told)
    .filter(([name]) => !ASKED.has(name) && (name !== 'stack' || stacks || BUGS.has(type ?? '')))
    .map(([name, part]: [string, unknown]) => {
      if (typeof part === 'string') return [name, redactUrls(part)];
      if (name === 'aggregateErrors') return [name, (part as object[]).map((each) => tellable(each, stacks))];
      return [name, name === 'cause' && typeof part === 'object' && part !== null ? tellable(part, stacks) : part];
    });
  return Object.fromEntries(parts) as object;
}

/** Nest's own lines, in the same log. Its account of how each module came up is for debugging. */
export class NestLog implements LoggerService {
  constructor(private readonly logger: Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>) {}

  log(message: unknown, ...more: unknown[]): void {
    this.#write('debug', message, more);
  }

  warn(message: unknown, ...more: unknown[]): void {
    this.#write('warn', message, more);
  }

  error(message: unknown, ...more: unknown[]): void {
    this.#write('error', message, more);
  }

  debug(message: unknown, ...more: unknown[]): void {
    this.#write('debug', message, more);
  }

  verbose(message: unknown, ...more: unknown[]): void {
    this.#write('debug', message, more);
  }

  fatal(message: unknown, ...more: unknown[]): void {
    this.#write('fatal', message, more);
  }

  /** Nest puts the context last, and a stack before it. */
  #write(level: 'debug' | 'info' | 'warn' | 'error' | 'fatal', message: unknown, more: unknown[]): void {
    const context = typeof more.at(-1) === 'string' ? (more.at(-1) as string) : undefined;
    const stack = more.length > 1 && typeof more[0] === 'string' ? more[0] : undefined;
    const err = message instanceof Error ? message : more.find((part) => part instanceof Error);
    this.logger[level]({ context, ...(stack ? { stack } : {}), ...(err ? { err } : {}) }, textOf(message));
  }
}

function textOf(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : JSON.stringify(message);
}
