import { z } from 'zod';
import type { NodeRow, ProcessRow, ViewerRow } from '../tables.js';
import { ZOMBIE_KINDS, type Zombie } from '../zombies.js';
import type { Cleaned } from '../zombie-hunter.js';

/** What the admin API answers, for its description. The types hold them to the rows themselves. */
const wholeMs = (description: string) => z.number().describe(description);

export const nodeRows = z.array(
  z.object({
    name: z.string(),
    version: z.string(),
    startedAt: wholeMs('ms since 1970'),
    state: z.enum(['live', 'draining', 'cordoned', 'suspect', 'dead']),
    processes: z.number().int(),
    viewers: z.number().int(),
    slots: z.number().int().describe('recordings that it can make at once'),
  }),
) satisfies z.ZodType<NodeRow[]>;

export const processRows = z.array(
  z.object({
    name: z.string(),
    kind: z.string(),
    node: z.string().nullable().describe('null: it has no owner now'),
    fence: z.number().int(),
    state: z.enum(['starting', 'running', 'stopping', 'failed', 'orphaned']),
    since: wholeMs('ms since 1970'),
    restarts: z.number().int(),
    leaseLeftMs: z.number().nullable().describe('null: its owner holds no lease'),
    error: z.string().nullable(),
  }),
) satisfies z.ZodType<ProcessRow[]>;

export const viewerRows = z.array(
  z.object({
    channel: z.string(),
    viewers: z.number().int(),
    nodes: z.record(z.string(), z.number().int()).describe('viewers on each node'),
    seq: z.number().int().nullable(),
    changedAt: z.number().nullable(),
    polledAt: z.number().nullable(),
    state: z.enum(['live', 'stale', 'failed']).nullable(),
  }),
) satisfies z.ZodType<ViewerRow[]>;

const zombie = z.object({
  kind: z.enum(ZOMBIE_KINDS),
  name: z.string(),
  node: z.string().nullable(),
  ageMs: z.number(),
  evidence: z.string(),
}) satisfies z.ZodType<Zombie>;

export const zombies = z.array(zombie);

export const cleaned = z.array(
  zombie.extend({ removed: z.boolean(), outcome: z.string().describe('what was done, or why it was left alone') }),
) satisfies z.ZodType<Cleaned[]>;

export const moveBody = z.strictObject({ to: z.string().min(1).max(200).optional() }).optional();

export const stopped = z.object({ ok: z.literal(true), name: z.string() });
export const moved = z.object({ ok: z.literal(true), name: z.string(), node: z.string() });
export const cordoned = z.object({ ok: z.literal(true), name: z.string(), state: z.enum(['cordoned', 'live']) });
export const plan = z.object({ topic: z.string(), plan: z.string().describe('as EXPLAIN prints it') });
