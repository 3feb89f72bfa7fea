import { rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { freePort } from '../../src/embedded/postgres.js';
import { complaintsIn, Lookout } from '../cluster/hub.js';
import { steppedClock, type SteppedClock } from '../support/faketime.js';
import { startNginx, type TestNginx } from '../support/nginx.js';
import { startNode, type TestNode } from '../support/node.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.js';
import { topicsFolder } from '../support/project.js';
import { startNetwork, type TestNetwork } from '../support/network.js';
import { startProxy, type TestProxy } from '../support/proxy.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import type { Terms } from './history.js';
import { LeaseWitness } from './lease-witness.js';
import { Recorder } from './recorder.js';

/** Each has a link of its own, where the machine allows it. */
const RELATIONS = ['redis', 'postgres', 'viewers'] as const;
export type Relation = (typeof RELATIONS)[number];

export const NODES = 3;
export const LANES = 4;
export const TERMS: Terms = { leaseMs: 2_000, lingerMs: 1_000, intervalMs: 200, slackMs: 500 };
/** What viewers watch for as long as a run lasts, and what some visit now and then. */
export const WATCHED = ['steady', 'kept', 'parted'] as const;
export const VISITED = 'visited';
export const RACED = Array.from({ length: LANES }, (_, lane) => `race${lane}`);
const TOPICS = [...WATCHED, VISITED, ...RACED];

/** A row whose `n` only ever rises. */
const topicFile = (name: string): string => `/*
interval: ${TERMS.intervalMs}ms
timeout: 2s
${name === 'kept' || name === 'parted' ? 'retain: 2m\n' : ''}${name === 'parted' ? 'params:\n  k: { type: int, default: 0 }\n' : ''}*/
SELECT n::float8 AS n, current_setting('application_name') AS by${name === 'parted' ? ', :k AS k' : ''} FROM chaos_${name}`;

/** A place for one node, whoever fills it: its port at nginx, and its own ways to Redis and Postgres. */
export interface Slot {
  readonly index: number;
  readonly port: number;
  readonly redis: TestProxy;
  readonly postgres: TestProxy;
  /** Where nginx finds it. */
  readonly address: string;
  /** The first one is in a network namespace, where the machine allows it. */
  readonly apart: boolean;
  /** Only the last one has a clock that can be stepped. */
  readonly clock: SteppedClock | null;
  node: TestNode;
  incarnation: number;
  /** Lines of its log that were looked at. */
  read: number;
}

/** Three nodes behind nginx, every way of theirs through a proxy, and everything that they do written down. */
export class Stage {
  readonly slots: Slot[] = [];
  #writing: Promise<void> | null = null;
  #mayWrite = true;
  #n = 0;
  #writer: pg.Client | null = null;

  private constructor(
    readonly redis: TestRedis,
    readonly postgres: TestPostgres,
    readonly database: TestDatabase,
    readonly prefix: string,
    readonly recorder: Recorder,
    readonly lookout: Lookout,
    private readonly topicsDir: string,
    private readonly releases: (() => Promise<unknown>)[],
  ) {}

  network: TestNetwork<Relation> | null = null;
  /** Why there is none. */
  networkMissing = '';
  nginx!: TestNginx;
  viewers!: TestProxy;

  static async open(): Promise<Stage> {
    const releases: (() => Promise<unknown>)[] = [];
    const redis = await startRedis();
    releases.push(() => redis.stop());
    const postgres = await startPostgres({ settings: { log_statement: 'all', log_line_prefix: '%n %a|' } });
    releases.push(() => postgres.stop());
    const database = await postgres.createDatabase();
    const schema = TOPICS.map((name) => `create table chaos_${name} (n bigint); insert into chaos_${name} values (0);`);
    await postgres.query(schema.join('\n'), [], database.name);
    const topicsDir = await topicsFolder(Object.fromEntries(TOPICS.map((name) => [`${name}.sql`, topicFile(name)])));
    releases.push(() => rm(topicsDir, { recursive: true, force: true }));
    const prefix = `chaos-${randomBytes(4).toString('hex')}`;
    const recorder = new Recorder(prefix, TOPICS);
    await recorder.watchRedis(redis.port);
    releases.push(async () => recorder.close());
    const lookout = new Lookout({ redis, prefix });
    releases.push(() => lookout.close());
    const stage = new Stage(redis, postgres, database, prefix, recorder, lookout, topicsDir, releases);
    try {
      await stage.#build();
    } catch (error) {
      await stage.close().catch(() => undefined);
      throw error;
    }
    return stage;
  }

  async #build(): Promise<void> {
    const network = await startNetwork(RELATIONS);
    if ('impossible' in network) this.networkMissing = network.impossible;
    else {
      this.network = network;
      this.releases.push(() => network.remove());
    }
    const witness = await LeaseWitness.start(this.redis.port, `${this.prefix}-w`, TERMS.leaseMs, this.recorder);
    this.releases.push(() => witness.close());
    for (let index = 0; index < NODES; index++) {
      const links = index === 0 ? this.network?.links : undefined;
      const redis = await startProxy(this.redis.port, undefined, links?.redis.outside);
      const postgres = await startProxy(this.postgres.port, undefined, links?.postgres.outside);
      const clock = index === NODES - 1 ? await steppedClock() : null;
      this.releases.push(
        () => redis.stop(),
        () => postgres.stop(),
        async () => clock?.remove(),
      );
      const [address, apart] = [links?.viewers.inside ?? '127.0.0.1', links !== undefined];
      const slot = { index, port: await freePort(), address, apart, redis, postgres, clock, incarnation: 0, read: 0 };
      this.slots.push({ ...slot, node: await this.#launch(slot) });
    }
    this.nginx = await startNginx({ upstreams: this.slots.map(({ address, port }) => `${address}:${port}`) });
    this.viewers = await startProxy(this.nginx.port);
    this.releases.push(
      () => this.nginx.stop(),
      () => this.viewers.stop(),
    );
    this.#writing = this.#write();
  }

  get url(): string {
    return `http://127.0.0.1:${this.viewers.port}`;
  }

  get n(): number {
    return this.#n;
  }

  living(): Slot[] {
    return this.slots.filter(({ node }) => node.alive());
  }

  slotOf(node: string): Slot | undefined {
    return this.slots.find((slot) => slot.node.name === node);
  }

  async #launch(
    slot: Pick<Slot, 'index' | 'port' | 'address' | 'apart' | 'redis' | 'postgres' | 'clock' | 'incarnation'>,
  ): Promise<TestNode> {
    const database = new URL(this.database.url);
    database.port = String(slot.postgres.port);
    const { network } = this;
    const links = slot.apart ? network?.links : undefined;
    database.hostname = links?.postgres.outside ?? '127.0.0.1';
    const node = await startNode({
      network: slot.apart && network ? { enter: network.enter, address: slot.address } : undefined,
      env: {
        PORT: String(slot.port),
        NODE_NAME: `n${slot.index + 1}.${slot.incarnation}`,
        DATABASE_URL: database.href,
        REDIS_URL: `redis://${links?.redis.outside ?? '127.0.0.1'}:${slot.redis.port}`,
        REDIS_PREFIX: this.prefix,
        TOPICS_DIR: this.topicsDir,
        LEASE_MS: String(TERMS.leaseMs),
        LINGER_MS: String(TERMS.lingerMs),
        ...slot.clock?.env,
      },
    });
    void node.exited.then(({ code, signal }) => {
      const expected = this.#ending.has(node.name);
      this.recorder.note({ kind: 'exit', node: node.name, expected, how: String(signal ?? code) });
    });
    return node;
  }

  readonly #ending = new Set<string>();

  /** Ends a node, by whatever signal, and puts another in its place. */
  async end(slot: Slot, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#ending.add(slot.node.name);
    await slot.node.kill(signal);
    const { code } = await slot.node.exited;
    if (signal === 'SIGTERM' && code !== 0)
      this.recorder.note({ kind: 'exit', node: slot.node.name, expected: false, how: `${code} on SIGTERM` });
  }

  async replace(slot: Slot): Promise<void> {
    this.readLogs();
    // A node that cannot reach Redis refuses to start: as a service manager would, it is tried again.
    for (const until = Date.now() + 60_000; ;) {
      slot.incarnation += 1;
      try {
        slot.node = await this.#launch(slot);
        break;
      } catch (error) {
        if (Date.now() > until) throw error;
      }
    }
    slot.read = 0;
  }

  readLogs(): void {
    this.recorder.readLog(this.postgres.log);
    for (const slot of this.slots) {
      for (const line of complaintsIn(slot.node.logs.slice(slot.read)))
        this.recorder.note({ kind: 'complaint', node: slot.node.name, line });
      slot.read = slot.node.logs.length;
    }
  }

  /** Every table's `n` rises, again and again, whenever Postgres lets it. */
  async #write(): Promise<void> {
    while (this.#mayWrite) {
      try {
        this.#writer ??= await this.connect();
        const next = this.#n + 1;
        await this.#writer.query(TOPICS.map((name) => `update chaos_${name} set n = ${next}`).join('; '));
        this.#n = next;
      } catch {
        // Down, frozen or locked: what was not told may be done, so that the next one is written over it.
        this.#writer?.end().catch(() => undefined);
        this.#writer = null;
      }
      await new Promise((wake) => setTimeout(wake, 90));
    }
  }

  /** The database stands still; resolves with what it says. */
  async pauseWriting(): Promise<number> {
    this.#mayWrite = false;
    await this.#writing;
    const [row] = await this.postgres.query<{ n: string }>(
      'select max(n) as n from chaos_steady',
      [],
      this.database.name,
    );
    this.#n = Math.max(this.#n, Number(row?.n));
    return Number(row?.n);
  }

  resumeWriting(): void {
    this.#mayWrite = true;
    this.#writing = this.#write();
  }

  /** A connection past all proxies. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.database.url,
      connectionTimeoutMillis: 2_000,
      query_timeout: 20_000,
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async close(): Promise<void> {
    this.#mayWrite = false;
    await this.#writing;
    await this.#writer?.end().catch(() => undefined);
    for (const slot of this.living()) {
      slot.node.thaw();
      await this.end(slot, 'SIGTERM');
    }
    this.readLogs();
    for (const release of this.releases.reverse()) await release();
  }
}
