import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { benchFile, hubModule } from './project.js';
import type * as tiedChild from '../../src/embedded/tied-child.js';

/** A program that the bench has started; it dies with the bench, whatever happens to that. */
export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  /** The last lines that it wrote. */
  readonly lines: string[];
  readonly exited: Promise<void>;
  alive(): boolean;
  /** Sends a signal; waits for the end unless it is SIGSTOP or SIGCONT. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

const KEPT_LINES = 40;

export async function startChild(file: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Child> {
  const { spawnTied } = await hubModule<typeof tiedChild>('embedded/tied-child.js');
  const child = spawnTied(file, args, {
    env,
    deathSignal: 'KILL',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // JSON makes null of the NaN that stands for "nothing was seen", and null is below every limit.
    serialization: 'advanced',
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
    });
  }
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const alive = () => child.exitCode === null && child.signalCode === null;
  return {
    process: child,
    pid: child.pid ?? -1,
    lines,
    exited,
    alive,
    async kill(signal) {
      if (!alive()) return;
      child.kill(signal);
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
      // One that is held takes only SIGKILL; everything else waits until it goes on.
      if (signal !== 'SIGKILL') child.kill('SIGCONT');
      await exited;
    },
  };
}

/** Resolves with the child's first message; rejects with what it wrote when it ends before. */
export function firstMessage<T>(child: Child, what: string, deadlineMs = 120_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (why: string) => reject(new Error(`${what} ${why}:\n${child.lines.join('\n')}`));
    const timer = setTimeout(() => failed(`said nothing for ${deadlineMs} ms`), deadlineMs);
    child.process.once('message', (message) => {
      clearTimeout(timer);
      resolve(message as T);
    });
    void child.exited.then(() => {
      clearTimeout(timer);
      failed('ended');
    });
  });
}

/** A peer of the bench: a program of its own that says where it listens. `tell` passes it a message. */
export interface Peer extends Child {
  readonly port: number;
  tell(message: unknown): void;
}

export async function startPeer(name: string, settings: Record<string, unknown>): Promise<Peer> {
  const child = await startChild(
    process.execPath,
    [benchFile(`peers/${name}.js`), JSON.stringify(settings)],
    process.env,
  );
  const { port } = await firstMessage<{ port: number }>(child, `the peer ${name}`);
  return { ...child, port, tell: (message) => void child.process.send(message as object) };
}
