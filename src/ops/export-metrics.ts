import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Ended, ExportMetrics } from '../exports/metrics.js';
import type { Format } from '../exports/record.js';

/** From a small csv to the time limit that exports have by default. */
const BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1_800];

type Working = ReturnType<Parameters<ExportMetrics['working']>[0]>;

/** What exports count. */
export class ExportCounts implements ExportMetrics {
  readonly #rows: Counter<'format'>;
  readonly #ended: Counter<'format' | 'state'>;
  readonly #seconds: Histogram<'format'>;
  readonly #downloaded: Counter;
  #working: () => Working = () => ({ running: 0, waiting: 0 });

  constructor(registry: Registry) {
    const registers = [registry];
    const working = (): Working => this.#working();
    for (const [state, help] of [
      ['running', 'Exports that this node makes now.'],
      ['waiting', 'Exports that wait for one of its places.'],
    ] as const) {
      new Gauge({
        name: `pollcast_exports_${state}`,
        help,
        registers,
        collect() {
          this.set(working()[state]);
        },
      });
    }
    this.#ended = new Counter({
      name: 'pollcast_exports_ended_total',
      help: 'Exports that ended here, by how.',
      labelNames: ['format', 'state'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'pollcast_exports_seconds',
      help: 'From the request to the file, over all nodes that worked on it.',
      labelNames: ['format'],
      buckets: BUCKETS,
      registers,
    });
    this.#rows = new Counter({
      name: 'pollcast_exports_rows_total',
      help: 'Rows got from the source, and stored.',
      labelNames: ['format'],
      registers,
    });
    this.#downloaded = new Counter({
      name: 'pollcast_exports_downloaded_bytes_total',
      help: 'Bytes of files given to downloads.',
      registers,
    });
  }

  stored(format: Format, rows: number): void {
    this.#rows.inc({ format }, rows);
  }

  ended(format: Format, state: Ended, seconds: number): void {
    this.#ended.inc({ format, state });
    if (state === 'ready') this.#seconds.observe({ format }, seconds);
  }

  downloaded(bytes: number): void {
    this.#downloaded.inc(bytes);
  }

  working(read: () => Working): void {
    this.#working = read;
  }
}
