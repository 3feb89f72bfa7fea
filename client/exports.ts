/** Exports, word for word as the contract names them. */
import type { WireError } from '../src/errors.js';

export type ExportFormat = 'csv' | 'xlsx' | 'pdf';

export interface ExportRequest {
  readonly topic: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly format: ExportFormat;
}

export interface Export {
  readonly id: string;
  readonly topic: string;
  /** The topic's title. */
  readonly title: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly format: ExportFormat;
  readonly state: 'pending' | 'processing' | 'ready' | 'error' | 'cancelled';
  /** From 0 to 1. */
  readonly progress: number;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
  /** It had to begin again: its topic has no key, or changed meanwhile. */
  readonly restarted?: true;
  /** There when it is ready: a path on any node. */
  readonly url?: string;
  readonly bytes?: number;
  readonly error?: WireError;
  readonly expiresAt?: number;
  /** Dismissed, on another page perhaps: file and record are removed. */
  readonly gone?: true;
}

/** For a browser that downloads: it can send neither token nor cookie. */
export interface ExportLink {
  /** A path on any node, that needs nothing beside it. */
  readonly url: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}
