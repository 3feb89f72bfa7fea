import { fileURLToPath } from 'node:url';
import tseslint from 'typescript-eslint';

const typed = [
  'src/**/*.ts',
  'test/**/*.ts',
  'bench/**/*.ts',
  'examples/countdown/**/*.ts',
  'client/**/*.{ts,tsx}',
  'web/src/**/*.{ts,tsx}',
];

/** A focused or a skipped test passes CI without testing anything. */
const focusedTests = [
  {
    selector:
      "CallExpression[callee.type='MemberExpression'][callee.object.name=/^(describe|it|test)$/][callee.property.name=/^(only|skip)$/]",
    message:
      'No .only and no .skip: run a single test with `npm test -- path -t name`, and remove what should not run.',
  },
  {
    selector: 'CallExpression[callee.name=/^(fdescribe|fit|xdescribe|xit|xtest)$/]',
    message: 'No focused and no skipped tests.',
  },
];

const environment = {
  object: 'process',
  property: 'env',
  message: 'src/config.ts is the only reader of the environment: take what you need as an argument.',
};

export default tseslint.config(
  { ignores: ['dist/**', '.dist-*/**', 'node_modules/**', 'var/**', 'coverage/**'] },
  {
    // No compiler looks at these: a name that is not there shows only when its line runs.
    files: ['scripts/**/*.mjs', 'test/**/*.mjs', '*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          ...['AbortController', 'AbortSignal', 'Buffer', 'URL', 'clearTimeout', 'console', 'fetch', 'performance'],
          ...['process', 'queueMicrotask', 'setImmediate', 'setTimeout'],
        ].map((name) => [name, 'readonly']),
      ),
    },
    rules: { 'no-undef': 'error' },
  },
  {
    files: typed,
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: fileURLToPath(new URL('.', import.meta.url)) },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Implementations of asynchronous ports in memory have nothing to await.
      '@typescript-eslint/require-await': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
    },
  },
  {
    // Nest injects by the class that a constructor names: as a type import it would be gone at run time.
    files: ['src/**/*.{module,gateway,controller}.ts', 'src/{access,ops,nest}/**/*.ts'],
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  {
    files: ['src/**/*.ts', 'client/**/*.{ts,tsx}', 'web/src/**/*.{ts,tsx}'],
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
      'no-restricted-properties': ['error', environment],
    },
  },
  {
    // The hub may live in an application that has controllers and gateways of its own: it marks which are the hub's.
    files: ['src/**/*.ts'],
    ignores: ['src/http/api.controller.ts', 'src/sockets/hub.gateway.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          name: '@nestjs/common',
          importNames: ['Controller'],
          message: 'Use ApiController (src/http/api.controller.ts).',
        },
        {
          name: '@nestjs/websockets',
          importNames: ['WebSocketGateway'],
          message: 'Use HubGateway (src/sockets/hub.gateway.ts).',
        },
      ],
    },
  },
  {
    // The environment's reader; the terminal's entry, which hands it over; and what passes it on to a child process.
    files: ['src/config.ts', 'src/cli.ts', 'src/ops/cli/**/*.ts', 'src/embedded/**/*.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    // A terminal program prints.
    files: ['src/cli.ts', 'src/ops/cli/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // Helpers there are object literals without a `this`, and matchers take methods apart.
    files: ['bench/**/*.ts', 'test/**/*.ts'],
    rules: { '@typescript-eslint/unbound-method': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 400 }],
      'no-restricted-syntax': ['error', ...focusedTests],
      // What crosses the wire is looked at with matchers, not with types.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    rules: { eqeqeq: 'error', 'prefer-const': 'error', 'no-unused-vars': ['error', { argsIgnorePattern: '^_' }] },
  },
);
