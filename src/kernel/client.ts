import { PollcastError } from '../errors.js';
import { systemClock, type Clock } from './clock.js';
import { Commands, type ClusterCommands } from './commands.js';
import { nodeName, type NodeId } from './identity.js';
import type { Logger } from './log.js';
import { Mailbox } from './mailbox.js';
import type { KernelMessage } from './peers.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { NodeSighting } from './ports/store.js';

/** What a node that hangs may cost. */
const TELL_MS = 1_000;

/**
 * Speaks to a cluster's kernels without being one of its nodes: it is not announced, owns nothing, and nobody waits
 * for it when it goes. For operators' tools.
 *
 *     const client = await KernelClient.open(ports, log);
 *     await client.move('poller:sales.by_region');
 *     await client.close();
 */
export class KernelClient implements ClusterCommands {
  readonly #commands: Commands;

  private constructor(
    private readonly ports: ClusterPorts,
    private readonly mailbox: Mailbox,
    clock: Clock,
  ) {
    const { store, leases } = ports;
    this.#commands = new Commands({
      store,
      leases,
      clock,
      nodes: () => this.#living(),
      ask: (node, message) => this.#ask(node, message),
      look: () => this.#tellAll({ do: 'look' }),
    });
  }

  /** The ports are the client's from now on: `close` closes them. Rejects with `UNAVAILABLE`. */
  static async open(ports: ClusterPorts, log: Logger, clock: Clock = systemClock): Promise<KernelClient> {
    const nobody = (): Promise<never> => Promise.reject(new PollcastError('NOT_FOUND', 'this is no node'));
    const mailbox = new Mailbox(ports, { deliver: nobody, locate: () => Promise.resolve(null) }, clock, log);
    try {
      await mailbox.open();
      // By which it knows that those of others can be seen.
      await ports.bus.holdPulse(ports.node);
    } catch (error) {
      await ports.close();
      throw error;
    }
    return new KernelClient(ports, mailbox, clock);
  }

  stop(name: string): Promise<void> {
    return this.#commands.stop(name);
  }

  stopUnlessHeld(name: string): Promise<boolean> {
    return this.#commands.stopUnlessHeld(name);
  }

  move(name: string, to?: NodeId): Promise<NodeId> {
    return this.#commands.move(name, to);
  }

  cordon(node: string, cordoned = true): Promise<void> {
    return this.#commands.cordon(node, cordoned);
  }

  async close(): Promise<void> {
    await this.mailbox.close();
    await this.ports.close();
  }

  /** Announced, and with a pulse: one that hangs counts, and is found out by not answering. */
  async #living(): Promise<readonly NodeSighting[]> {
    const nodes = await this.ports.store.nodes();
    const counts = await this.ports.bus.pulses(nodes.map(({ id }) => id));
    return nodes.filter((_, i) => counts[i] !== 0);
  }

  async #ask(node: NodeId, message: KernelMessage): Promise<unknown> {
    try {
      return await this.mailbox.callNode(node, { to: 'kernel' }, message);
    } catch (error) {
      if (!(error instanceof PollcastError) || error.code !== 'UNAVAILABLE') throw error;
      throw new PollcastError('UNAVAILABLE', `${nodeName(node)} does not do it: ${error.message}`, error.details, {
        cause: error,
      });
    }
  }

  /** Waits for them: whoever asked is gone as soon as it is done, and with it what was not sent yet. */
  async #tellAll(message: KernelMessage): Promise<void> {
    const nodes = await this.#living().catch(() => []);
    const told = nodes.map(({ id }) => this.mailbox.callNode(id, { to: 'kernel' }, message, TELL_MS));
    await Promise.allSettled(told);
  }
}
