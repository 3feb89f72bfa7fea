import { expect, test } from '@jest/globals';
import { ESLint } from 'eslint';
import { projectRoot } from '../support/project.js';

const eslint = new ESLint({ cwd: projectRoot });

async function rulesBrokenBy(code: string, filePath: string): Promise<(string | null)[]> {
  const results = await eslint.lintText(code, { filePath });
  return [...new Set(results.flatMap(({ messages }) => messages.map(({ ruleId }) => ruleId)))];
}

test.each([
  ['a promise that nobody awaits', 'Promise.resolve(1);\n', '@typescript-eslint/no-floating-promises'],
  ['the environment outside config.ts', 'export const port = process.env.PORT;\n', 'no-restricted-properties'],
  ['a file over 400 lines', 'export {};\n'.padEnd(1000, '\n'), 'max-lines'],
  ['printing', "console.log('here');\n", 'no-console'],
])('the hub may not have: %s', async (_, code, rule) => {
  expect(await rulesBrokenBy(code, 'src/errors.ts')).toContain(rule);
});

test.each(["test.only('a', () => {});\n", "describe.skip('a', () => {});\n", "fit('a', () => {});\n"])(
  'a test may not be focused or skipped: %s',
  async (code) => {
    expect(await rulesBrokenBy(code, 'test/support/eventually.test.ts')).toContain('no-restricted-syntax');
  },
);
