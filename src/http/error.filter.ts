import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { HTTP_STATUS, PollcastError, toPollcastError, type ErrorCode } from '../errors.js';
import type { Logger } from '../kernel/log.js';
import { LOG } from '../node.tokens.js';

/** Every error over HTTP as `{ error: { code, message, details? } }`, with its code's status. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOG) private readonly log: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    // Gateways have acknowledgements of their own.
    if (host.getType() !== 'http') throw thrown;
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const { status, error } = this.#read(thrown, request);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const retryAfterMs = (error.details as { retryAfterMs?: unknown } | undefined)?.retryAfterMs;
    if (typeof retryAfterMs === 'number') response.setHeader('Retry-After', Math.ceil(retryAfterMs / 1000));
    if (status === HTTP_STATUS.UNAUTHENTICATED) response.setHeader('WWW-Authenticate', 'Bearer');
    response.setHeader('Cache-Control', 'no-store');
    response.status(status).json({ error: error.toWire() });
  }

  #read(thrown: unknown, request: Request): { status: number; error: PollcastError } {
    if (thrown instanceof HttpException || isHttpError(thrown)) return fromHttp(thrown, request);
    const error = toPollcastError(thrown);
    if (error !== thrown)
      this.log.error({ err: thrown, method: request.method, path: request.path }, 'a request failed');
    return { status: HTTP_STATUS[error.code], error };
  }
}

/** What Nest, Express and its body parser say about a request that no code of ours has seen. */
function fromHttp(
  thrown: HttpException | HttpError,
  { method, path }: Request,
): { status: number; error: PollcastError } {
  const status = thrown instanceof HttpException ? thrown.getStatus() : thrown.status;
  if (status === 404) {
    return { status, error: new PollcastError('NOT_FOUND', `there is nothing at ${method} ${path.slice(0, 200)}`) };
  }
  const code: ErrorCode = status >= 500 ? 'UNAVAILABLE' : 'BAD_REQUEST';
  return {
    status,
    error: new PollcastError(code, status >= 500 ? undefined : thrown.message, undefined, { cause: thrown }),
  };
}

interface HttpError extends Error {
  readonly status: number;
  readonly expose: true;
}

/** http-errors marks so what is the client's fault, and may be told. */
function isHttpError(thrown: unknown): thrown is HttpError {
  return (
    thrown instanceof Error &&
    'status' in thrown &&
    typeof thrown.status === 'number' &&
    'expose' in thrown &&
    thrown.expose === true
  );
}
