import type { z } from 'zod';
import { PollcastError } from '../errors.js';
import { checkShape } from './shape.js';

/** A client's message in the shape that the contract gives it. Throws `BAD_REQUEST` with one entry in details for each fault. */
export function parseMessage<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const read = checkShape(schema, body);
  if (read.ok) return read.value;
  const [first, ...more] = read.faults;
  const where = first?.path ? `${first.path}: ` : '';
  const others = more.length > 0 ? ` (and ${more.length} more)` : '';
  throw new PollcastError(
    'BAD_REQUEST',
    `the message is not as expected: ${where}${first?.message ?? ''}${others}`,
    read.faults,
  );
}
