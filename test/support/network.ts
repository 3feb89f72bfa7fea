import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * What a link of a network does.
 *
 * - `up`: it works.
 * - `down`: nothing gets through in either direction, and nobody is told: the cable is pulled.
 * - `deaf`: what is sent into the namespace is lost; what comes out of it arrives.
 * - `dumb`: what comes out of it is lost; what is sent into it arrives.
 */
export type LinkMode = 'up' | 'down' | 'deaf' | 'dumb';

export interface TestLink {
  /** The address of this side, for what the namespace is to reach. */
  readonly outside: string;
  /** The namespace's own address, for those who are to reach it. */
  readonly inside: string;
  become(mode: LinkMode): Promise<void>;
}

/** A network namespace of the kernel (ip-netns(8)) with a real link for each of some purposes. */
export interface TestNetwork<Purpose extends string> {
  readonly links: Readonly<Record<Purpose, TestLink>>;
  /** What a command line has to begin with to run inside. */
  readonly enter: readonly string[];
  /** Takes the namespace and its links away. Idempotent. */
  remove(): Promise<void>;
}

const run = promisify(execFile);
const ip = async (...args: string[]): Promise<string> => (await run('ip', args)).stdout;

/** Namespaces are named after the process that made them, so that the next one finds those of the dead. */
const PREFIX = 'pollcast-test-';
let made = 0;

/**
 * A namespace of one's own, in a network that nothing else on the machine uses.
 *
 * @returns or why this machine does not allow it
 */
export async function startNetwork<Purpose extends string>(
  purposes: readonly Purpose[],
): Promise<TestNetwork<Purpose> | { readonly impossible: string }> {
  const name = `${PREFIX}${process.pid}-${++made}`;
  let removed: Promise<void> | undefined;
  // The links go with the namespace that one of their ends is in.
  const remove = (): Promise<void> =>
    (removed ??= ip('netns', 'del', name).then(
      () => undefined,
      () => undefined,
    ));
  try {
    await sweep();
    await ip('netns', 'add', name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    const third = await freeNet();
    const links: Partial<Record<Purpose, TestLink>> = {};
    for (const [i, purpose] of purposes.entries()) links[purpose] = await link(name, third, i);
    const enter = ['ip', 'netns', 'exec', name];
    await run(enter[0] as string, [...enter.slice(1), 'true']);
    return { links: links as Record<Purpose, TestLink>, enter, remove };
  } catch (error) {
    await remove();
    const { code, stderr } = error as { code?: string; stderr?: string };
    return { impossible: code === 'ENOENT' ? 'there is no `ip` on this machine' : (stderr ?? String(error)).trim() };
  }
}

async function link(namespace: string, third: number, index: number): Promise<TestLink> {
  // At most 15 characters.
  const device = `pc${process.pid.toString(36)}-${made}${'abcdefgh'[index]}`;
  const [outside, inside] = [`10.213.${third}.${4 * index + 1}`, `10.213.${third}.${4 * index + 2}`];
  await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'peer', 'netns', namespace);
  await ip('-n', namespace, 'link', 'set', 'peer', 'name', device);
  await ip('addr', 'add', `${outside}/30`, 'dev', device);
  await ip('-n', namespace, 'addr', 'add', `${inside}/30`, 'dev', device);
  await ip('link', 'set', device, 'up');
  await ip('-n', namespace, 'link', 'set', device, 'up');
  const hole = (address: string): string[] => ['blackhole', `${address}/32`];
  const mend: Record<Exclude<LinkMode, 'up'>, () => Promise<unknown>> = {
    down: () => ip('link', 'set', device, 'up'),
    deaf: () => ip('route', 'del', ...hole(inside)),
    dumb: () => ip('-n', namespace, 'route', 'del', ...hole(outside)),
  };
  const harm: typeof mend = {
    down: () => ip('link', 'set', device, 'down'),
    deaf: () => ip('route', 'add', ...hole(inside)),
    dumb: () => ip('-n', namespace, 'route', 'add', ...hole(outside)),
  };
  let now: LinkMode = 'up';
  return {
    outside,
    inside,
    async become(mode) {
      if (now !== 'up') await mend[now]();
      now = mode;
      if (mode !== 'up') await harm[mode]();
    },
  };
}

/** The third byte of a network 10.213.x.0/24 that no device of this machine has. */
async function freeNet(): Promise<number> {
  const taken = await ip('-o', '-4', 'addr');
  const offset = Math.floor(Math.random() * 256);
  const free = Array.from({ length: 256 }, (_, i) => (i + offset) % 256).find((x) => !taken.includes(` 10.213.${x}.`));
  if (free === undefined) throw new Error('every network of 10.213.0.0/16 is in use');
  return free;
}

/** Removes what processes have left that are no more. */
async function sweep(): Promise<void> {
  for (const line of (await ip('netns', 'list')).split('\n')) {
    const [, name, pid] = /^(pollcast-test-(\d+)-\d+)/.exec(line) ?? [];
    if (name === undefined || alive(Number(pid))) continue;
    await ip('netns', 'del', name).catch(() => undefined);
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
