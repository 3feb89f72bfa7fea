import { z } from 'zod';
import { parseDuration } from '../topics/duration.js';

const position = z.strictObject({ epoch: z.number().int().nonnegative(), seq: z.number().int().nonnegative() });

/** A timer takes no more than some 24 days; a viewer that wants less than one frame a day wants a report. */
const LONGEST_MS = 86_400_000;

/** `5s`, or ms as a number. */
const every = z.union([z.number().int().positive().max(LONGEST_MS), z.string().max(20)]).transform((value, context) => {
  if (typeof value === 'number') return value;
  try {
    return parseDuration(value, 'a refresh', { min: 1, max: LONGEST_MS });
  } catch (error) {
    context.addIssue({
      code: 'custom',
      message: error instanceof Error ? error.message : 'expected a duration such as 5s',
    });
    return z.NEVER;
  }
});

/** Wall clock ms, or a date in ISO 8601. */
const moment = z.union([
  z.number().min(0).max(Number.MAX_SAFE_INTEGER),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);

const channel = z.string().min(1).max(10_000);

export const subscribeSchema = z.strictObject({
  topic: z.string().min(1).max(200),
  // Checked against the topic, fault by fault, by `channelOf`.
  params: z.record(z.string(), z.unknown()).optional(),
  every: every.optional(),
  delta: z.boolean().optional(),
  presence: z.boolean().optional(),
  since: position.optional(),
});

export const channelSchema = z.strictObject({ channel });

export const historySchema = z.strictObject({
  channel,
  from: moment.optional(),
  to: moment.optional(),
  limit: z.number().int().min(1).max(1_000).optional(),
});

/** What HTTP answers, for its description. */
export const frameBody = z.object({
  channel: z.string(),
  epoch: z.number().int(),
  seq: z.number().int(),
  polledAt: z.number().describe('ms since 1970'),
  rows: z.array(z.record(z.string(), z.unknown())),
});

export const topicList = z.array(
  z.object({
    name: z.string(),
    title: z.string(),
    interval: z.string().describe('the fastest refresh, such as 1s'),
    params: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        default: z.unknown().optional(),
        enum: z.array(z.unknown()).optional(),
        min: z.number().optional(),
        max: z.number().optional(),
      }),
    ),
    key: z.array(z.string()).describe("columns that are a row's identity"),
    presence: z.boolean(),
    retain: z.string(),
  }),
);
