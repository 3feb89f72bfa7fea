import type { WireError } from '../errors.js';
import type { ParamValue } from '../topics/topic.js';
import type { Column } from './columns.js';

export const EXPORT_KIND = 'export';
export const FORMATS = ['csv', 'xlsx', 'pdf'] as const;
export type Format = (typeof FORMATS)[number];

/**
 * All files of a cluster's exports lie below this folder of the storage, those of one export in a folder of its own. Clusters
 * that share a storage do not take each other's files for nobody's.
 */
export function exportsRoot(cluster: string): string {
  return `exports/${cluster}`;
}

/** The process that makes a user's exports, one at a time. */
export function processOf(user: string): string {
  return `${EXPORT_KIND}:${encodeURIComponent(user)}`;
}

/** The fence of the owner that wrote a file: its name begins with it. */
export function fenceOf(path: string): number | undefined {
  const [, fence] = /\/(\d+)-[^/]*$/.exec(path) ?? [];
  return fence === undefined ? undefined : Number(fence);
}

/** Where the file is downloaded, as the hub itself knows the route. */
export function fileRoute(id: string): string {
  return `/api/exports/${id}/file`;
}

/** A stored file; the download is all of them, one after the other. */
export interface Piece {
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
}

/** The key of a row as texts of its columns, as Postgres writes them; null is NULL. */
export type KeyTexts = readonly (string | null)[];

/**
 * All that is known of a user's export: the backup of its process, saved under the fence. Whoever takes over goes on
 * from here, and any node serves the file from here.
 *
 * Invariant: `pieces` holds exactly the rows up to and including `after`, `kept` in number, as CSV until the file is
 * `made`; files that are not among them are nobody's.
 */
export interface ExportRecord {
  readonly id: string;
  readonly user: string;
  /** Of the storage: where its files lie. */
  readonly folder: string;
  readonly topic: string;
  readonly title: string;
  /** The topic's version that `pieces` were made by: another one's rows do not go with them. */
  readonly version: string;
  /** The channel's key, claims included. */
  readonly channel: string;
  /** What the user may know of the parameters. */
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly format: Format;
  readonly state: 'pending' | 'processing' | 'ready' | 'error' | 'cancelled';
  /** Rows got so far, those of an unfinished piece included. */
  readonly rows: number;
  readonly progress: number;
  /** How many rows the database expects in all; 0: not asked yet. */
  readonly expected: number;
  readonly pieces: readonly Piece[];
  readonly kept: number;
  /** `null`: from the start. */
  readonly after: KeyTexts | null;
  /** gathered: all rows are in `pieces`, what is left is to make the file of them; made: `pieces` are the file. */
  readonly stage: 'gathering' | 'gathered' | 'made';
  /** Known once it is gathered. */
  readonly columns: readonly Column[];
  /** It had to begin again, because what another node had done could not be continued. */
  readonly restarted: boolean;
  readonly requestedAt: number;
  /** When it must be ready. Ms since 1970, as all times. */
  readonly deadline: number;
  readonly error?: WireError;
  readonly finishedAt?: number;
  /** When it is removed, file and record. */
  readonly expiresAt?: number;
}

/** What clients see of it, by the contract. */
export interface ExportView {
  readonly id: string;
  readonly topic: string;
  readonly title: string;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly format: Format;
  readonly state: ExportRecord['state'];
  readonly progress: number;
  readonly rows: number;
  readonly requestedAt: number;
  readonly restarted?: true;
  readonly url?: string;
  readonly bytes?: number;
  readonly error?: WireError;
  readonly expiresAt?: number;
  /** It was dismissed: file and record are removed. */
  readonly gone?: true;
}

export function isUnderWay(record: ExportRecord | null): record is ExportRecord & { state: 'pending' | 'processing' } {
  return record?.state === 'pending' || record?.state === 'processing';
}

/** @param urlOf the address of a route as it is asked for from outside */
export function viewOf(record: ExportRecord, urlOf: (route: string) => string): ExportView {
  const { id, topic, title, params, format, state, rows, requestedAt, error, expiresAt } = record;
  return {
    id,
    topic,
    title,
    params,
    format,
    state,
    progress: record.progress,
    rows,
    requestedAt,
    ...(record.restarted ? { restarted: true } : {}),
    ...(state === 'ready' ? { url: urlOf(fileRoute(id)), bytes: sizeOf(record) } : {}),
    ...(error ? { error } : {}),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** What is told of one that was dismissed, to whoever else looks at it: nothing is left to wait for, or to download. */
export function goneView(record: ExportRecord): ExportView {
  return { ...viewOf({ ...record, state: 'cancelled', expiresAt: undefined }, String), gone: true };
}

export function sizeOf({ pieces }: ExportRecord): number {
  return pieces.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** As a browser saves it: `sales.by_region-2026-11-25-1430.csv`. */
export function fileNameOf({ topic, format, requestedAt }: ExportRecord): string {
  const at = new Date(requestedAt).toISOString().slice(0, 16).replace('T', '-').replace(':', '');
  return `${topic}-${at}.${format}`;
}

/**
 * How much of it is done, from 0 to below 1, when `rows` of about `expected` are there. The database's guess may be
 * far off: past nine tenths of it the rest shrinks with every row and never ends.
 */
export function shareOf(rows: number, expected: number): number {
  if (expected <= 0 || rows <= 0) return 0;
  const known = 0.9 * expected;
  return rows <= known ? rows / expected : 0.9 + 0.09 * (1 - known / rows);
}
