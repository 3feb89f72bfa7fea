import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';

let setprivWorks: boolean | undefined;

function hasSetpriv(): boolean {
  if (process.platform !== 'linux') return false;
  // BusyBox ships a setpriv that lacks --pdeathsig, so presence on PATH is not enough.
  setprivWorks ??= spawnSync('setpriv', ['--pdeathsig', 'INT', 'true'], { stdio: 'ignore' }).status === 0;
  return setprivWorks;
}

/**
 * Starts a program that must not outlive this process, even when this process gets SIGKILL.
 *
 * Linux: the kernel sends `deathSignal` when the parent dies (`setpriv --pdeathsig`; it execs the program, so the pid
 * is the program's own). Elsewhere a shell holds a pipe from us and sends the signal when the pipe closes.
 *
 * The child is put into a session of its own: Ctrl-C in a terminal reaches every process of the foreground group at
 * once, and would end a database before the hub that is still draining into it.
 */
export function spawnTied(
  file: string,
  args: readonly string[],
  options: SpawnOptions & { deathSignal?: 'INT' | 'TERM' | 'KILL' } = {},
): ChildProcess {
  const { deathSignal = 'INT', ...spawnOptions } = options;
  const detached = { ...spawnOptions, detached: true };
  if (hasSetpriv()) return spawn('setpriv', ['--pdeathsig', deathSignal, file, ...args], detached);

  const child = spawn(file, args, detached);
  if (child.pid !== undefined) watchFor(child, deathSignal);
  return child;
}

function watchFor(child: ChildProcess, deathSignal: string): void {
  const script = `read -r _; kill -${deathSignal} ${child.pid} 2>/dev/null`;
  const watchdog = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // Without a shell there is nothing better to do: the child still ends on every orderly stop.
  watchdog.on('error', () => undefined);
  watchdog.unref();
  // SIGKILL, not a closed pipe: after the child's exit its pid may belong to somebody else.
  child.once('exit', () => watchdog.kill('SIGKILL'));
}
