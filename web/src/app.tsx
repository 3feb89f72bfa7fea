import type { ReactNode } from 'react';
import { chosenParams, pageValues, type PageValues } from './choices.js';
import { DashboardSections } from './components/dashboard-sections.js';
import { HeadlineTile } from './components/headline-tile.js';
import { PageHeader } from './components/page-header.js';
import { Segmented } from './components/segmented.js';
import { DASHBOARD } from './dashboard.js';
import { ExportCard } from './exports/export-card.js';
import { useChoices } from './hooks/choices.js';
import { useServedTopics } from './hooks/topics.js';
import { layoutOf, type Layout } from './layout.js';
import type { TopicInfo } from './topics.js';
import { RecordButton } from './recordings/record-button.js';

interface AppProps {
  readonly heading?: string;
  /** Above the charts, once it is known what is served. */
  readonly above?: (topics: readonly TopicInfo[]) => ReactNode;
}

export function App({ heading = 'Live dashboard', above }: AppProps) {
  const { topics, problem } = useServedTopics();
  // The card stands beside whatever the page can show: an export is not to vanish while the topics are asked for.
  if (topics === undefined) {
    return (
      <>
        <PageHeader />
        <main className="page-main" aria-busy={problem === undefined}>
          {problem === undefined ? (
            <p className="unseen">Loading</p>
          ) : (
            <Notice title="The hub cannot be asked" text={`${problem} It is asked again every few seconds.`} />
          )}
        </main>
        <ExportCard key="export" />
      </>
    );
  }
  return (
    <>
      <Dashboard layout={layoutOf(DASHBOARD, topics)} heading={heading} above={above?.(topics)} />
      <ExportCard key="export" />
    </>
  );
}

interface DashboardProps {
  readonly layout: Layout;
  readonly heading: string;
  readonly above: ReactNode;
}

function Dashboard({ layout, heading, above }: DashboardProps) {
  const [choices, choose] = useChoices();
  const page = pageValues(layout.choices, choices);
  return (
    <>
      <a className="skip" href="#content">
        Skip to the charts
      </a>
      <PageHeader>
        {layout.choices.length > 0 && (
          <div className="page-choices" role="group" aria-label="For the whole page">
            {layout.choices.map(({ param, label, options, initial }) => (
              <Segmented
                key={param}
                label={label}
                options={options}
                value={page.get(param) ?? initial}
                onChange={(value) => choose(param, value === initial ? undefined : value)}
              />
            ))}
          </div>
        )}
        <RecordButton />
      </PageHeader>
      <main className="page-main" id="content" tabIndex={-1}>
        <h1 className="unseen">{heading}</h1>
        {above}
        <Headlines layout={layout} page={page} />
        <DashboardSections sections={layout.sections} page={page} />
        {layout.sections.length === 0 && (
          <Notice
            title="No topics yet"
            text="Put a .sql file with one SELECT into the topics folder, for example topics/hello.sql; it appears here without a restart of the hub."
          />
        )}
      </main>
    </>
  );
}

function Headlines({ layout, page }: { readonly layout: Layout; readonly page: PageValues }) {
  const [choices] = useChoices();
  if (layout.headlines.length === 0) return null;
  return (
    <section className="headlines" aria-labelledby="key-figures">
      <h2 className="unseen" id="key-figures">
        Key figures
      </h2>
      {layout.headlines.map((headline) => (
        <HeadlineTile
          key={headline.topic.name}
          headline={headline}
          params={chosenParams(headline.topic, choices, page).params}
        />
      ))}
    </section>
  );
}

function Notice({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <div className="notice" role="alert">
      <h2>{title}</h2>
      <p>{text}</p>
    </div>
  );
}
