import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import { Addresses } from './addresses.js';
import { Leftovers } from './leftovers.js';
import { ReadyStudios } from './ready.js';
import type { RecordingArgs } from './recording.js';
import { Studios } from './studio.js';
import { findBrowser, findTools, slotsOf } from './tools.js';

export interface RecorderNodeSettings {
  /** By RECORDER_SLOTS; absent: by the machine. */
  readonly slots?: number;
  readonly allow: readonly string[];
  readonly chromiumPath?: string;
  readonly ffmpegPath?: string;
  /** Of the programs that are started; they are looked for in its PATH. */
  readonly environment: Readonly<Record<string, string>>;
  readonly size: { readonly width: number; readonly height: number };
  readonly host: string;
  readonly cluster: string;
  readonly node: string;
  ticket(args: RecordingArgs): { readonly name: string; readonly value: string };
  server(): Server;
  readonly clock: Clock;
  readonly log: Logger;
}

const FRAMES_PER_SECOND = 10;
/** What a node that is killed loses of a recording at most, beside the time until another goes on. */
const SEGMENT_SECONDS = 5;
const MEMORY_BYTES = 1.5 * 1024 ** 3;
const HEARTBEAT_MS = 1_000;
const DEADLINE_MS = 5_000;

/** What this node has for making recordings: programs, slots, an address of its own. */
export class RecorderNode {
  readonly ready: ReadyStudios;
  #studios: Studios | null = null;
  #slots = 0;
  #opened: Promise<void> | null = null;
  #addresses: Promise<Addresses> | null = null;
  readonly leftovers: Leftovers;

  constructor(private readonly settings: RecorderNodeSettings) {
    const { clock, log, cluster } = settings;
    this.ready = new ReadyStudios((args) => this.#openStudio(args), clock, log);
    this.leftovers = new Leftovers(cluster, {
      isOpen: (folder) => this.#studios?.isOpen(folder) ?? false,
      minds: (id) => this.#studios?.minds(id) ?? false,
    });
  }

  /** How many recordings this node makes at a time. */
  get slots(): number {
    return this.#slots;
  }

  get studios(): Studios | null {
    return this.#studios;
  }

  /**
   * Loads the library that drives browsers, where there may be one. Before this node joins: it takes a moment in which the
   * process does nothing else, and on a busy machine a node that is silent for so long is taken for dead.
   */
  async load(): Promise<void> {
    const { slots, chromiumPath, environment } = this.settings;
    if (slots === 0 || (chromiumPath ?? findBrowser(environment['PATH'] ?? '')) === undefined) return;
    await import('playwright-core');
  }

  /**
   * Removes what an earlier hub left on this machine, looks for the programs, and says what comes of it. Asked again it is the same
   * opening: whoever needs to know the slots waits for it.
   */
  open(): Promise<void> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async #open(): Promise<void> {
    const { settings } = this;
    const { log } = settings;
    const removed = await this.leftovers.cleanAll();
    if (removed > 0)
      log.warn({ removed }, 'browsers, encoders or folders of recordings were left over, and are removed');
    if (settings.slots === 0) return;
    const found = await findTools({ ...settings, path: settings.environment['PATH'] ?? '' });
    if ('missing' in found) {
      const level = settings.slots === undefined ? 'info' : 'warn';
      log[level]({ slots: 0 }, `this node makes no recordings: ${found.missing}`);
      return;
    }
    this.#studios = new Studios({
      ...{
        tools: found.tools,
        environment: settings.environment,
        cluster: settings.cluster,
        node: settings.node,
        size: settings.size,
      },
      ...{ clock: settings.clock, log, ticket: (args) => settings.ticket(args) },
      addresses: () => this.addresses(),
      framesPerSecond: FRAMES_PER_SECOND,
      segmentSeconds: SEGMENT_SECONDS,
      memoryBytes: MEMORY_BYTES,
      heartbeatMs: HEARTBEAT_MS,
      deadlineMs: DEADLINE_MS,
    });
    this.#slots = settings.slots ?? slotsOf();
    const by = settings.slots === undefined ? 'cores and memory' : 'RECORDER_SLOTS';
    log.info({ slots: this.#slots, by }, 'this node makes recordings');
    if (!this.#studios.sandbox) {
      log.warn(
        {},
        "this hub runs as root, so the recorder's browser has no sandbox: run it as another user to have one",
      );
    }
  }

  /** Resolves once this node listens: a recording may be taken over before. */
  addresses(): Promise<Addresses> {
    this.#addresses ??= this.#ownAddress().then((hub) => new Addresses(hub, this.settings.allow));
    return this.#addresses;
  }

  async close(): Promise<void> {
    await this.ready.close();
  }

  #openStudio(args: RecordingArgs) {
    if (!this.#studios) return Promise.reject(new Error('this node has no recorder'));
    return this.#studios.open(args);
  }

  async #ownAddress(): Promise<string> {
    const server = this.settings.server();
    if (!server.listening) await new Promise<void>((resolve) => server.once('listening', () => resolve()));
    const { port } = server.address() as AddressInfo;
    const { host } = this.settings;
    const own = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
    return new URL(`http://${own}:${port}`).origin;
  }
}
