import type { Timer } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';

export interface CutOffSettings {
  /** How long the line may be down before this node counts as cut off: a dropped connection is back long before. */
  readonly graceMs: number;
  /** How often it is looked whether the cluster answers again. */
  readonly probeMs: number;
}

export interface CutOffParts {
  readonly ports: Pick<ClusterPorts, 'bus' | 'store'>;
  readonly kernel: Pick<Kernel, 'on' | 'clock'>;
  readonly settings: CutOffSettings;
}

/**
 * Whether this node is cut off from its cluster (Redis is away, hangs, or cannot be reached from here) and must do with
 * itself. One verdict for all of the node: what is asked for the cluster pauses in the same moment in which
 * the node begins to ask for its own viewers, so that nothing is asked twice.
 *
 * A line that is down is back within the grace, or else the node is away. A line that stands while commands fail may be a
 * Redis that hangs: that has taken a command's time-out already, and one more failure is proof.
 */
export class CutOff {
  readonly #listeners = new Set<(away: boolean) => void>();
  readonly #unlisten: (() => void)[];
  #waiting: (() => void)[] = [];
  #away = false;
  #suspect = false;
  #probing = false;
  #timer: Timer | null = null;
  #closed = false;

  constructor(private readonly parts: CutOffParts) {
    const { ports, kernel } = parts;
    this.#unlisten = [ports.bus.onLink((up) => this.#heard(up)), kernel.on('link', ({ up }) => this.#heard(up))];
  }

  get away(): boolean {
    return this.#away;
  }

  /** Resolves when it is clear whether the node is away: at once, but in the grace of a line that has just gone down. */
  verdict(): Promise<void> {
    if (!this.#suspect) return Promise.resolve();
    return new Promise((known) => this.#waiting.push(known));
  }

  onChange(listen: (away: boolean) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#unlisten) stop();
    this.#timer?.cancel();
    this.#decide(this.#away);
    this.#listeners.clear();
  }

  #heard(up: boolean): void {
    if (this.#closed) return;
    if (up) {
      if (this.#away || this.#suspect) this.#lookIn(0);
    } else if (!this.#away && !this.#suspect) {
      this.#suspect = true;
      this.#lookIn(this.parts.ports.bus.up ? 0 : this.parts.settings.graceMs);
    }
  }

  #lookIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.parts.kernel.clock.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    // The look under way may have begun before what made us look again: it is repeated in a moment.
    if (!this.#probing) {
      this.#probing = true;
      const answers = await this.#answers();
      this.#probing = false;
      if (this.#closed) return;
      this.#decide(!answers);
    }
    if (this.#away) this.#lookIn(this.parts.settings.probeMs);
  }

  async #answers(): Promise<boolean> {
    const { bus, store } = this.parts.ports;
    if (!bus.up) return false;
    try {
      await store.time();
      return bus.up;
    } catch {
      return false;
    }
  }

  #decide(away: boolean): void {
    this.#suspect = false;
    if (away !== this.#away) {
      this.#away = away;
      for (const listen of [...this.#listeners]) listen(away);
    }
    for (const known of this.#waiting.splice(0)) known();
  }
}
