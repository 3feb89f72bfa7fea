import type { Export, PollcastError } from '../../../client/index.js';
import { labelOf } from '../format.js';

/** One for each state, so that a screen reader is told of changes and not of every per cent. */
export function stateText({ state, restarted }: Export): string {
  switch (state) {
    case 'pending':
      return 'Waiting for its turn';
    case 'processing':
      return restarted ? 'Began again on another node' : 'Under way';
    case 'ready':
      return 'Ready';
    case 'error':
      return 'Failed';
    case 'cancelled':
      return 'Cancelled';
  }
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** `812 bytes`, `4.2 MB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1_000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** power;
  return `${power > 0 && value < 100 ? value.toFixed(1) : String(Math.round(value))} ${UNITS[power]}`;
}

/** `Region EU · Minutes 60`; what is not set is left out. */
export function paramsText(params: Export['params']): string {
  return Object.entries(params)
    .filter(([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${labelOf(name)} ${Array.isArray(value) ? value.map(String).join(', ') : String(value)}`)
    .join(' · ');
}

/** What the hub objected to when it was asked. */
export function objectionText({ code, message }: PollcastError): string {
  return code === 'EXPORT_RUNNING' ? 'One export at a time: this one is still under way.' : message;
}
