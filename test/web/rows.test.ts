import { describe, expect, it } from '@jest/globals';
import { changesBetween } from '../../web/src/changes.js';
import { completeOnly, roundUp, seriesOf, spanOf, stacked } from '../../web/src/series.js';
import { mergeSamples, sparkPath, withSample } from '../../web/src/trend.js';
import { viewOfRows } from '../../web/src/view-of-rows.js';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();

describe('rows that nobody designed a view for', () => {
  it('are a chart when moments rise or fall beside numbers only', () => {
    const plain = [0, 10, 20].map((seconds) => ({ at: at(seconds), errors: seconds }));
    expect(viewOfRows(plain)).toEqual({ kind: 'chart', time: 'at', values: ['errors'] });
    expect(viewOfRows([...plain].reverse()).kind).toBe('chart');
    expect(viewOfRows(plain.toSorted((a, b) => (a.errors === 10 ? -1 : b.errors === 10 ? 1 : 0))).kind).toBe('table');
  });

  it('are a number when there is one', () => {
    expect(viewOfRows([{ visitors: 3 }])).toEqual({ kind: 'number', value: 'visitors' });
    expect(viewOfRows([{ visitors: null }]).kind).toBe('table');
  });

  it('are a table when texts stand beside the moments, or nothing is known', () => {
    const orders = [1, 2, 3].map((n) => ({ placed_at: at(n), customer: 'Ada', total: n }));
    expect(viewOfRows(orders)).toEqual({ kind: 'table' });
    expect(viewOfRows([])).toEqual({ kind: 'table' });
  });
});

describe('a series', () => {
  const rows = [20, 0, 10].map((seconds) => ({ at: at(seconds), a: seconds, b: null, c: 1 }));
  const series = seriesOf(rows, 'at', ['a', 'b', 'c']);

  it('is in order of time, whatever the rows are in', () => {
    expect(series).toEqual({
      times: [0, 10, 20],
      values: [
        [0, 10, 20],
        [null, null, null],
        [1, 1, 1],
      ],
      bucketSeconds: 10,
    });
  });

  it('leaves out the bucket that is still filling', () => {
    expect(completeOnly(series, 29).times).toEqual([0, 10]);
    expect(completeOnly(series, 30)).toBe(series);
  });

  it('stacks each column on those before it', () => {
    expect(stacked(series).values).toEqual([
      [0, 10, 20],
      [0, 10, 20],
      [1, 11, 21],
    ]);
  });

  it('follows the clock while it is live and stands still when it is of the past', () => {
    expect(spanOf(series, 25, true)).toEqual({ min: 25, max: 35 });
    const [soon, later] = [spanOf(series, 30, false), spanOf(series, 31, false)];
    expect(later.max - soon.max).toBe(1);
    expect(spanOf(series, 5000, false)).toEqual({ min: 0, max: 20 });
    expect(spanOf({ times: [], values: [], bucketSeconds: 0 }, 100, true)).toEqual({ min: 40, max: 100 });
  });

  it('ends its axis at a round number', () => {
    expect([0, 0.7, 9, 101, 1250, 9001].map(roundUp)).toEqual([1, 0.8, 10, 120, 1600, 10_000]);
  });
});

describe('changes between two results', () => {
  const before = [
    { id: 1, n: 1, tags: ['a'] },
    { id: 2, n: 2, tags: ['b'] },
  ];

  it('are told by the rows’ identity, not by their place', () => {
    const after = [
      { id: 3, n: 3, tags: [] },
      { id: 1, n: 1, tags: ['a'] },
      { id: 2, n: 9, tags: ['b'] },
    ];
    const { added, changed } = changesBetween(before, after, ['id']);
    expect([...added]).toEqual(['[3]']);
    expect([...changed]).toEqual([['[2]', new Set(['n'])]]);
  });

  it('are none at first sight', () => {
    expect(changesBetween(undefined, before, ['id']).added.size).toBe(0);
  });
});

describe('a trend', () => {
  it('keeps its window and the sample before it', () => {
    const samples = [0, 10, 20, 30].map((n) => ({ at: n, value: n }));
    expect(withSample(samples, { at: 40, value: 4 }, 15).map((sample) => sample.at)).toEqual([20, 30, 40]);
  });

  it('puts the past before what was seen since', () => {
    const merged = mergeSamples(
      [
        { at: 1, value: 1 },
        { at: 2, value: 2 },
      ],
      [
        { at: 2, value: 3 },
        { at: 4, value: 4 },
      ],
    );
    expect(merged.map(({ value }) => value)).toEqual([1, 3, 4]);
  });

  it('is drawn up to now, for a value holds until the next frame', () => {
    const samples = [
      { at: 0, value: 0 },
      { at: 50, value: 10 },
    ];
    expect(sparkPath(samples, 100, 200, 20)).toBe('M0.0 20.0L100.0 0.0L200.0 0.0');
    expect(sparkPath([], 100, 200, 20)).toBe('');
    // The page's clock is up to a second behind: nothing is drawn outside of the box.
    expect(sparkPath(samples, 40, 200, 20)).toBe('M0.0 20.0L200.0 0.0L200.0 0.0');
  });
});
