import { readdirSync, readFileSync } from 'node:fs';

/** Says in a process's environment, and in a folder, whose it is. */
export const MARK_VARIABLE = 'POLLCAST_RECORDING';

/**
 * Which recording of which cluster a browser, an encoder or a folder belongs to, and the hub that minds it: its pid and when that
 * process began, for pids are used again.
 */
export interface Mark {
  readonly cluster: string;
  readonly id: string;
  readonly node: string;
  readonly pid: number;
  readonly began: string;
}

export function formatMark({ cluster, id, node, pid, began }: Mark): string {
  return [cluster, id, node, pid, began].join(':');
}

export function parseMark(text: string): Mark | null {
  const parts = /^([^:]+):([^:]+):([^:]+):(\d+):(\d+)$/.exec(text.trim());
  if (!parts) return null;
  const [, cluster = '', id = '', node = '', pid = '', began = ''] = parts;
  return { cluster, id, node, pid: Number(pid), began };
}

/** When a process began, in ticks since the machine started; `null`: there is none, or nothing tells (not Linux). */
export function beganAt(pid: number): string | null {
  // The name in the second field may hold spaces and brackets.
  return stat(pid)?.[19] ?? null;
}

export function parentOf(pid: number): number | null {
  const parent = stat(pid)?.[1];
  return parent === undefined ? null : Number(parent);
}

/** Whether the hub that a mark names is still the process that it was. */
export function isMinded({ pid, began }: Pick<Mark, 'pid' | 'began'>): boolean {
  return beganAt(pid) === began;
}

export interface MarkedProcess {
  readonly pid: number;
  readonly mark: Mark;
}

/** All processes of this machine that carry a mark, as far as this account may see them. None where there is no /proc. */
export function markedProcesses(): MarkedProcess[] {
  return processIds().flatMap((pid) => {
    const mark = markOf(pid);
    return mark ? [{ pid, mark }] : [];
  });
}

export function markOf(pid: number): Mark | null {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    const entry = entries.find((text) => text.startsWith(`${MARK_VARIABLE}=`));
    return entry === undefined ? null : parseMark(entry.slice(MARK_VARIABLE.length + 1));
  } catch {
    // Gone meanwhile, somebody else's, or no /proc.
    return null;
  }
}

/** A process and all that came from it. */
export function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const pid of processIds()) {
    const parent = Number(stat(pid)?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i] as number) ?? []));
  return tree;
}

/** Memory that a process and all that came from it have in use, in bytes; 0 where nothing tells. */
export function memoryOf(root: number): number {
  return treeOf(root).reduce((sum, pid) => sum + residentBytes(pid), 0);
}

/** Ends a process and all that came from it, whatever they are doing. */
export function killTree(root: number): void {
  for (const pid of treeOf(root)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
}

function residentBytes(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** The fields of /proc/PID/stat after the name: state, parent, … */
function stat(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
