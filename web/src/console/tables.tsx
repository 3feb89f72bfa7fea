import { useState } from 'react';
import { formatAge, formatClock, formatNumber, NOTHING } from '../format.js';
import { useNow } from '../hooks/page-life.js';
import { ActionButton } from './action-button.js';
import { admin, segment } from './admin.js';
import { Table, type Column } from './table.js';
import type { EventRow, ProcessRow, TopicRow, ViewerRow, ZombieRow } from './types.js';

const number = (value: number | null, unit = ''): string =>
  value === null ? NOTHING : `${formatNumber(value)}${unit}`;

export function TopicsTable({ rows }: { readonly rows: readonly TopicRow[] }) {
  const columns: Column<TopicRow>[] = [
    { label: 'Topic', cell: ({ name, file }) => <span title={file}>{name}</span> },
    { label: 'Viewers', numeric: true, cell: ({ viewers }) => number(viewers) },
    { label: 'Channels', numeric: true, cell: ({ channels }) => number(channels) },
    { label: 'Query', numeric: true, cell: ({ queryMs }) => number(queryMs, ' ms') },
    { label: 'Polls/s', numeric: true, wideOnly: true, cell: ({ pollsPerSecond }) => number(pollsPerSecond) },
    { label: 'Changes/s', numeric: true, wideOnly: true, cell: ({ changesPerSecond }) => number(changesPerSecond) },
    {
      label: 'Frame',
      numeric: true,
      wideOnly: true,
      cell: ({ frameBytes }) => number(frameBytes && Math.round(frameBytes), ' B'),
    },
    {
      label: 'Pace',
      wideOnly: true,
      cell: ({ interval, stretch }) =>
        stretch > 1 ? <span className="tone" data-tone="warn">{`${interval} × ${stretch}`}</span> : interval,
    },
    {
      label: 'Last error',
      cell: ({ error, failed }) =>
        error === null ? (
          NOTHING
        ) : (
          <span className="tone" data-tone={failed > 0 ? 'bad' : 'plain'}>
            {error}
          </span>
        ),
    },
    { label: 'Plan', cell: ({ name, sql }) => (sql ? <Explain topic={name} /> : NOTHING) },
  ];
  return (
    <Table
      caption="Topics"
      rows={rows}
      id={({ name }) => name}
      columns={columns}
      text={({ name, title }) => `${name} ${title}`.toLowerCase()}
      empty="No topics."
    />
  );
}

function Explain({ topic }: { readonly topic: string }) {
  const [plan, setPlan] = useState<string>();
  if (plan !== undefined) {
    return (
      <div className="plan">
        <button type="button" className="quiet-button" onClick={() => setPlan(undefined)}>
          Close
        </button>
        <pre tabIndex={0} aria-label={`Plan of ${topic}`}>
          {plan}
        </pre>
      </div>
    );
  }
  const ask = async (): Promise<void> => {
    const answer = await admin<{ plan: string }>('POST', `topics/${segment(topic)}/explain`);
    setPlan(answer.plan);
  };
  return <ActionButton label="Explain" what={topic} run={ask} />;
}

export function ProcessesTable({ rows }: { readonly rows: readonly ProcessRow[] }) {
  const now = useNow();
  const columns: Column<ProcessRow>[] = [
    { label: 'Process', cell: ({ name }) => name },
    { label: 'Node', cell: ({ node }) => node ?? NOTHING },
    {
      label: 'State',
      cell: ({ state }) => (
        <span className="tone" data-tone={toneOf(state)}>
          {state}
        </span>
      ),
    },
    { label: 'Fence', numeric: true, wideOnly: true, cell: ({ fence }) => String(fence) },
    { label: 'Since', numeric: true, wideOnly: true, cell: ({ since }) => formatAge(now - since) },
    { label: 'Restarts', numeric: true, cell: ({ restarts }) => number(restarts) },
    { label: 'Lease', numeric: true, wideOnly: true, cell: ({ leaseLeftMs }) => number(leaseLeftMs, ' ms') },
    { label: 'Last error', cell: ({ error }) => error ?? NOTHING },
    {
      label: 'Do',
      cell: ({ name }) => (
        <>
          <ActionButton label="Move" what={name} run={() => admin('POST', `processes/${segment(name)}/move`)} />
          <ActionButton label="Stop" what={name} grave run={() => admin('DELETE', `processes/${segment(name)}`)} />
        </>
      ),
    },
  ];
  return (
    <Table
      caption="Processes"
      rows={rows}
      id={({ name }) => name}
      columns={columns}
      text={({ name, node, state }) => `${name} ${node} ${state}`.toLowerCase()}
      empty="No process runs: nobody watches anything."
    />
  );
}

function toneOf(state: string): string {
  if (state === 'running') return 'good';
  return state === 'failed' || state === 'orphaned' ? 'bad' : 'warn';
}

export function ViewersTable({ rows }: { readonly rows: readonly ViewerRow[] }) {
  const now = useNow();
  const ago = (at: number | null): string => (at === null ? NOTHING : formatAge(now - at));
  const columns: Column<ViewerRow>[] = [
    { label: 'Channel', cell: ({ channel }) => channel },
    { label: 'Viewers', numeric: true, cell: ({ viewers }) => number(viewers) },
    {
      label: 'On',
      wideOnly: true,
      cell: ({ nodes }) =>
        Object.entries(nodes)
          .map(([node, n]) => `${node} ${n}`)
          .join(', '),
    },
    { label: 'Frame', numeric: true, wideOnly: true, cell: ({ seq }) => number(seq) },
    { label: 'Changed', numeric: true, cell: ({ changedAt }) => ago(changedAt) },
    { label: 'Polled', numeric: true, cell: ({ polledAt }) => ago(polledAt) },
    {
      label: 'State',
      cell: ({ state }) => (
        <span className="tone" data-tone={state === 'live' ? 'good' : 'warn'}>
          {state ?? NOTHING}
        </span>
      ),
    },
  ];
  return (
    <Table
      caption="Viewers"
      rows={rows}
      id={({ channel }) => channel}
      columns={columns}
      text={({ channel }) => channel.toLowerCase()}
      empty="Nobody watches."
    />
  );
}

export function ZombiesTable({ rows }: { readonly rows: readonly ZombieRow[] }) {
  const columns: Column<ZombieRow>[] = [
    { label: 'Kind', cell: ({ kind }) => kind },
    { label: 'Name', cell: ({ name }) => name },
    { label: 'Node', cell: ({ node }) => node ?? NOTHING },
    { label: 'Age', numeric: true, cell: ({ ageMs }) => formatAge(ageMs) },
    { label: 'Evidence', cell: ({ evidence }) => evidence },
  ];
  return (
    <>
      <Table
        caption="Zombies"
        rows={rows}
        id={({ kind, name, node }) => `${kind} ${name} ${node}`}
        columns={columns}
        empty="None: everything that exists should exist."
      />
      {rows.length > 0 && (
        <ActionButton label="Clean" what="all zombies" grave run={() => admin('POST', 'zombies/clean')} />
      )}
    </>
  );
}

export function EventsTable({ rows }: { readonly rows: readonly EventRow[] }) {
  const columns: Column<EventRow>[] = [
    { label: 'Time', numeric: true, cell: ({ at }) => formatClock(at) },
    { label: 'Node', cell: ({ node }) => node },
    { label: 'Event', cell: ({ event }) => event },
    { label: 'About', cell: ({ about }) => about },
    { label: 'Detail', wideOnly: true, cell: ({ detail }) => detail },
  ];
  return (
    <Table
      caption="Kernel events"
      rows={rows}
      id={({ id }) => id}
      columns={columns}
      text={({ node, event, about }) => `${node} ${event} ${about}`.toLowerCase()}
      empty="Nothing has happened yet."
    />
  );
}
