/** The page for the topics that are really served: the designed parts of it, and a panel for every topic beyond them. */
import type { Dashboard, Headline, PageChoice, PanelSpec } from './dashboard.js';
import type { TopicInfo } from './topics.js';

export interface Placed<T> {
  readonly spec: T;
  readonly topic: TopicInfo;
}

export interface Layout {
  readonly choices: readonly PageChoice[];
  readonly headlines: readonly Placed<Headline>[];
  readonly sections: readonly { readonly title: string; readonly panels: readonly Placed<PanelSpec>[] }[];
}

export function layoutOf(dashboard: Dashboard, topics: readonly TopicInfo[]): Layout {
  const served = new Map(topics.map((topic) => [topic.name, topic]));
  const headlines = place(dashboard.headlines, served);
  const designed = dashboard.sections
    .map(({ title, panels }) => ({ title, panels: place(panels, served) }))
    .filter(({ panels }) => panels.length > 0);
  const followers = [...headlines, ...designed.flatMap(({ panels }) => panels)].map(({ topic }) => topic);
  const rest = topics.filter((topic) => !followers.includes(topic));
  const sections = [...designed, ...genericSections(rest, designed.length > 0)];
  return { choices: choicesFor(dashboard.choices, followers), headlines, sections };
}

function place<T extends { readonly topic: string }>(
  specs: readonly T[],
  served: ReadonlyMap<string, TopicInfo>,
): readonly Placed<T>[] {
  return specs.flatMap((spec) => {
    const topic = served.get(spec.topic);
    return topic === undefined ? [] : [{ spec, topic }];
  });
}

/** Beside a designed page the rest is one section; alone, each folder of topics is one. */
function genericSections(topics: readonly TopicInfo[], beside: boolean): Layout['sections'] {
  const groups = new Map<string, TopicInfo[]>();
  for (const topic of topics) {
    const title = beside ? 'More topics' : folderOf(topic.name);
    groups.set(title, [...(groups.get(title) ?? []), topic]);
  }
  return [...groups].map(([title, members]) => ({
    title,
    panels: members.map((topic) => ({ topic, spec: genericPanel(topic) })),
  }));
}

function folderOf(name: string): string {
  const at = name.lastIndexOf('.');
  const folder = at < 0 ? 'topics' : name.slice(0, at).replaceAll('.', ' / ').replaceAll('_', ' ');
  return folder.charAt(0).toUpperCase() + folder.slice(1);
}

function genericPanel(topic: TopicInfo): PanelSpec {
  return { topic: topic.name, kind: 'generic', width: 6, controls: topic.params.map((param) => param.name) };
}

/** Only choices that some topic can follow, with the options that one of them accepts. */
function choicesFor(choices: readonly PageChoice[], topics: readonly TopicInfo[]): readonly PageChoice[] {
  return choices.flatMap((choice) => {
    const params = topics.flatMap((topic) => topic.params.filter((param) => param.name === choice.param));
    const options = choice.options.filter(({ value }) =>
      params.some((param) => param.enum === undefined || param.enum.map(String).includes(value)),
    );
    return params.length === 0 || options.length < 2 ? [] : [{ ...choice, options }];
  });
}
