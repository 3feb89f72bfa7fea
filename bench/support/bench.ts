import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LoadGenerator } from '../load/load.js';
import type { Load } from '../load/protocol.js';
import { startPeer, type Peer } from './children.js';
import { startNode, topicsFolder, type HubNode } from './node.js';
import { startPostgres, startRedis, type PostgresService, type Service } from './services.js';
import { Writer } from './writer.js';

export interface Options {
  /** Smaller sizes and fewer repeats: to see that it works, not how well. */
  readonly quick: boolean;
  /** Everything as often as it can be wished; else those that are not `apart` stay together below twenty minutes. */
  readonly full: boolean;
  readonly flags: ReadonlyMap<string, string>;
}

export type Cell = string | number;

export interface Table {
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

export interface Goal {
  readonly goal: string;
  readonly seen: string;
  readonly met: boolean;
}

export interface Result {
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Measured only when it is named, or `all` are: those of features of their own, which take minutes. */
  readonly apart?: true;
  run(bench: Bench): Promise<Result>;
}

/** What a scenario starts things with; all of it is stopped at its end, the last first. */
export class Bench {
  readonly #releases: (() => Promise<unknown>)[] = [];

  constructor(
    readonly options: Options,
    readonly say: (line: string) => void,
  ) {}

  /** `usual`, `quick` with `--quick`, `full` with `--full`. */
  size<T>(usual: T, quick: T, full: T = usual): T {
    const { quick: isQuick, full: isFull } = this.options;
    return isQuick ? quick : isFull ? full : usual;
  }

  defer(release: () => Promise<unknown>): void {
    this.#releases.push(release);
  }

  async postgres(options?: { readonly fsync: boolean }): Promise<PostgresService> {
    const service = await startPostgres(options);
    this.defer(() => service.stop());
    return service;
  }

  async redis(): Promise<Service> {
    const service = await startRedis();
    this.defer(() => service.stop());
    return service;
  }

  async topics(files: Readonly<Record<string, string>>): Promise<string> {
    const folder = await topicsFolder(files);
    this.defer(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  async node(env: Record<string, string>): Promise<HubNode> {
    const node = await startNode(env);
    this.defer(() => node.stop());
    return node;
  }

  async peer(name: string, settings: Record<string, unknown>): Promise<Peer> {
    const peer = await startPeer(name, settings);
    this.defer(() => peer.kill('SIGKILL'));
    return peer;
  }

  async load(): Promise<LoadGenerator> {
    const load = await LoadGenerator.start();
    this.defer(() => load.stop());
    return load;
  }

  async writer(url: string): Promise<Writer> {
    const writer = await Writer.open(url);
    this.defer(() => writer.close());
    return writer;
  }

  async stop(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) {
      await release().catch((error: unknown) => this.say(`  could not stop something: ${String(error)}`));
    }
  }
}

/** CPU seconds that each of some processes uses while a load runs, and what the load saw. */
export interface Measured {
  readonly load: Load;
  /** CPU seconds, by the names given. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** Measures for `seconds`. Throws when the viewers met an error: such a run is no measurement. */
export async function measure(
  load: LoadGenerator,
  seconds: number,
  cpus: Readonly<Record<string, () => number>>,
): Promise<Measured> {
  await load.begin();
  const before = Object.entries(cpus).map(([name, read]) => [name, read()] as const);
  await sleep(seconds * 1000);
  const cpu = Object.fromEntries(before.map(([name, then]) => [name, (cpus[name]?.() ?? NaN) - then]));
  const seen = await load.end();
  if (Object.keys(seen.errors).length > 0) throw new LoadErrors(seen.errors);
  return { load: seen, cpu };
}

/** The viewers met errors; the message says which and how often. */
export class LoadErrors extends Error {
  override readonly name = 'LoadErrors';

  constructor(readonly errors: Readonly<Record<string, number>>) {
    super(
      Object.entries(errors)
        .map(([kind, count]) => `${count} × ${kind}`)
        .join(', '),
    );
  }
}

/** Four significant digits at most: no measurement here has more. */
export function figure(value: number, digits = 3): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}
