import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second: `/proc` counts CPU time in them. */
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/**
 * CPU time of a process so far, all its threads and what it had reaped, in seconds. The kernel's own nanosecond counts
 * where it keeps them, else ticks of 10 ms.
 */
export function cpuOf(pid: number): number {
  const { user, system } = stat(pid);
  return nanoseconds(pid) ?? (user + system) / TICKS;
}

/** A Postgres: its postmaster and all that it has started; backends that ended count through their parent. */
export function cpuOfTree(root: number): number {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    const parent = readSafely(() => stat(pid).parent);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const sum = (pid: number): number => {
    const own = readSafely(() => cpuOf(pid) + stat(pid).reaped / TICKS) ?? 0;
    return (children.get(pid) ?? []).reduce((total, child) => total + sum(child), own);
  };
  return sum(root);
}

/** Seconds in the program itself and in the operating system's kernel on its behalf, in ticks of 10 ms: good for a share. */
export function shareOf(pid: number): { user: number; kernel: number } {
  const { user, system } = stat(pid);
  return { user: user / TICKS, kernel: system / TICKS };
}

/** Resident memory in bytes. */
export function rssOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? NaN) * 1024;
}

function stat(pid: number): { parent: number; user: number; system: number; reaped: number } {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything; fields are counted from behind it.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return { parent, user, system, reaped: childUser + childSystem };
}

function nanoseconds(pid: number): number | undefined {
  return readSafely(() => {
    let total = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    }
    return total > 0 ? total / 1e9 : undefined;
  });
}

/** A process may end between being listed and being read. */
function readSafely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
