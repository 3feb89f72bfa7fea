import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { checkShape } from '../../src/sockets/shape.js';
import { PollcastError } from '../../src/errors.js';
import { parseMessage } from '../../src/sockets/message.js';

const schema = z.strictObject({
  topic: z.string().min(1).max(5),
  every: z.int().min(10).optional(),
  ratio: z.number().gt(0).lt(1).optional(),
  list: z.array(z.string()).max(2).optional(),
  since: z.strictObject({ epoch: z.int() }).optional(),
  format: z.enum(['csv', 'pdf']).optional(),
  id: z.uuid().optional(),
  either: z.union([z.string(), z.boolean()]).optional(),
  own: z.string({ error: 'expected a word of ours' }).optional(),
  map: z.record(z.string(), z.number()).optional(),
  step: z.number().multipleOf(5).optional(),
  checked: z
    .string()
    .refine((text) => text === 'x')
    .optional(),
});

function faults(value: unknown): string[] {
  const read = checkShape(schema, value);
  return read.ok ? [] : read.faults.map(({ path, message }) => `${path}: ${message}`);
}

describe('the shape of a message', () => {
  test('what fits is given back as the schema makes it', () => {
    expect(checkShape(schema, { topic: 'a', every: 10 })).toEqual({ ok: true, value: { topic: 'a', every: 10 } });
  });

  test.each<[unknown, string]>([
    [7, ': expected an object, got 7'],
    [undefined, ': expected an object, got nothing'],
    [null, ': expected an object, got null'],
    [[], ': expected an object, got a list'],
    [{}, 'topic: expected text, got nothing'],
    [{ topic: 7 }, 'topic: expected text, got 7'],
    [{ topic: '' }, 'topic: expected at least 1 characters'],
    [{ topic: 'x'.repeat(2_000) }, 'topic: expected at most 5 characters'],
    [{ topic: 'a', every: 1.5 }, 'every: expected a whole number, got 1.5'],
    [{ topic: 'a', every: 'x'.repeat(500) }, 'every: expected a number, got text of 500 characters'],
    [{ topic: 'a', every: 9 }, 'every: expected a number of at least 10'],
    [{ topic: 'a', ratio: 0 }, 'ratio: expected a number of more than 0'],
    [{ topic: 'a', ratio: 1 }, 'ratio: expected a number of less than 1'],
    [{ topic: 'a', list: ['a', true] }, 'list.1: expected text, got true'],
    [{ topic: 'a', list: ['a', 'b', 'c'] }, 'list: expected at most 2 entries'],
    [{ topic: 'a', since: { epoch: {} } }, 'since.epoch: expected a number, got an object'],
    [{ topic: 'a', since: { epoch: 1, seq: 2 } }, 'since: expected no field "seq"'],
    [{ topic: 'a', format: 'doc' }, 'format: expected "csv" or "pdf", got "doc"'],
    [{ topic: 'a', id: 'x' }, 'id: expected text in the form of uuid'],
    [{ topic: 'a', either: 7 }, 'either: expected another value, got 7'],
    [{ topic: 'a', own: 7 }, 'own: expected a word of ours'],
    [{ topic: 'a', map: { x: 'y' } }, 'map.x: expected a number, got "y"'],
    [{ topic: 'a', step: 7 }, 'step: expected a multiple of 5'],
    [{ topic: 'a', checked: 'y' }, 'checked: expected another value'],
  ])('%j: %s', (value, sentence) => {
    expect(faults(value)).toEqual([sentence]);
  });

  test('nothing of what is long comes back', () => {
    const [told] = faults({ topic: 'a', ['k'.repeat(500)]: 1 });
    expect(told!.length).toBeLessThan(80);
  });

  test('a message that does not fit is refused with all its faults', () => {
    const refused = (): unknown => parseMessage(schema, { every: true });
    expect(refused).toThrow(PollcastError);
    expect(refused).toThrow('the message is not as expected: topic: expected text, got nothing (and 1 more)');
  });
});
