import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { spawnTied } from '../../src/embedded/tied-child.js';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A started program: its output, its end, and the signals that tests send to it. */
export interface ServiceProcess {
  child: ChildProcess;
  pid: number;
  /** every line of stdout and stderr so far */
  lines: string[];
  exited: Promise<Exit>;
  alive: () => boolean;
  /** Sends the signal and, unless it is one that only stops or continues, waits for the end. */
  kill: (signal: NodeJS.Signals) => Promise<void>;
  freeze: () => void;
  thaw: () => void;
}

export interface ServiceProcessOptions {
  file: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** adds an IPC channel, for programs that end when it closes */
  ipc?: boolean;
}

/** Starts a program that dies with the test process, whatever happens to that. */
export function startProcess({ file, args, env, cwd, ipc = false }: ServiceProcessOptions): ServiceProcess {
  const child = spawnTied(file, args, {
    env,
    cwd,
    deathSignal: 'KILL',
    stdio: ipc ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  // Not 'exit': its output is complete only at 'close'.
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => {
      lines.push(error.message);
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
  const alive = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    child,
    pid: child.pid ?? -1,
    lines,
    exited,
    alive,
    async kill(signal) {
      if (!alive()) return;
      child.kill(signal);
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
      // A stopped process takes only SIGKILL; the others wait until it is continued.
      if (signal !== 'SIGKILL') child.kill('SIGCONT');
      await exited;
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  };
}

/** Resolves when a line matches; throws with the whole output when the program ends before. */
export async function untilLine(service: ServiceProcess, pattern: RegExp, deadlineMs = 20_000): Promise<string> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const line = service.lines.find((candidate) => pattern.test(candidate));
    if (line !== undefined) return line;
    if (!service.alive()) {
      await service.exited;
      throw new ServiceFailed(service.lines.join('\n'));
    }
    if (Date.now() > until) {
      await service.kill('SIGKILL');
      throw new ServiceFailed(`no line like ${String(pattern)} within ${deadlineMs} ms:\n${service.lines.join('\n')}`);
    }
    await new Promise((wake) => setTimeout(wake, 5));
  }
}

/** The program ended, or never became ready; the message is its output. */
export class ServiceFailed extends Error {
  override readonly name = 'ServiceFailed';
}

const PORT_TAKEN = /address already in use|EADDRINUSE|bind\(\) to .* failed/i;

/** Calls `start` with a free port; again with another one when somebody else took it in between. */
export async function onFreePort<T>(freePort: () => Promise<number>, start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (attempt === 5 || !(error instanceof ServiceFailed && PORT_TAKEN.test(error.message))) throw error;
    }
  }
}
