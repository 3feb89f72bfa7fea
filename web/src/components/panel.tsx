/** The frame around every view of a topic: title, life, age, who watches, trouble. */
import { useId, type CSSProperties, type ReactNode } from 'react';
import type { Row } from '../../../client/index.js';
import type { Watched } from '../hooks/panel.js';
import { usePinned } from '../hooks/pinned.js';
import type { TopicInfo } from '../topics.js';
import { Age } from './age.js';
import { Eye } from './icons.js';
import { Pulse } from './pulse.js';
import { TroubleNote, TroublePlate } from './trouble-note.js';

interface PanelProps {
  readonly topic: TopicInfo;
  readonly watched: Watched;
  readonly width: number;
  /** Height that the body keeps, whatever it shows: a chart's, or that of so many rows. */
  readonly body: { readonly kind: 'chart' } | { readonly kind: 'rows' | 'ranks'; readonly places: number };
  readonly controls?: ReactNode;
  /** What can be done with it, at the end of its head. */
  readonly actions?: ReactNode;
  readonly empty?: string | undefined;
  readonly children: (rows: readonly Row[]) => ReactNode;
}

export function Panel({ topic, watched, width, body, controls, actions, empty, children }: PanelProps) {
  const heading = useId();
  const pinned = usePinned({ topic: topic.name, title: topic.title, roomy: true });
  const { view, trouble } = watched;
  const { rows, position, viewers, updatedAt } = view;
  const beat = position === undefined ? undefined : `${position.epoch}:${position.seq}`;
  const places = body.kind === 'chart' ? 0 : body.places;
  return (
    <section
      className="panel"
      aria-labelledby={heading}
      data-state={trouble?.state ?? view.state}
      data-topic={topic.name}
      style={{ '--width': width, '--places': places } as CSSProperties}
    >
      <Pulse beat={beat} />
      <header className="panel-head">
        <h3 id={heading} title={`${topic.name}, every ${topic.interval}`}>
          {topic.title}
        </h3>
        {controls}
        <div className="panel-facts">
          {viewers !== undefined && <Viewers count={viewers} />}
          {trouble !== undefined && (
            <span className="chip" data-state={trouble.state}>
              {trouble.label}
            </span>
          )}
          <Age updatedAt={updatedAt} />
          {actions}
        </div>
      </header>
      <div
        className="panel-body"
        data-kind={body.kind}
        data-dimmed={view.switching || trouble !== undefined}
        aria-busy={rows === undefined}
      >
        <Body rows={rows} trouble={trouble} kind={body.kind} empty={empty} render={children} />
        {rows !== undefined && trouble !== undefined && trouble.state !== 'offline' && (
          <TroubleNote trouble={trouble} />
        )}
      </div>
      {pinned}
    </section>
  );
}

function Viewers({ count }: { readonly count: number }) {
  const text = count === 1 ? '1 viewer' : `${count} viewers`;
  return (
    <span className="viewers" title={`${text} of these values, everywhere`}>
      <Eye />
      <span aria-hidden="true">{count}</span>
      <span className="unseen">{text}</span>
    </span>
  );
}

interface BodyProps {
  readonly rows: readonly Row[] | undefined;
  readonly trouble: Watched['trouble'];
  readonly kind: string;
  readonly empty: string | undefined;
  readonly render: (rows: readonly Row[]) => ReactNode;
}

function Body({ rows, trouble, kind, empty, render }: BodyProps) {
  if (rows === undefined) {
    // Being offline is told once, at the top of the page: the panel has nothing of its own to add.
    const waits = trouble === undefined || trouble.state === 'offline';
    return waits ? <Skeleton kind={kind} /> : <TroublePlate trouble={trouble} />;
  }
  if (rows.length === 0)
    return <p className="empty">{empty ?? 'Nothing here yet. Rows appear as soon as there are any.'}</p>;
  return render(rows);
}

function Skeleton({ kind }: { readonly kind: string }) {
  return (
    <div className="skeleton" data-kind={kind}>
      <span className="unseen">Loading</span>
    </div>
  );
}
