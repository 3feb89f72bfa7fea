import type { z } from 'zod';
import { PollcastError } from '../errors.js';

/** A client's message in the shape that the contract gives it. Throws `BAD_REQUEST` with one entry in details for each fault. */
export function parseMessage<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  const first = faults[0];
  throw new PollcastError(
    'BAD_REQUEST',
    `the message is not as expected: ${first?.path ? `${first.path}: ` : ''}${first?.message ?? ''}`,
    faults,
  );
}
