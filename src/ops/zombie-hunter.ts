import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { POLLER_KIND } from '../polling/names.js';
import type { ClusterCommands } from '../kernel/commands.js';
import { Survey, type SurveySettings } from './survey.js';
import type { OperatedFrames } from './tables.js';
import { findZombies, type Found, type Zombie } from './zombies.js';

/** Zombies of other things than the kernel's: files that no record names, browsers that no recording owns. */
export interface ZombieSource {
  find(): Promise<readonly Zombie[]>;
  /** Looks again and removes it if it is still one. `false`: it is none any more, or is left alone; says why. */
  clean(zombie: Zombie): Promise<{ removed: boolean; outcome: string }>;
}

/** What became of a zombie. `removed: false`: it was left alone, and `outcome` says why. */
export interface Cleaned extends Zombie {
  readonly removed: boolean;
  readonly outcome: string;
}

type Outcome = Pick<Cleaned, 'removed' | 'outcome'>;

const done = (outcome: string): Outcome => ({ removed: true, outcome });
const left = (outcome: string): Outcome => ({ removed: false, outcome });

/** A dead node's presence goes first: it may be all that keeps a process of a dead owner. */
const ORDER = ['dead-presence', 'dead-owner', 'lost-lease', 'orphan-lease', 'unwatched-poller'] as const;

/**
 * Finds zombies, and removes them.
 *
 * Cleaning never trusts what was found: before each kind it surveys the cluster again, and goes on only with what is
 * still the same zombie. The removal itself is one operation of the store or the leases that compares: a record by its
 * fence, a lease by its very value, a poller by its having no holds, a node by its incarnation. So a process that was
 * taken over, a viewer that came back, a node that returned in between are left alone, two cleaners do not disturb
 * each other, and a second time finds nothing to do. What has a living owner is only ever ended by that owner.
 */
export class ZombieHunter {
  readonly #firstSeen = new Map<string, number>();

  constructor(
    private readonly ports: ClusterPorts,
    private readonly commands: Pick<ClusterCommands, 'stopUnlessHeld'>,
    private readonly frames: Pick<OperatedFrames, 'drop'>,
    private readonly settings: SurveySettings,
    private readonly sources: Iterable<ZombieSource> = [],
  ) {}

  async find(): Promise<Zombie[]> {
    const survey = await Survey.thorough(this.ports, this.settings);
    const others = await Promise.all([...this.sources].map((source) => source.find()));
    return this.#aged([...findZombies(survey), ...others.flat()], survey.last.at);
  }

  /** Resolves with all that were found, and what became of each. */
  async clean(): Promise<Cleaned[]> {
    const survey = await Survey.thorough(this.ports, this.settings);
    const zombies = findZombies(survey);
    const others = await Promise.all(
      [...this.sources].map(async (source) => (await source.find()).map((zombie) => ({ source, zombie }))),
    );
    const all = [...zombies, ...others.flat().map(({ zombie }) => zombie)];
    const outcomes = new Map<Zombie, Outcome>();
    for (const kind of ORDER) {
      const found = zombies.filter((zombie) => zombie.kind === kind);
      if (found.length === 0) continue;
      const again = await Survey.thorough(this.ports, this.settings);
      const still = findZombies(again);
      for (const zombie of found) {
        const now = still.find((other) => isSame(zombie, other));
        outcomes.set(zombie, now ? await this.#remove(now, again) : done('it is none any more'));
      }
    }
    for (const { source, zombie } of others.flat()) outcomes.set(zombie, await source.clean(zombie));
    const aged = this.#aged(all, survey.last.at);
    return all.map((zombie, i) => ({ ...(aged[i] as Zombie), ...(outcomes.get(zombie) as Outcome) }));
  }

  #remove(zombie: Found, survey: Survey): Promise<Outcome> | Outcome {
    switch (zombie.kind) {
      case 'dead-presence':
        return this.#bury(zombie);
      case 'dead-owner':
        return this.#releaseFromDead(zombie, survey);
      case 'lost-lease':
        return this.#releaseFromLiving(zombie, survey);
      case 'orphan-lease':
        return this.#removeLease(zombie, survey);
      case 'unwatched-poller':
        return this.#endPoller(zombie, survey);
      default:
        return left('it is not for the cluster to remove');
    }
  }

  /** A node's id is that of one incarnation: one that comes back meanwhile finds itself buried and joins again. */
  async #bury({ id, node }: Found): Promise<Outcome> {
    await this.ports.store.bury(id ?? '');
    return done(`all presence of ${node} removed`);
  }

  async #releaseFromDead({ name, id, record, lease }: Found, survey: Survey): Promise<Outcome> {
    if (lease && lease.node !== id && !survey.isDead(lease.node)) return left('somebody is taking it over');
    // A hanging owner that wakes up believes in its lease until it has run out.
    if (lease && !survey.isGone(lease.node))
      return left(`its owner may wake up; its lease ends in ${Math.round(lease.leftMs)} ms`);
    if (lease && !(await this.ports.leases.remove(name, lease.value))) return left('its lease has changed hands');
    const fence = record?.fence ?? 0;
    if (record?.kind === POLLER_KIND && (await this.#retire(name, fence))) return done('removed: nobody watches it');
    if (await this.ports.store.disown(name, fence))
      return done('given back without an owner, for a living node to run on');
    return left('it has another owner now');
  }

  /** Its owner can never renew this lease again, and knows: under the fence that it has, the name can be given back. */
  async #releaseFromLiving({ name, record, lease }: Found, survey: Survey): Promise<Outcome> {
    if (lease && !survey.isGone(lease.node)) return left('somebody is taking it over');
    if (lease && !(await this.ports.leases.remove(name, lease.value))) return left('its lease has changed hands');
    if (await this.ports.store.disown(name, record?.fence ?? 0))
      return done('given back without an owner, to be started anew');
    return left('it has another owner now');
  }

  async #removeLease({ name, node, lease }: Found, survey: Survey): Promise<Outcome> {
    if (!lease) return left('the lease has run out');
    // Be it a leak of that node: it is its own business, or ends with the lease.
    if (!survey.isGone(lease.node)) return left(`${node} may still renew it; it ends with the lease`);
    return (await this.ports.leases.remove(name, lease.value))
      ? done('lease removed')
      : left('the lease has changed hands');
  }

  async #endPoller({ name, id, record, lease }: Found, survey: Survey): Promise<Outcome> {
    if (id !== null) {
      return (await this.commands.stopUnlessHeld(name)) ? done('ended by its owner') : left('it is watched again');
    }
    if (lease && !survey.isGone(lease.node)) return left('somebody is starting it');
    if (await this.#retire(name, record?.fence ?? 0)) return done('removed');
    return left('it is watched again');
  }

  /** Ends a poller that has no owner to do it, unless somebody holds it, and what it published. */
  async #retire(name: string, fence: number): Promise<boolean> {
    const retired = await this.ports.store.retire(name, fence);
    if (retired) await this.frames.drop(name, fence);
    return retired;
  }

  /** Ages of what cannot tell its own count from when it was first seen here. */
  #aged<T extends Zombie>(zombies: readonly T[], at: number): Zombie[] {
    const keys = zombies.map(keyOf);
    for (const key of this.#firstSeen.keys()) if (!keys.includes(key)) this.#firstSeen.delete(key);
    return zombies.map(({ kind, name, node, ageMs, evidence }, i) => {
      const key = keys[i] as string;
      const since = Math.min(this.#firstSeen.get(key) ?? at, at - ageMs);
      this.#firstSeen.set(key, since);
      return { kind, name, node, ageMs: Math.round(at - since), evidence };
    });
  }
}

function isSame(a: Found, b: Found): boolean {
  return keyOf(a) === keyOf(b) && a.id === b.id && a.record?.fence === b.record?.fence;
}

function keyOf({ kind, name, node }: Zombie): string {
  return JSON.stringify([kind, name, node]);
}
