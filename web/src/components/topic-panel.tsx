/** A topic in the view that was designed for it, or that its rows call for. */
import type { Row } from '../../../client/index.js';
import { chosenParams, type PageValues } from '../choices.js';
import type { Column, PanelSpec } from '../dashboard.js';
import { formatNumber, labelOf } from '../format.js';
import { useChoices } from '../hooks/choices.js';
import { ExportButton } from '../exports/export-button.js';
import { useWatched } from '../hooks/panel.js';
import type { Placed } from '../layout.js';
import type { TopicInfo, TopicParam } from '../topics.js';
import { viewOfRows } from '../view-of-rows.js';
import { DataTable } from './data-table.js';
import { Panel } from './panel.js';
import { ParamControl } from './param-control.js';
import { RankList } from './rank-list.js';
import { TimeChart } from './time-chart.js';

interface TopicPanelProps {
  readonly placed: Placed<PanelSpec>;
  /** Empty for panels that do not follow the page's choices. */
  readonly page: PageValues;
}

export function TopicPanel({ placed, page }: TopicPanelProps) {
  const { spec, topic } = placed;
  const [choices] = useChoices();
  const { params, missing } = chosenParams(topic, choices, page);
  const controls = <Controls topic={topic} names={spec.controls ?? []} wide={spec.kind === 'generic'} />;
  if (missing.length > 0) return <WaitingPanel topic={topic} missing={missing} />;
  return <WatchingPanel placed={placed} params={params} controls={controls} />;
}

interface WatchingPanelProps {
  readonly placed: Placed<PanelSpec>;
  readonly params: ReturnType<typeof chosenParams>['params'];
  readonly controls: React.ReactNode;
}

function WatchingPanel({ placed: { spec, topic }, params, controls }: WatchingPanelProps) {
  const watched = useWatched(`panel:${topic.name}`, topic, params);
  const empty = spec.kind === 'table' ? spec.empty : undefined;
  const actions = <ExportButton topic={topic} params={params} />;
  const frame = { topic, watched, width: spec.width, body: bodyOf(spec), controls, actions, empty };
  return <Panel {...frame}>{(rows) => <View spec={spec} topic={topic} rows={rows} />}</Panel>;
}

function bodyOf(spec: PanelSpec): React.ComponentProps<typeof Panel>['body'] {
  if (spec.kind === 'rank') return { kind: 'ranks', places: spec.places };
  if (spec.kind === 'table') return { kind: 'rows', places: spec.places };
  return { kind: 'chart' };
}

function View({
  spec,
  topic,
  rows,
}: {
  readonly spec: PanelSpec;
  readonly topic: TopicInfo;
  readonly rows: readonly Row[];
}) {
  switch (spec.kind) {
    case 'chart':
      return <TimeChart title={topic.title} rows={rows} time={spec.time} values={spec.values} mark={spec.mark} />;
    case 'rank': {
      const { label, value, note, places } = spec;
      return <RankList rows={rows} idColumns={topic.key} label={label} value={value} note={note} places={places} />;
    }
    case 'table':
      return <DataTable caption={topic.title} rows={rows} idColumns={topic.key} columns={spec.columns} />;
    case 'generic':
      return <GenericView topic={topic} rows={rows} />;
  }
}

function GenericView({ topic, rows }: { readonly topic: TopicInfo; readonly rows: readonly Row[] }) {
  const view = viewOfRows(rows);
  if (view.kind === 'chart') {
    return <TimeChart title={topic.title} rows={rows} time={view.time} values={columnsOf(view.values)} mark="lines" />;
  }
  if (view.kind === 'number') {
    return (
      <p className="big-number">
        {formatNumber(Number(rows[0]?.[view.value]))}
        <span>{labelOf(view.value)}</span>
      </p>
    );
  }
  return (
    <DataTable
      caption={topic.title}
      rows={rows}
      idColumns={topic.key}
      columns={columnsOf(Object.keys(rows[0] ?? {}))}
    />
  );
}

/** The same array for the same names: rows of a table are rendered again only when it is another one. */
const knownColumns = new Map<string, readonly Column[]>();

function columnsOf(names: readonly string[]): readonly Column[] {
  const known = knownColumns.get(names.join());
  if (known !== undefined) return known;
  const columns = names.map((name) => ({ name }));
  knownColumns.set(names.join(), columns);
  return columns;
}

interface ControlsProps {
  readonly topic: TopicInfo;
  readonly names: readonly string[];
  /** On a line of their own. */
  readonly wide: boolean;
}

function Controls({ topic, names, wide }: ControlsProps) {
  const params = topic.params.filter(({ name }) => names.includes(name));
  if (params.length === 0) return null;
  return (
    <div className="controls" data-wide={wide}>
      {params.map((param) => (
        <ParamControl key={param.name} topic={topic} param={param} />
      ))}
    </div>
  );
}

function WaitingPanel({ topic, missing }: { readonly topic: TopicInfo; readonly missing: readonly TopicParam[] }) {
  return (
    <section
      className="panel"
      data-state="waiting"
      style={{ '--width': 6 } as React.CSSProperties}
      aria-label={topic.title}
    >
      <span className="pulse" aria-hidden="true" />
      <header className="panel-head">
        <h3>{topic.title}</h3>
        <Controls topic={topic} names={topic.params.map(({ name }) => name)} wide />
      </header>
      <div className="panel-body" data-kind="chart">
        <p className="empty">
          Needs {missing.map(({ name }) => labelOf(name).toLowerCase()).join(' and ')} to be watched.
        </p>
      </div>
    </section>
  );
}
