import { z } from 'zod';
import type { Json, JsonObject } from '../merge-patch.js';
import { ROOM_ID, ROOM_ID_WORDS } from '../room-id.js';
import { isDeeperThan, ROOM_LIMITS } from './limits.js';
import { isPlainText } from './text.js';

const room = z.string().regex(ROOM_ID, ROOM_ID_WORDS);

const version = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** No line breaks, and nothing that turns the direction of what stands beside it. */
const name = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'expected a name on one line, without control characters');

const { depth } = ROOM_LIMITS;
const SHALLOW = `expected at most ${depth} levels of lists and objects, got more`;
const PLAIN = 'expected texts without the character U+0000 and halves of characters: no database keeps them';
const isShallow = (value: Json): boolean => !isDeeperThan(value, depth);
const isPlain = (value: Json): boolean => isPlainText(JSON.stringify(value));

/** What came over the wire is JSON; whether it is small enough, the room tells. The depth is looked at before anything else walks it. */
const json = z
  .custom<Json>((value) => value !== undefined, { error: 'expected a JSON value', abort: true })
  .refine(isShallow, { error: SHALLOW, abort: true })
  .refine(isPlain, PLAIN);
const patch = z
  .custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), {
    error: 'expected a JSON object: a merge patch (RFC 7396)',
    abort: true,
  })
  .refine(isShallow, { error: SHALLOW, abort: true })
  .refine(isPlain, PLAIN);

export const joinSchema = z.strictObject({ room, name: name.optional() });
export const changeSchema = z.strictObject({ room, version, patch });
export const statusSchema = z.strictObject({ room, status: json });
export const historySchema = z.strictObject({
  room,
  before: version.optional(),
  limit: z.number().int().min(1).max(200).optional(),
});
export const roomSchema = z.strictObject({ room });
