import { createHash } from 'node:crypto';
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import type { IdGenerator } from '@opentelemetry/sdk-trace';
import { toPollcastError } from '../../errors.js';
import type { AskedRound, RoundId, RoundTracer } from '../../polling/round-tracer.js';

interface RootIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** Random ids, but for the one span that is started by `root`. */
export class RootedIds implements IdGenerator {
  #root: RootIds | null = null;

  constructor(private readonly random: IdGenerator) {}

  /** Starts a span under ids that are given. Nothing else can start one meanwhile: it is synchronous. */
  root<T>(ids: RootIds, start: () => T): T {
    this.#root = ids;
    try {
      return start();
    } finally {
      this.#root = null;
    }
  }

  generateTraceId(): string {
    return this.#root?.traceId ?? this.random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#root?.spanId ?? this.random.generateSpanId();
  }
}

/**
 * Spans of `poll → ask, publish → deliver` and of `join`.
 *
 * Nothing of a trace travels with the frames: the ids of a round's root are a hash of what names the round, so that each
 * node that delivers it works out the same trace by itself.
 */
export class RoundSpans implements RoundTracer {
  constructor(
    private readonly tracer: Tracer,
    private readonly ids: RootedIds,
  ) {}

  async publishing<T>(round: AskedRound, publish: () => Promise<T>): Promise<T> {
    const attributes = { 'pollcast.poller': round.poller, 'pollcast.topic': round.topic };
    const options = { startTime: round.askedAt, attributes: { ...attributes, 'pollcast.channels': round.channels } };
    const poll = this.ids.root(idsOf(round), () => this.tracer.startSpan('poll', options, ROOT_CONTEXT));
    const inside = trace.setSpan(ROOT_CONTEXT, poll);
    this.tracer
      .startSpan('ask', { kind: SpanKind.CLIENT, startTime: round.askedAt, attributes }, inside)
      .end(round.polledAt);
    const span = this.tracer.startSpan('publish', { kind: SpanKind.PRODUCER, attributes }, inside);
    try {
      return await recorded(span, publish);
    } finally {
      poll.end();
    }
  }

  delivering(round: RoundId, frames: number, deliver: () => void): void {
    const attributes = { 'pollcast.poller': round.poller, 'pollcast.frames': frames };
    const span = this.tracer.startSpan('deliver', { kind: SpanKind.CONSUMER, attributes }, remote(idsOf(round)));
    try {
      deliver();
    } finally {
      span.end();
    }
  }

  joining<T>(topic: string, join: () => Promise<T>): Promise<T> {
    const span = this.tracer.startSpan('join', { kind: SpanKind.SERVER, attributes: { 'pollcast.topic': topic } });
    return recorded(span, join);
  }
}

/** Ends the span with what becomes of the work: a code on failure, never a text that may tell too much. */
async function recorded<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: toPollcastError(error).code });
    throw error;
  } finally {
    span.end();
  }
}

function remote({ traceId, spanId }: RootIds): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
}

function idsOf({ poller, fence, polledAt }: RoundId): RootIds {
  const hash = createHash('sha256').update(`${poller}\n${fence}\n${polledAt}`).digest('hex');
  return { traceId: hash.slice(0, 32), spanId: hash.slice(32, 48) };
}
