import { availableParallelism } from 'node:os';

/** ESM mode: start with `node --experimental-vm-modules` (scripts/hub.mjs test does). */
export default {
  testEnvironment: '<rootDir>/test/support/leak-environment.mjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // Tests wait for processes more than they compute, but each brings its own services.
  maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
  testTimeout: 30_000,
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.tsx?$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true, tsx: false },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
};
