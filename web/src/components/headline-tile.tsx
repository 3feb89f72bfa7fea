import type { Headline } from '../dashboard.js';
import { ExportButton } from '../exports/export-button.js';
import { formatChange, formatNumber, NOTHING } from '../format.js';
import { useWatched } from '../hooks/panel.js';
import { usePinned } from '../hooks/pinned.js';
import { useTrend } from '../hooks/trend.js';
import type { Placed } from '../layout.js';
import type { Params } from '../../../client/index.js';
import type { Sample } from '../trend.js';
import { Age } from './age.js';
import { Pulse } from './pulse.js';
import { Spark } from './spark.js';

interface HeadlineTileProps {
  readonly headline: Placed<Headline>;
  readonly params: Params;
}

/** One number that matters, where it has been in the last minutes, and how far it has moved. */
export function HeadlineTile({ headline: { spec, topic }, params }: HeadlineTileProps) {
  const { view, trouble } = useWatched(`headline:${topic.name}`, topic, params);
  const samples = useTrend(view, spec.read);
  const value = view.rows === undefined ? undefined : spec.read(view.rows);
  const { position } = view;
  const pinned = usePinned({ topic: topic.name, title: spec.label, roomy: false });
  return (
    <section
      className="headline"
      data-state={trouble?.state ?? view.state}
      data-topic={topic.name}
      aria-label={spec.label}
    >
      <Pulse beat={position === undefined ? undefined : `${position.epoch}:${position.seq}`} />
      <h3>
        {spec.label} <span className="headline-unit">{spec.unit}</span>
      </h3>
      <ExportButton topic={topic} params={params} />
      <p className="headline-value" data-loading={value === undefined && trouble === undefined}>
        {value === undefined ? NOTHING : formatNumber(value, spec.format)}
      </p>
      <p className="headline-facts">
        {trouble === undefined ? <Change samples={samples} better={spec.better} /> : null}
        {trouble !== undefined && (
          <span className="chip" data-state={trouble.state} title={trouble.sentence}>
            {trouble.label}
            <span className="unseen">: {trouble.sentence}</span>
          </span>
        )}
        <Age updatedAt={view.updatedAt} />
      </p>
      <Spark samples={samples} />
      {pinned}
    </section>
  );
}

function Change({ samples, better }: { readonly samples: readonly Sample[]; readonly better: Headline['better'] }) {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || samples.length < 2) return <span className="change">{NOTHING}</span>;
  const rose = last.value > first.value;
  const same = last.value === first.value || better === undefined;
  const tone = same ? 'plain' : rose === (better === 'more') ? 'good' : 'bad';
  return (
    <span className="change" data-tone={tone} title="Against the start of the line below, at most five minutes ago">
      {formatChange(first.value, last.value)}
    </span>
  );
}
