import type { ProcessRecord, ProcessSpec, ProcessState } from '../ports/store.js';

/** A spec as the scripts take it: name, kind, arguments. */
export function specArgs(spec: ProcessSpec): [string, string, string] {
  return [spec.name, spec.kind, JSON.stringify(spec.args ?? null)];
}

/** A process's hash as a script gives it. */
export function record(flat: unknown): ProcessRecord {
  const list = flat as string[];
  const hash: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) hash[list[i] as string] = list[i + 1] as string;
  return fromHash(hash);
}

export function fromHash(hash: Record<string, string>): ProcessRecord {
  return {
    name: hash['name'] ?? '',
    kind: hash['kind'] ?? '',
    args: JSON.parse(hash['args'] ?? 'null') as unknown,
    node: hash['node'] || null,
    fence: Number(hash['fence']),
    state: hash['state'] as ProcessState,
    since: Number(hash['since']),
    restarts: Number(hash['restarts']),
    error: hash['error'] || null,
    unheldSince: hash['unheld'] ? Number(hash['unheld']) : null,
  };
}
