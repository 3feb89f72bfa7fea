import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readScenario } from '../../examples/countdown/scenario.js';
import { projectRoot } from '../support/project.js';
import { startProcess } from '../support/service-process.js';

test('the scenario is the known one unless the environment says otherwise', () => {
  expect(readScenario({})).toEqual({ every: '1s', rows: 20_000, limit: 10_000 });
  expect(readScenario({ EVERY: '200ms', ROWS: '5', LIMIT: '2' })).toEqual({ every: '200ms', rows: 5, limit: 2 });
});

test.each([
  ['ROWS', ['abc', '-1', '0', '1.5', '', '99999999'], 'a whole number from 1 to 1000000'],
  ['LIMIT', ['many', '0'], 'a whole number from 1 to 1000000'],
  ['EVERY', ['5', 'soon', '10ms', '25h'], 'a duration such as 250ms, 5s, 10m or 1h, from 20ms to 24h'],
])('a wrong %s is refused with what was expected and what was got', (name, wrong, expected) => {
  for (const given of wrong)
    expect(() => readScenario({ [name]: given })).toThrow(`${name}: expected ${expected}, got "${given}"`);
});

test('npm run countdown says all that is wrong at once, and starts nothing', async () => {
  const main = join(projectRoot, 'examples', 'countdown', 'main.ts');
  const program = startProcess({
    file: process.execPath,
    args: ['--import', join(projectRoot, 'test', 'support', 'ts-loader.mjs'), main],
    env: { PATH: process.env.PATH, PORT: '0', ROWS: 'abc', EVERY: '5' },
  });
  expect((await program.exited).code).toBe(1);
  expect(program.lines).toEqual([
    'The environment is not right:',
    '  EVERY: expected a duration such as 250ms, 5s, 10m or 1h, from 20ms to 24h, got "5"',
    '  ROWS: expected a whole number from 1 to 1000000, got "abc"',
  ]);
}, 60_000);
