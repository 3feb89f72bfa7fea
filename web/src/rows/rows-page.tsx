import { useEffect, useId, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { useTopic } from '../../../client/react.js';
import { PageHeader } from '../components/page-header.js';
import { Pulse } from '../components/pulse.js';
import { Spark } from '../components/spark.js';
import { TimeChart } from '../components/time-chart.js';
import { Table } from '../console/table.js';
import type { Column } from '../dashboard.js';
import { formatNumber, NOTHING, type Format } from '../format.js';
import { momentOf, ratesOf, withMoment, type Moment, type WorkerRates, type WorkerRow } from './figures.js';

interface Watched {
  readonly rates: readonly WorkerRates[];
  readonly past: readonly Moment[];
}

const NOTHING_YET: Watched = { rates: [], past: [] };

/** The rates between each two looks, kept for as long as the page is open. */
function useRates(rows: readonly WorkerRow[] | undefined, updatedAt: number | undefined): Watched {
  const before = useRef<readonly WorkerRow[]>(undefined);
  const [watched, setWatched] = useState(NOTHING_YET);
  useEffect(() => {
    if (rows === undefined || updatedAt === undefined) return;
    const last = before.current;
    before.current = rows;
    const rates = ratesOf(last ?? [], rows);
    // The first look has no rates: it would be a fall to nothing at the begin of each line.
    setWatched(({ past }) => ({ rates, past: last ? withMoment(past, momentOf(rates, updatedAt)) : past }));
  }, [rows, updatedAt]);
  return watched;
}

/** What all row workers of the cluster do: `pollcast.rows`, which costs nothing while nobody looks. */
export function RowsPage() {
  const { rows, error, updatedAt } = useTopic<WorkerRow>('pollcast.rows');
  const { rates, past } = useRates(rows, updatedAt);
  const now = past.at(-1);
  return (
    <>
      <a className="skip" href="#content">
        Skip to the row workers
      </a>
      <PageHeader />
      <main className="page-main rows-page" id="content" tabIndex={-1} aria-busy={rows === undefined && !error}>
        <h1 className="unseen">Row workers</h1>
        {error ? (
          <Refused code={error.code} />
        ) : (
          <>
            <Headlines past={past} now={now} />
            <section className="section" aria-labelledby="rows-past">
              <h2 className="unseen" id="rows-past">
                Over the last two minutes
              </h2>
              <div className="panels">
                <ChartPanel title="Processes" past={past} values={PROCESSES} mark="area" />
                <ChartPanel title="Steps per second" past={past} values={STEPS} mark="area" />
                <ChartPanel title="Lateness, ms" past={past} values={LATENESS} mark="lines" />
                <ChartPanel title="CPU of the nodes, per cent of a core" past={past} values={CPU} mark="area" />
              </div>
            </section>
            <section className="section" aria-labelledby="rows-nodes">
              <h2 id="rows-nodes">Workers and nodes</h2>
              <WorkersTable rates={rates} />
            </section>
          </>
        )}
      </main>
    </>
  );
}

const PROCESSES: readonly Column[] = [{ name: 'processes', label: 'Rows with a process', format: 'whole', hue: 1 }];
const STEPS: readonly Column[] = [{ name: 'steps', label: 'Steps', format: 'whole', hue: 3 }];
const LATENESS: readonly Column[] = [
  { name: 'late_p50', label: 'Median', format: 'milliseconds', hue: 1 },
  { name: 'late_p95', label: '95 of 100', format: 'milliseconds', hue: 2 },
  { name: 'late_max', label: 'Latest', format: 'milliseconds', hue: 4 },
];
const CPU: readonly Column[] = [{ name: 'cpu', label: 'All nodes', format: 'percent', hue: 5 }];

interface Tile {
  readonly label: string;
  readonly unit: string;
  readonly name: 'processes' | 'steps' | 'statements' | 'late_p95' | 'cpu' | 'memory';
  readonly format: Format;
}

const TILES: readonly Tile[] = [
  { label: 'Processes', unit: 'rows', name: 'processes', format: 'whole' },
  { label: 'Steps', unit: 'per second', name: 'steps', format: 'whole' },
  { label: 'Statements', unit: 'per second', name: 'statements', format: 'whole' },
  { label: 'Lateness', unit: 'ms, 95 of 100', name: 'late_p95', format: 'whole' },
  { label: 'CPU', unit: '% of a core', name: 'cpu', format: 'whole' },
  { label: 'Memory', unit: 'MB resident', name: 'memory', format: 'whole' },
];

function Headlines({ past, now }: { readonly past: readonly Moment[]; readonly now: Moment | undefined }) {
  return (
    <section className="headlines" aria-labelledby="rows-now">
      <h2 className="unseen" id="rows-now">
        Now, in the whole cluster
      </h2>
      {TILES.map(({ label, unit, name, format }) => {
        const value = now?.[name];
        const samples = past.flatMap((moment) => {
          const then = moment[name];
          return then === null ? [] : [{ at: Date.parse(moment.at), value: then }];
        });
        return (
          <section className="headline" key={name} aria-label={`${label} now`}>
            <Pulse beat={now?.at} />
            <h3>
              {label} <span className="headline-unit">{unit}</span>
            </h3>
            <p className="headline-value" data-loading={now === undefined}>
              {typeof value === 'number' ? formatNumber(value, format) : NOTHING}
            </p>
            <Spark samples={samples} />
          </section>
        );
      })}
    </section>
  );
}

interface ChartPanelProps {
  readonly title: string;
  readonly past: readonly Moment[];
  readonly values: readonly Column[];
  readonly mark: 'area' | 'lines';
}

function ChartPanel({ title, past, values, mark }: ChartPanelProps) {
  const heading = useId();
  return (
    <section className="panel" aria-labelledby={heading} style={{ '--width': 6 } as CSSProperties}>
      <Pulse beat={past.at(-1)?.at} />
      <header className="panel-head">
        <h3 id={heading}>{title}</h3>
      </header>
      <div className="panel-body" data-kind="chart" aria-busy={past.length < 2}>
        {past.length < 2 ? (
          <div className="skeleton" data-kind="chart">
            <span className="unseen">Loading</span>
          </div>
        ) : (
          <TimeChart title={title} rows={past} time="at" values={values} mark={mark} />
        )}
      </div>
    </section>
  );
}

const number = (value: number): string => formatNumber(value, 'whole');

function WorkersTable({ rates }: { readonly rates: readonly WorkerRates[] }) {
  return (
    <Table
      caption="Row workers by node"
      rows={rates}
      id={({ row }) => `${row.worker} ${row.node}`}
      empty="No row has a process now."
      columns={[
        { label: 'Worker', cell: ({ row }) => row.worker },
        { label: 'Node', cell: ({ row }) => row.node },
        { label: 'Slices', cell: ({ row }) => number(row.slices), numeric: true, wideOnly: true },
        { label: 'Processes', cell: ({ row }) => number(row.running), numeric: true },
        { label: 'Steps per second', cell: ({ stepsPerSecond }) => number(stepsPerSecond), numeric: true },
        { label: 'Response p95', cell: ({ row }) => late(row.response), numeric: true, wideOnly: true },
        { label: 'Late p95', cell: ({ row }) => late(row.lateness), numeric: true },
        { label: 'Latest', cell: ({ row }) => late(row.lateness, 'max'), numeric: true, wideOnly: true },
        { label: 'Started', cell: ({ row }) => number(row.started), numeric: true, wideOnly: true },
        { label: 'Conflicts', cell: ({ row }) => number(row.conflicts), numeric: true, wideOnly: true },
        { label: 'Crashes', cell: ({ row }) => number(row.crashes), numeric: true, wideOnly: true },
        { label: 'Failing now', cell: failing, numeric: true },
      ]}
    />
  );
}

function late(of: WorkerRow['lateness'], which: 'p95' | 'max' = 'p95'): string {
  return of.count === 0 ? NOTHING : formatNumber(of[which], 'milliseconds');
}

function failing({ row }: WorkerRates): ReactNode {
  if (row.failing === 0) return '0';
  return (
    <span className="chip" data-state="failed" title={row.error ?? ''}>
      {row.failing}
      <span className="unseen">: {row.error}</span>
    </span>
  );
}

function Refused({ code }: { readonly code: string }) {
  if (code === 'UNKNOWN_TOPIC') {
    return (
      <div className="notice">
        <h2>This hub has no row workers</h2>
        <p>
          A class with <code>@RowWorker()</code> gives each row that matches a small process of its own. Twenty lines
          are enough: docs/row-workers.md shows them, and <code>npm run countdown</code> starts the example.
        </p>
      </div>
    );
  }
  return (
    <div className="notice">
      <h2>Row workers are shown to administrators</h2>
      <p>
        Open the <a href="/console">console</a> with the hub's ADMIN_TOKEN, or a token with the role admin; it is kept
        for this tab.
      </p>
    </div>
  );
}
