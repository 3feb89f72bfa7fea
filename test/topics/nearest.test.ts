import { describe, expect, test } from '@jest/globals';
import { didYouMean, nearest } from '../../src/topics/nearest.js';

describe('nearest', () => {
  test.each([
    ['intervall', ['interval', 'title'], 'interval'],
    ['tittle', ['interval', 'title'], 'title'],
    ['reigon', ['region', 'minutes'], 'region'],
    ['REGION', ['region'], 'region'],
    ['sales.by_regions', ['sales.by_region', 'sales.by_day'], 'sales.by_region'],
  ])('%s → %s', (word, candidates, found) => {
    expect(nearest(word, candidates)).toBe(found);
  });

  test('finds nothing where nothing is near', () => {
    expect(nearest('colour', ['interval', 'title'])).toBeUndefined();
    expect(nearest('a', ['b'])).toBeUndefined();
    expect(nearest('x'.repeat(500), ['x'.repeat(499)])).toBeUndefined();
    expect(didYouMean('colour', [])).toBe('');
  });

  test('ends a sentence', () => {
    expect(didYouMean('intervall', ['interval'])).toBe(': did you mean `interval`?');
  });
});
