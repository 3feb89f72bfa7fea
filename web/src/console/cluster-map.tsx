import { useRef } from 'react';
import { formatAge } from '../format.js';
import { useReordering } from '../hooks/motion.js';
import { useNow } from '../hooks/page-life.js';
import { ActionButton } from './action-button.js';
import { admin, segment } from './admin.js';
import type { NodeRow, ProcessRow } from './types.js';

/** Chips beyond this many on a node are told as a number. */
const CHIPS = 60;

interface ClusterMapProps {
  readonly nodes: readonly NodeRow[];
  readonly processes: readonly ProcessRow[];
}

/** Who owns what: a card for each node, a chip for each process; what nobody owns stands apart. */
export function ClusterMap({ nodes, processes }: ClusterMapProps) {
  const homeless = processes.filter(({ node }) => !nodes.some(({ name }) => name === node));
  return (
    <div className="cluster-map">
      {nodes.map((node) => (
        <NodeCard key={node.name} node={node} processes={processes.filter((process) => process.node === node.name)} />
      ))}
      {homeless.length > 0 && (
        <section className="node-card" data-state="dead" aria-label="Processes without a node">
          <h3>Without a node</h3>
          <Chips processes={homeless} />
        </section>
      )}
    </div>
  );
}

function NodeCard({ node, processes }: { readonly node: NodeRow; readonly processes: readonly ProcessRow[] }) {
  const { name, version, startedAt, state, viewers, slots } = node;
  const cordoned = state === 'cordoned';
  const now = useNow();
  return (
    <section className="node-card" data-state={state} aria-labelledby={`node-${name}`}>
      <header>
        <h3 id={`node-${name}`}>{name}</h3>
        <span className="node-state" data-state={state}>
          {state}
        </span>
      </header>
      <dl className="facts">
        <Fact label="Processes" value={String(processes.length)} />
        <Fact label="Viewers" value={String(viewers)} />
        <Fact label="Slots" value={String(slots)} />
        <Fact label="Up" value={formatAge(now - startedAt)} />
        <Fact label="Version" value={version} />
      </dl>
      <Chips processes={processes} />
      {(state === 'live' || cordoned) && (
        <ActionButton
          label={cordoned ? 'Uncordon' : 'Cordon'}
          what={name}
          run={() => admin('POST', `nodes/${segment(name)}/${cordoned ? 'uncordon' : 'cordon'}`)}
        />
      )}
    </section>
  );
}

function Chips({ processes }: { readonly processes: readonly ProcessRow[] }) {
  const list = useRef<HTMLUListElement>(null);
  const shown = processes.slice(0, CHIPS);
  useReordering(list, shown.map(({ name }) => name).join());
  return (
    <ul className="process-chips" ref={list}>
      {shown.map(({ name, kind, state, fence }) => (
        <li key={name} data-id={name} data-kind={kind} data-state={state} title={`${name}, ${state}, fence ${fence}`}>
          {name.startsWith(`${kind}:`) ? name.slice(kind.length + 1) : name}
        </li>
      ))}
      {processes.length > CHIPS && <li className="more">and {processes.length - CHIPS} more</li>}
    </ul>
  );
}

function Fact({ label, value }: { readonly label: string; readonly value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
