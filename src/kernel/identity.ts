import { randomBytes } from 'node:crypto';

/**
 * One incarnation of a node: `<name>~<incarnation>`. The name is what people see and may come back after a restart;
 * the id never does, so what a dead incarnation left behind is never mistaken for its successor's.
 */
export type NodeId = string;

const SEPARATOR = '~';

export function newNodeId(name: string): NodeId {
  return `${name}${SEPARATOR}${Date.now().toString(36)}${randomBytes(4).toString('hex')}`;
}

export function nodeName(id: NodeId): string {
  const at = id.lastIndexOf(SEPARATOR);
  return at < 0 ? id : id.slice(0, at);
}

/** A lease's value: the owner, then what makes this grant unlike any other. */
export function newLeaseValue(owner: NodeId): string {
  return `${owner}#${randomBytes(9).toString('base64url')}`;
}

export function leaseOwner(value: string): NodeId {
  const at = value.lastIndexOf('#');
  return at < 0 ? value : value.slice(0, at);
}
