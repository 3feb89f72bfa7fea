import { useState, type ReactNode } from 'react';
import { useTopic } from '../../../client/react.js';
import { PageHeader } from '../components/page-header.js';
import { keepToken } from './admin.js';
import { ClusterMap } from './cluster-map.js';
import { EventsTable, ProcessesTable, TopicsTable, ViewersTable, ZombiesTable } from './tables.js';
import type { EventRow, NodeRow, ProcessRow, TopicRow, ViewerRow, ZombieRow } from './types.js';

/** Kinds of process that have a list of their own; the others are in the map and among the processes. */
const WORK = [
  { kind: 'export', title: 'Exports', empty: 'No file is being made.' },
  { kind: 'room', title: 'Rooms', empty: 'No room is open.' },
  { kind: 'recording', title: 'Recordings', empty: 'Nothing is being recorded.' },
] as const;

/** Everything that is alive in the cluster. Its tables are topics of the hub: they cost nothing while nobody looks. */
export function Console() {
  const nodes = useTopic<NodeRow>('pollcast.nodes');
  const processes = useTopic<ProcessRow>('pollcast.processes');
  const topics = useTopic<TopicRow>('pollcast.topics');
  const viewers = useTopic<ViewerRow>('pollcast.viewers');
  const zombies = useTopic<ZombieRow>('pollcast.zombies');
  const events = useTopic<EventRow>('pollcast.events');
  const refused = nodes.error?.code === 'FORBIDDEN' || nodes.error?.code === 'UNAUTHENTICATED';
  return (
    <>
      <a className="skip" href="#content">
        Skip to the console
      </a>
      <PageHeader />
      <main className="page-main console" id="content" tabIndex={-1}>
        <h1 className="unseen">Console</h1>
        {refused ? (
          <TokenForm />
        ) : (
          <>
            <Section id="cluster" title="Cluster" count={nodes.rows?.length} ready={nodes.rows !== undefined}>
              <ClusterMap nodes={nodes.rows ?? []} processes={processes.rows ?? []} />
            </Section>
            <Section id="topics" title="Topics" count={topics.rows?.length} ready={topics.rows !== undefined}>
              <TopicsTable rows={topics.rows ?? []} />
            </Section>
            <Section
              id="processes"
              title="Processes"
              count={processes.rows?.length}
              ready={processes.rows !== undefined}
            >
              <ProcessesTable rows={processes.rows ?? []} />
            </Section>
            {WORK.map(({ kind, title, empty }) => (
              <Work key={kind} title={title} empty={empty} rows={processes.rows?.filter((row) => row.kind === kind)} />
            ))}
            <Section id="viewers" title="Viewers" count={viewers.rows?.length} ready={viewers.rows !== undefined}>
              <ViewersTable rows={viewers.rows ?? []} />
            </Section>
            <Section id="zombies" title="Zombies" count={zombies.rows?.length} ready={zombies.rows !== undefined}>
              <ZombiesTable rows={zombies.rows ?? []} />
            </Section>
            <Section id="events" title="Kernel events" ready={events.rows !== undefined}>
              <EventsTable rows={events.rows ?? []} />
            </Section>
          </>
        )}
      </main>
    </>
  );
}

function Work(props: {
  readonly title: string;
  readonly empty: string;
  readonly rows: readonly ProcessRow[] | undefined;
}) {
  const { title, empty, rows } = props;
  return (
    <Section id={title.toLowerCase()} title={title} count={rows?.length} ready={rows !== undefined}>
      {rows?.length === 0 ? <p className="empty">{empty}</p> : <ProcessesTable rows={rows ?? []} />}
    </Section>
  );
}

interface SectionProps {
  readonly id: string;
  readonly title: string;
  readonly count?: number | undefined;
  readonly ready: boolean;
  readonly children: ReactNode;
}

function Section({ id, title, count, ready, children }: SectionProps) {
  return (
    <section className="console-section" id={id} aria-labelledby={`${id}-title`} aria-busy={!ready}>
      <h2 id={`${id}-title`}>
        {title}
        {count !== undefined && <span className="count">{count}</span>}
      </h2>
      {ready ? children : <p className="empty">Loading</p>}
    </section>
  );
}

function TokenForm() {
  const [token, setToken] = useState('');
  return (
    <form
      className="notice token-form"
      onSubmit={(event) => {
        event.preventDefault();
        keepToken(token.trim());
        location.reload();
      }}
    >
      <h2>The console is for administrators</h2>
      <p>Give the hub's ADMIN_TOKEN, or a token with the role admin. It is kept for this tab only.</p>
      <label htmlFor="admin-token">Token</label>
      <input
        id="admin-token"
        type="password"
        autoComplete="off"
        required
        value={token}
        onChange={(event) => setToken(event.target.value)}
      />
      <button type="submit" className="quiet-button">
        Open the console
      </button>
    </form>
  );
}
