import { PollcastError } from '../errors.js';
import type { Identity } from './identity.js';

/** The part of a topic that decides who may watch it. */
export interface GuardedTopic {
  readonly name: string;
  /** Empty: anyone who is let in. */
  readonly roles: readonly string[];
}

/** One of the topic's roles is enough. The role `admin` opens the admin API, not the data: a topic names it or not. */
export function mayWatch(identity: Pick<Identity, 'roles'>, topic: GuardedTopic): boolean {
  return topic.roles.length === 0 || topic.roles.some((role) => identity.roles.includes(role));
}

/** @throws PollcastError `FORBIDDEN` */
export function assertMayWatch(identity: Pick<Identity, 'roles'>, topic: GuardedTopic): void {
  if (mayWatch(identity, topic)) return;
  const needed = topic.roles.length === 1 ? `the role ${topic.roles[0]}` : `one of the roles ${topic.roles.join(', ')}`;
  throw new PollcastError('FORBIDDEN', `Watching ${topic.name} needs ${needed}, which this user does not have.`);
}
