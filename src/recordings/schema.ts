import { z } from 'zod';
import { ROOM_ID, ROOM_ID_WORDS } from '../room-id.js';

export const DEFAULT_SECONDS = 3_600;
export const MOST_SECONDS = 4 * 3_600;

export const startSchema = z
  .strictObject({
    url: z.string().min(1).max(2_000).optional(),
    topics: z.array(z.string().min(1).max(1_000)).min(1).max(20).optional(),
    room: z.string().regex(ROOM_ID, ROOM_ID_WORDS).optional(),
    maxSeconds: z.number().int().min(1).max(MOST_SECONDS).optional(),
  })
  .refine(({ url, topics }) => (url === undefined) !== (topics === undefined), {
    message: 'expected either url or topics',
  });

export const idSchema = z.strictObject({ id: z.string().min(1).max(100) });

export const listSchema = z.strictObject({}).optional();
