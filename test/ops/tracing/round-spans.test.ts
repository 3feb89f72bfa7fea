import { describe, expect, it } from '@jest/globals';
import { SpanStatusCode } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  RandomIdGenerator,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace';
import { PollcastError } from '../../../src/errors.js';
import { RootedIds, RoundSpans } from '../../../src/ops/tracing/round-spans.js';

/** A node's spans, and what it has exported. */
function node(): { spans: RoundSpans; ended: (name: string) => ReadableSpan[] } {
  const exporter = new InMemorySpanExporter();
  const ids = new RootedIds(new RandomIdGenerator());
  const provider = new TracerProvider({ idGenerator: ids, spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  return {
    spans: new RoundSpans(provider.getTracer('test'), ids),
    ended: (name) => exporter.getFinishedSpans().filter((span) => span.name === name),
  };
}

const round = { poller: 'poller:sales', fence: 7, polledAt: 1_000_050 };
const asked = { ...round, topic: 'sales', channels: 3, askedAt: 1_000_000 };

describe('spans of a round', () => {
  it('are one trace across nodes, though nothing of it travels with the frames', async () => {
    const [owner, other] = [node(), node()];
    expect(await owner.spans.publishing(asked, () => Promise.resolve('published'))).toBe('published');
    let delivered = 0;
    other.spans.delivering(round, 3, () => (delivered += 1));
    expect(delivered).toBe(1);
    const [poll] = owner.ended('poll');
    const children = [...owner.ended('ask'), ...owner.ended('publish'), ...other.ended('deliver')];
    expect(children).toHaveLength(3);
    for (const child of children) {
      expect(child.spanContext().traceId).toBe(poll?.spanContext().traceId);
      expect(child.parentSpanContext?.spanId).toBe(poll?.spanContext().spanId);
    }
    expect(poll?.parentSpanContext).toBeUndefined();
  });

  it('of two rounds, or of two owners, are apart', async () => {
    const { spans, ended } = node();
    for (const one of [asked, { ...asked, polledAt: 1_001_050 }, { ...asked, fence: 8 }]) {
      await spans.publishing(one, () => Promise.resolve());
    }
    expect(new Set(ended('poll').map((span) => span.spanContext().traceId)).size).toBe(3);
  });

  it('tell a failure by its code, never by its text', async () => {
    const { spans, ended } = node();
    const failure = new Error('select secret from postgres://me:pw@db');
    await expect(spans.publishing(asked, () => Promise.reject(failure))).rejects.toBe(failure);
    const refusal = new PollcastError('QUERY_TIMEOUT', 'too slow');
    await expect(spans.joining('sales', () => Promise.reject(refusal))).rejects.toBe(refusal);
    expect(ended('publish')[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'UNAVAILABLE' });
    expect(ended('join')[0]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'QUERY_TIMEOUT' });
    const told = JSON.stringify(
      ['poll', 'ask', 'publish', 'join'].flatMap(ended).map((s) => [s.status, s.attributes, s.events]),
    );
    expect(told).not.toMatch(/secret|pw@/);
  });
});
