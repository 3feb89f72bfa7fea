import type { ExportRecord, Format } from './record.js';

export const EXPORT_METRICS = Symbol('export metrics');

export type Ended = Extract<ExportRecord['state'], 'ready' | 'error' | 'cancelled'>;

/** What exports tell a node's metrics. */
export interface ExportMetrics {
  /** Rows in a piece of a file that was stored, and noted. */
  stored(format: Format, rows: number): void;
  /** `seconds`: from the request, over all nodes that worked on it. */
  ended(format: Format, state: Ended, seconds: number): void;
  /** Written to whoever downloads. */
  downloaded(bytes: number): void;
  /** Asked at each scrape: exports that this node works on, and those that wait for it. */
  working(read: () => { readonly running: number; readonly waiting: number }): void;
}
