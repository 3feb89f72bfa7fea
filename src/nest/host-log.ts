import { Logger as NestLogger } from '@nestjs/common';
import { redactUrls } from '../config.js';
import { describe } from '../errors.js';
import type { Logger } from '../kernel/log.js';

/** The hub's lines in the log of the application that it lives in. */
export function hostLog(
  log: Pick<NestLogger, 'debug' | 'log' | 'warn' | 'error'> = new NestLogger('Pollcast'),
): Logger {
  return {
    debug: (fields, message) => log.debug(line(fields, message)),
    info: (fields, message) => log.log(line(fields, message)),
    warn: (fields, message) => log.warn(line(fields, message)),
    error: (fields, message) => {
      const { err } = fields as { err?: unknown };
      log.error(line(fields, message), err instanceof Error ? err.stack : undefined);
    },
  };
}

/** `message (name=value …): what went wrong`. Addresses lose their passwords. */
function line(fields: object, message: string): string {
  const { err, ...rest } = fields as Record<string, unknown>;
  const known = Object.entries(rest).filter(([, value]) => value !== undefined);
  const told = known.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const where = told.length === 0 ? '' : ` (${told.join(' ')})`;
  return redactUrls(`${message}${where}${err === undefined ? '' : `: ${describe(err)}`}`);
}
