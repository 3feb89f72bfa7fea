import { z } from 'zod';
import type { Json, JsonObject } from '../merge-patch.js';
import { ROOM_ID } from './names.js';

const room = z
  .string()
  .regex(ROOM_ID, 'expected 1 to 64 small letters, digits and . _ -, beginning with a letter or a digit');

const version = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** No line breaks, and nothing that turns the direction of what stands beside it. */
const name = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u, 'expected a name on one line, without control characters');

/** What came over the wire is JSON; whether it is small enough, the room tells. */
const json = z.custom<Json>((value) => value !== undefined, 'expected a JSON value');
const patch = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'expected a JSON object: a merge patch (RFC 7396)',
);

export const joinSchema = z.strictObject({ room, name: name.optional() });
export const changeSchema = z.strictObject({ room, version, patch });
export const statusSchema = z.strictObject({ room, status: json });
export const historySchema = z.strictObject({
  room,
  before: version.optional(),
  limit: z.number().int().min(1).max(200).optional(),
});
export const roomSchema = z.strictObject({ room });
