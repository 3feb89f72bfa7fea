import { expect, test } from '@jest/globals';
import { lockFaults } from '../../scripts/check-lock.mjs';

test('a lock without addresses and with every optional dependency has no fault', () => {
  const faults = lockFaults({
    packages: {
      '': { optionalDependencies: { 'top-linux': '1.0.0' } },
      'node_modules/top-linux': { version: '1.0.0' },
      'node_modules/outer': { optionalDependencies: { 'nested-linux': '1.0.0', 'top-linux': '1.0.0' } },
      'node_modules/outer/node_modules/nested-linux': { version: '1.0.0' },
    },
  });
  expect(faults).toEqual([]);
});

test("an address of somebody's registry is a fault", () => {
  const faults = lockFaults({ packages: { 'node_modules/a': { resolved: 'https://registry.example/a-1.0.0.tgz' } } });
  expect(faults).toEqual([expect.stringMatching(/node_modules\/a: .*registry\.example/)]);
});

test('an optional dependency that npm dropped is a fault, also of a nested package', () => {
  const faults = lockFaults({
    packages: {
      '': {},
      'node_modules/outer': { optionalDependencies: { 'outer-darwin': '1.0.0' } },
      'node_modules/@scope/inner': { optionalDependencies: { '@scope/inner-arm64': '1.0.0' } },
      // Beside another package, where nobody else finds it.
      'node_modules/other/node_modules/outer-darwin': { version: '1.0.0' },
    },
  });
  expect(faults).toEqual([expect.stringMatching(/outer-darwin/), expect.stringMatching(/@scope\/inner-arm64/)]);
});
