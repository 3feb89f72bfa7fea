/** Why a panel is not live, in words for its reader. */
import { ERROR_CODES, type ErrorCode } from '../../src/errors.js';
import type { ConnectionStatus, PollcastError } from '../../client/index.js';
import type { PanelState } from './hooks/health.js';

export interface Trouble {
  readonly state: 'stale' | 'failed' | 'offline';
  readonly label: string;
  readonly code: string | undefined;
  readonly sentence: string;
}

/** What `status` names in one word. */
const OUTAGES: Readonly<Record<string, string>> = {
  database: 'The database does not answer. These are the last values; polling goes on as soon as it does.',
  cluster: 'The cluster cannot be reached. These values may be out of date until it can.',
};

interface Watched {
  readonly state: PanelState;
  readonly reason: string | undefined;
  readonly error: PollcastError | undefined;
}

export function troubleOf(watched: Watched, connection: ConnectionStatus['state']): Trouble | undefined {
  if (connection === 'offline') {
    return { state: 'offline', label: 'Offline', code: undefined, sentence: 'The connection to the hub is lost.' };
  }
  const { code, sentence } = explain(watched);
  if (watched.state === 'failed') return { state: 'failed', label: 'Failed', code, sentence };
  if (watched.state === 'stale') return { state: 'stale', label: 'Stale', code, sentence };
  return undefined;
}

/** A reason is a code, a code with a sentence behind it, the name of an outage, or a sentence. */
function explain({ state, reason, error }: Watched): { code: string | undefined; sentence: string } {
  if (error !== undefined) return { code: error.code, sentence: [error.message, ...faults(error.details)].join(' ') };
  const [, code, rest] = /^([A-Z]+(?:_[A-Z]+)*)(?:$|:\s*)([\s\S]*)$/.exec(reason ?? '') ?? [];
  if (code !== undefined && isErrorCode(code)) return { code, sentence: rest || ERROR_CODES[code] };
  const unsaid = state === 'stale' ? 'These values may be out of date.' : 'The topic cannot be shown now.';
  return { code: undefined, sentence: OUTAGES[reason ?? ''] ?? reason ?? unsaid };
}

function isErrorCode(text: string): text is ErrorCode {
  return text in ERROR_CODES;
}

/** What INVALID_PARAMS lists: one entry per fault, each with its message. */
function faults(details: unknown): string[] {
  if (!Array.isArray(details)) return [];
  return details.flatMap((fault: unknown) =>
    typeof fault === 'object' && fault !== null && 'message' in fault ? [String(fault.message)] : [],
  );
}
