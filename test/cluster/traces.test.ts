import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { clock, oneRow } from './hub.js';
import { TestViewer } from './viewer.js';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
}

interface Sent {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Span[] }[];
  }[];
}

let cluster: TestCluster | undefined;
let collector: Server | undefined;

afterEach(async () => {
  await cluster?.stop();
  collector?.close();
});

test('a collector that is named gets a trace of each round: polled on one node, delivered on another', async () => {
  const spans: (Span & { node: string })[] = [];
  collector = createServer((request, response) => {
    const body: Buffer[] = [];
    request.on('data', (part: Buffer) => body.push(part));
    request.on('end', () => {
      for (const { resource, scopeSpans } of (JSON.parse(Buffer.concat(body).toString()) as Sent).resourceSpans) {
        const node = resource.attributes.find(({ key }) => key === 'service.instance.id')?.value.stringValue ?? '';
        for (const { spans: some } of scopeSpans) spans.push(...some.map((span) => ({ ...span, node })));
      }
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => collector?.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  cluster = await startCluster({
    nodes: 2,
    topics: { 'tick.sql': clock('traced', '200ms') },
    schema: oneRow('traced'),
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '200' },
  });
  const viewers = await Promise.all(cluster.nodes.map(({ url }) => TestViewer.watch(url, { topic: 'tick' })));
  const whole = await eventually(
    () =>
      spans.find(({ name, traceId, spanId }) => {
        const inside = spans.filter((span) => span.traceId === traceId && span.parentSpanId === spanId);
        const deliveredOn = new Set(inside.filter((span) => span.name === 'deliver').map((span) => span.node));
        return name === 'poll' && deliveredOn.size === 2 && inside.some((span) => span.name === 'publish');
      }),
    { what: 'a trace with a delivery on both nodes', deadlineMs: 20_000 },
  );
  expect(whole.parentSpanId ?? '').toBe('');
  expect(spans.filter(({ name }) => name === 'join').length).toBeGreaterThanOrEqual(2);
  for (const viewer of viewers) viewer.close();
}, 60_000);
