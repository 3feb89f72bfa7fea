import type { Logger } from '../../src/kernel/log.js';
import { MemoryHistory } from '../../src/rooms/history/memory.js';
import { historyWriterKind } from '../../src/rooms/history/writer.js';
import { ROOM_LIMITS, type RoomLimits } from '../../src/rooms/limits.js';
import type { RoomViewer } from '../../src/rooms/local-room.js';
import { Offenders } from '../../src/rooms/offenders.js';
import { RoomHub } from '../../src/rooms/room-hub.js';
import { roomKind } from '../../src/rooms/room-kind.js';
import type { RoomParts, RoomSnapshot } from '../../src/rooms/room.js';
import type { RoomEvent } from '../../src/rooms/room-state.js';
import { MemoryRooms } from '../../src/rooms/store/memory.js';
import type { JsonObject } from '../../src/merge-patch.js';
import { VirtualCluster, type VirtualNode } from '../kernel/virtual-cluster.js';

export const MEMBER_LINGER_MS = 2_500;
export const LINGER_MS = 5_000;
export const KEEP_MS = 60_000;

/** Rooms whose writes wait, or fail, while a test says so. */
export class GatedRooms extends MemoryRooms {
  gate: Promise<unknown> | null = null;

  override async commit(...args: Parameters<MemoryRooms['commit']>): Promise<boolean> {
    while (this.gate) await this.gate;
    return super.commit(...args);
  }
}

export interface RoomNode extends VirtualNode {
  readonly hub: RoomHub;
}

/** A window on a room, as a gateway makes it, with what it was told. */
export class Window implements RoomViewer {
  readonly events: RoomEvent[] = [];
  /** Rooms that are counted for it. */
  seated = 0;
  readonly seats = { open: () => void (this.seated += 1), close: () => void (this.seated -= 1) };
  view: RoomSnapshot | null = null;

  constructor(
    private readonly bench: RoomBench,
    readonly node: RoomNode,
    readonly room: string,
    readonly user: string,
    readonly id: string,
    public name = user,
  ) {}

  tell(event: RoomEvent): void {
    this.events.push(event);
  }

  join(): Promise<void> {
    return this.bench.cluster.within(this.node.hub.join(this.room, this, (view) => (this.view = view)));
  }

  async leave(): Promise<void> {
    await this.bench.cluster.within(this.node.hub.leave(this.room, this));
  }

  /** Its connection is lost. */
  lose(): void {
    this.node.hub.leaveAll(this.id);
  }

  /** On what it has seen, unless told otherwise. */
  change(patch: JsonObject, version = this.version): Promise<{ version: number }> {
    const message = { do: 'change', version, patch, by: this.user } as const;
    return this.bench.cluster.within(this.node.hub.ask(this.room, this.id, message));
  }

  status(status: string): Promise<{ version: number }> {
    const message = { do: 'status', status, by: this.user } as const;
    return this.bench.cluster.within(this.node.hub.ask(this.room, this.id, message));
  }

  get version(): number {
    return this.events.at(-1)?.version ?? this.view?.version ?? 0;
  }

  /** Users that it saw come and go, as `+ada` and `-ada`. */
  get comings(): string[] {
    return this.events.flatMap(({ joins = [], leaves = [] }) => [
      ...joins.map(({ user }) => `+${user}`),
      ...leaves.map((user) => `-${user}`),
    ]);
  }

  /** Whether each event that it was told follows on the one before. */
  get isGapless(): boolean {
    return this.events.every(({ version }, i) => i === 0 || version === (this.events[i - 1]?.version ?? 0) + 1);
  }
}

/** Rooms on the nodes of a cluster in virtual time, on one store. */
export class RoomBench {
  readonly cluster: VirtualCluster;
  readonly store: GatedRooms;
  readonly past = new MemoryHistory();
  readonly errors: { fields: Record<string, unknown>; text: string }[] = [];
  refused = 0;
  #windows = 0;

  constructor(
    private readonly options: { readonly fold?: RoomParts['fold']; readonly limits?: Partial<RoomLimits> } = {},
  ) {
    const log: Logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (fields, text) => void this.errors.push({ fields: { ...fields }, text }),
    };
    this.cluster = new VirtualCluster(log);
    this.store = new GatedRooms(this.cluster.time.clock());
  }

  async node(name: string): Promise<RoomNode> {
    const { store, cluster, options } = this;
    const { fold, limits } = options;
    const kind = roomKind({
      store,
      offenders: new Offenders(),
      metrics: { committed: () => undefined, refusedAsCrashing: () => void (this.refused += 1) },
      settings: {
        memberLingerMs: MEMBER_LINGER_MS,
        lingerMs: LINGER_MS,
        keepMs: KEEP_MS,
        limits: { ...ROOM_LIMITS, ...limits },
      },
      ...(fold && { fold }),
    });
    const retention = { maxAgeMs: 1e9, maxEvents: 1e6 };
    const history = () => Promise.resolve(this.past);
    const writer = historyWriterKind({ store, history, retention });
    const node = await cluster.node(name, [kind, writer]);
    return Object.assign(node, {
      hub: new RoomHub({ kernel: node.kernel, store, history: { get: history }, log: cluster.log }),
    });
  }

  async enter(node: RoomNode, room: string, user: string): Promise<Window> {
    const window = this.window(node, room, user);
    await window.join();
    return window;
  }

  window(node: RoomNode, room: string, user: string): Window {
    return new Window(this, node, room, user, `window-${(this.#windows += 1)}`);
  }

  /** Names of processes that run, on nodes that are alive. */
  get running(): string[] {
    return this.cluster.nodes
      .filter(({ clock }) => !clock.paused)
      .flatMap(({ kernel }) => kernel.owned().map(({ name }) => name))
      .sort();
  }

  crashes(node: RoomNode): string[] {
    return node.events.flatMap(({ name, event }) =>
      name === 'process:crashed' ? [(event as unknown as { name: string }).name] : [],
    );
  }

  async close(): Promise<void> {
    for (const node of this.cluster.nodes as RoomNode[]) if (!node.clock.paused) await node.hub.close();
    await this.cluster.close();
  }
}
