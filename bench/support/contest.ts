import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadGenerator } from '../load/load.js';
import { measure, type Bench, type Measured } from './bench.js';
import type { Child } from './children.js';
import { cpuOf } from './cpu.js';
import type { Service } from './services.js';

/** One of several that do the same work on one database, in turns: while one runs, the others are held by SIGSTOP. */
export interface Contender {
  readonly name: string;
  readonly server: Child;
  readonly load: LoadGenerator;
  readonly redis?: Service;
  /** Seconds until all its viewers were let in. */
  readonly openedIn?: number;
}

export interface ContestOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** After a turn begins, until its interval has come round and what the pause held up is through. */
  readonly settleMs: number;
}

/** Each contender's turns. CPU seconds are of its server, the database, its Redis and its load generator. */
export async function contest(
  bench: Bench,
  database: Service,
  contenders: readonly Contender[],
  { rounds, seconds, settleMs }: ContestOptions,
): Promise<Map<string, Measured[]>> {
  const turns = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]));
  const alone = contenders.length === 1;
  if (!alone) for (const { server } of contenders) await server.kill('SIGSTOP');
  try {
    for (let round = 0; round < rounds; round++) {
      for (const { name, server, load, redis } of contenders) {
        if (!alone) await server.kill('SIGCONT');
        await sleep(settleMs);
        const cpus: Record<string, () => number> = { server: () => cpuOf(server.pid), database: () => database.cpu() };
        if (redis) cpus.redis = () => redis.cpu();
        turns.get(name)?.push(await measure(load, seconds, cpus));
        if (!alone) await server.kill('SIGSTOP');
      }
    }
  } finally {
    if (!alone) for (const { server } of contenders) await server.kill('SIGCONT');
  }
  bench.say(`  ${rounds} turns of ${seconds} s each for ${contenders.map(({ name }) => name).join(', ')}`);
  return turns;
}
