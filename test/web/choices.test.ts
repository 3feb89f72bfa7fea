import { describe, expect, it } from '@jest/globals';
import { chosenParams, pageValues, readChoices, writeChoices } from '../../web/src/choices.js';
import { DASHBOARD } from '../../web/src/dashboard.js';
import type { TopicInfo } from '../../web/src/topics.js';

function topic(params: TopicInfo['params'], name = 'sales.x'): TopicInfo {
  return { name, title: name, interval: '1s', params, key: [], presence: false };
}

const page = (search: string) => pageValues(DASHBOARD.choices, readChoices(search));

describe('the choices in the address', () => {
  it('come back as they were written, in one order', () => {
    const choices = new Map([
      ['b', 'x y&z'],
      ['a', '1'],
    ]);
    expect(writeChoices(choices)).toBe('?a=1&b=x+y%26z');
    expect(new Map(readChoices(writeChoices(choices)))).toEqual(choices);
    expect(writeChoices(new Map())).toBe('');
  });

  it('set a parameter for the whole page, or for one topic, which then counts more', () => {
    const region = { name: 'region', type: 'text', default: 'all', enum: ['all', 'EU', 'US'] };
    const search = '?region=EU&ops.y.region=US';
    const choices = readChoices(search);
    expect(chosenParams(topic([region]), choices, page(search)).params).toEqual({ region: 'EU' });
    expect(chosenParams(topic([region], 'ops.y'), choices, page(search)).params).toEqual({ region: 'US' });
  });

  it('are brought within the bounds of each topic, and dropped where it knows no such value', () => {
    const search = '?region=APAC&minutes=60';
    const { params } = chosenParams(
      topic([
        { name: 'minutes', type: 'int', default: 15, min: 1, max: 30 },
        { name: 'region', type: 'text', default: 'all', enum: ['all', 'EU'] },
      ]),
      readChoices(search),
      page(search),
    );
    expect(params).toEqual({ minutes: 30 });
  });

  it('that name no option of the page count as its first choice', () => {
    expect(page('?region=Mars&minutes=7').get('region')).toBe('all');
    expect(page('?region=Mars&minutes=7').get('minutes')).toBe('15');
  });

  it('are typed as the topic declares them; a list may be empty', () => {
    const own = '?sales.x.n=2.5&sales.x.on=true&sales.x.tags=a,b&sales.x.none=&sales.x.id=12345678901234567890';
    const { params } = chosenParams(
      topic([
        { name: 'n', type: 'float', default: 0 },
        { name: 'on', type: 'bool', default: false },
        { name: 'tags', type: 'text[]', default: [] },
        { name: 'none', type: 'int[]', default: [1] },
        { name: 'id', type: 'bigint', default: '0' },
      ]),
      readChoices(own),
      new Map(),
    );
    expect(params).toEqual({ n: 2.5, on: true, tags: ['a', 'b'], none: [], id: '12345678901234567890' });
  });

  it('that are needed and not made are reported, but for a list of options, whose first is taken', () => {
    const { params, missing } = chosenParams(
      topic([
        { name: 'team', type: 'text' },
        { name: 'side', type: 'text', enum: ['left', 'right'] },
      ]),
      new Map(),
      new Map(),
    );
    expect(params).toEqual({ side: 'left' });
    expect(missing.map(({ name }) => name)).toEqual(['team']);
  });
});
