import type { Logger } from '../../kernel/log.js';
import { RootedIds, RoundSpans } from './round-spans.js';
import type { RoundTracer } from '../../polling/round-tracer.js';

export interface Tracing {
  readonly rounds: RoundTracer;
  /** Sends what is not sent yet. */
  close(): Promise<void>;
}

/**
 * Traces over OTLP/HTTP to where OpenTelemetry's own variables say (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`,
 * `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` …: https://opentelemetry.io/docs/languages/sdk-configuration/),
 * which its packages read themselves. They are loaded only when somebody wants traces.
 */
export async function startTracing(node: string, version: string, log: Logger): Promise<Tracing> {
  const [{ BatchSpanProcessor, RandomIdGenerator, TracerProvider }, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const ids = new RootedIds(new RandomIdGenerator());
  const own = { 'service.name': 'pollcast', 'service.version': version, 'service.instance.id': node };
  const provider = new TracerProvider({
    idGenerator: ids,
    // What the environment says of the service goes before what we say.
    resource: resources
      .resourceFromAttributes(own)
      .merge(resources.detectResources({ detectors: [resources.envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  log.info({ node }, 'traces are sent');
  return {
    rounds: new RoundSpans(provider.getTracer('pollcast', version), ids),
    close: () => provider.shutdown(),
  };
}
