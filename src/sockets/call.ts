import { toPollcastError } from '../errors.js';
import type { Logger } from '../kernel/log.js';

/** What a client gave to be called with the answer. */
export type Acknowledge = (answer: object) => void;

/**
 * Runs a client's call and acknowledges it, whatever comes of it: `{ ok: true, … }` with what `call` hands to its
 * argument, or `{ ok: false, error }` with what it throws. Bugs and outages are logged here, and told without their text.
 */
export async function acknowledged(
  log: Logger,
  ack: Acknowledge | undefined,
  call: (acknowledge: Acknowledge) => Promise<void>,
): Promise<void> {
  // Of a client's making: it may be anything.
  const answer = typeof ack === 'function' ? ack : (): void => undefined;
  try {
    await call((body) => answer({ ok: true, ...body }));
  } catch (error) {
    const coded = toPollcastError(error);
    if (coded.cause !== undefined) log.warn({ err: coded.cause, code: coded.code }, 'a call failed');
    answer({ ok: false, error: coded.toWire() });
  }
}
