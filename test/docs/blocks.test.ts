import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { projectRoot } from '../support/project.js';
import { allBlocks, blocksOf, indentedBlocks, LANGUAGES, PAGES } from './blocks.js';

/** Blocks that no test runs. Each has its reason beside it; more of them need a better one than a higher number here. */
const NOT_RUN_AT_MOST = 6;

const blocks = allBlocks();

describe('code in the documentation', () => {
  test('is in a language that something is done with, fenced, and closed', () => {
    const unknown = blocks
      .filter(({ language }) => !LANGUAGES.includes(language))
      .map(({ at, language }) => [at, language]);
    expect(unknown).toEqual([]);
    for (const page of PAGES) {
      const lines = indentedBlocks(readFileSync(join(projectRoot, page), 'utf8'));
      expect({ page, lines }).toEqual({ page, lines: [] });
    }
  });

  test('is run, but for a few blocks that say why not', () => {
    const left = blocks.filter(({ notRun }) => notRun !== undefined);
    for (const { at, notRun } of left)
      expect({ at, words: notRun?.split(' ').length }).toEqual({ at, words: expect.any(Number) });
    expect(left.filter(({ notRun = '' }) => notRun.split(' ').length < 4).map(({ at }) => at)).toEqual([]);
    expect(left.length).toBeLessThanOrEqual(NOT_RUN_AT_MOST);
  });

  test('of json and yaml is what it says it is', () => {
    for (const { at, language, code } of blocks) {
      if (language === 'json') expect({ at, value: JSON.parse(code) as unknown }).toBeDefined();
      if (language === 'yaml') {
        const value = parse(code, { merge: true }) as { services?: Record<string, { image?: string; build?: string }> };
        expect({ at, value }).not.toEqual({ at, value: null });
        for (const [name, service] of Object.entries(value.services ?? {}))
          expect({ at, name, source: service.image ?? service.build }).toEqual({
            at,
            name,
            source: expect.any(String),
          });
      }
    }
  });
});

describe('the reader of blocks', () => {
  const page = [
    '# Page',
    '',
    '```sh',
    'ls',
    '```',
    '',
    '1. one',
    '',
    '   ```sql topics/a.sql',
    '   SELECT 1',
    '   ```',
    '',
  ];

  test('finds them, in lists too, with what stands beside the language', () => {
    expect(blocksOf('x.md', page.join('\n'))).toEqual([
      { at: 'x.md:3', page: 'x.md', line: 3, language: 'sh', code: 'ls\n' },
      { at: 'x.md:9', page: 'x.md', line: 9, language: 'sql', path: 'topics/a.sql', code: 'SELECT 1\n' },
    ]);
    const [block] = blocksOf('x.md', '```sh not run: it takes an hour\nmake\n```\n');
    expect(block).toMatchObject({ language: 'sh', notRun: 'it takes an hour' });
  });

  test('does not let one escape', () => {
    expect(() => blocksOf('x.md', '```sh\nls\n')).toThrow('x.md:1: the block is not closed');
    expect(indentedBlocks('text\n\n    npm run x\n')).toEqual([3]);
    expect(indentedBlocks('- item\n\n    more of it\n\n```sh\n\n    x\n```\n')).toEqual([]);
  });
});
