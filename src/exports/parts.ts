import type { Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { Storage } from '../storage/storage.js';
import type { Topic } from '../topics/topic.js';
import type { ExportMetrics } from './metrics.js';
import type { ExportView } from './record.js';

export interface ExportSettings {
  /** How long a finished export is kept, in ms. */
  readonly ttlMs: number;
  readonly maxRows: number;
  /** The most that an export may take, over all nodes that work on it, in ms. */
  readonly timeoutMs: number;
  /** A piece of a file ends after this many rows or bytes: what a takeover may have to do again. */
  readonly pieceRows: number;
  readonly pieceBytes: number;
  /** A report has the first so many rows. */
  readonly pdfRows: number;
  /** Between two announcements of progress, in ms. */
  readonly announceMs: number;
}

/** What an export needs of its node. */
export interface ExportParts {
  /** The folder of this cluster's exports. */
  readonly root: string;
  readonly storage: Storage;
  /** Where the topics' queries go. */
  readonly connectionString: string;
  readonly node: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ExportSettings;
  readonly metrics: ExportMetrics;
  /** The address of a route of the hub, as it is asked for from outside. */
  urlOf(route: string): string;
  /** Throws `UNKNOWN_TOPIC`. */
  topic(name: string): Topic;
  /** Lets in as many exports as this node works on at once; resolves to the way out, to undefined when told to stop. */
  enter(signal: AbortSignal): Promise<(() => void) | undefined>;
  /** Tells a user, wherever he is connected. Never rejects. */
  tell(user: string, view: ExportView): Promise<void>;
}
