import { readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { DASHBOARD } from '../../web/src/dashboard.js';
import { layoutOf } from '../../web/src/layout.js';
import type { TopicInfo } from '../../web/src/topics.js';

function topic(name: string, params: TopicInfo['params'] = []): TopicInfo {
  return { name, title: name, interval: '1s', params, key: [], presence: false };
}

const region = { name: 'region', type: 'text', default: 'all', enum: ['all', 'EU'] };
const titles = (topics: readonly TopicInfo[]) => layoutOf(DASHBOARD, topics).sections.map(({ title }) => title);

describe('the page', () => {
  it('leaves out what the hub does not serve', () => {
    const layout = layoutOf(DASHBOARD, [topic('sales.by_region', [region]), topic('web.visitors_now')]);
    expect(layout.headlines.map(({ topic: { name } }) => name)).toEqual(['web.visitors_now']);
    expect(layout.sections.flatMap(({ panels }) => panels.map(({ topic: { name } }) => name))).toEqual([
      'sales.by_region',
    ]);
    expect(layout.choices.map(({ param, options }) => [param, options.map(({ value }) => value)])).toEqual([
      ['region', ['all', 'EU']],
    ]);
  });

  it('shows every other topic in a panel of its own kind, with all its parameters', () => {
    const other = topic('hr.people', [{ name: 'team', type: 'text' }]);
    const { sections } = layoutOf(DASHBOARD, [topic('sales.by_region'), other]);
    expect(sections.at(-1)).toMatchObject({
      title: 'More topics',
      panels: [{ topic: other, spec: { kind: 'generic', controls: ['team'] } }],
    });
  });

  it('groups topics by folder, and offers no choices of the demo, when none of the demo is served', () => {
    const topics = [topic('hr.people', [region]), topic('hello'), topic('hr.pay.by_team')];
    expect(titles(topics)).toEqual(['Hr', 'Topics', 'Hr / pay']);
    expect(layoutOf(DASHBOARD, topics).choices).toEqual([]);
  });

  it('is empty, and no more, without topics', () => {
    expect(layoutOf(DASHBOARD, [])).toEqual({ choices: [], headlines: [], sections: [] });
  });

  it('names only topics that the demo has', () => {
    const files = readdirSync('topics', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.sql'));
    const served = files.map((file) => topic(file.slice(0, -4).replaceAll(/[\\/]/g, '.')));
    const names = [...DASHBOARD.headlines, ...DASHBOARD.sections.flatMap(({ panels }) => panels)].map(
      ({ topic: name }) => name,
    );
    expect(names.filter((name) => !served.some((one) => one.name === name))).toEqual([]);
  });
});
