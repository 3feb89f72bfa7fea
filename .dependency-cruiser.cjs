/** Which way imports may go; docs of the rules: the house as in README.md. Checked by `npm run check`. */
const FEATURES = 'exports|rooms|recordings|rows|releases';

/** The coded errors, and the names by which a node's parts are asked for. */
const OF_ALL = '^src/(errors|node\\.tokens)\\.ts$';

/** Folders below which a folder of the core must not reach: kernel ← presence ← polling ← channels. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  // A module is wiring: it may know what it wires together.
  from: { path: `^src/${from}/`, pathNot: '\\.module\\.ts$' },
  to: { path: '^src/', pathNot: [`^src/${from}/`, OF_ALL, ...allowed.map((folder) => `^src/${folder}/`)] },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '\\.(css|svg)$' } },
    only('kernel-stands-alone', 'kernel', [], 'The kernel knows nothing but itself and the coded errors.'),
    only('topics-stand-alone', 'topics', [], 'Reading topic files needs nothing but the coded errors.'),
    only('presence-on-kernel', 'presence', ['kernel', 'topics'], 'presence is built on the kernel.'),
    only('polling-on-presence', 'polling', ['kernel', 'presence', 'topics'], 'polling is built on presence.'),
    only(
      'channels-on-polling',
      'channels',
      ['kernel', 'presence', 'polling', 'topics', 'access', 'sockets', 'http'],
      'channels is built on polling.',
    ),
    only(
      'sockets-on-kernel',
      'sockets',
      ['kernel', 'access'],
      'What all connections have, whatever they are used for.',
    ),
    only('http-stands-alone', 'http', ['kernel'], 'How routes describe themselves, and tell errors.'),
    only('storage-stands-alone', 'storage', ['kernel'], 'Files of any feature.'),
    only('embedded-stands-alone', 'embedded', [], 'Tests use the embedded database without the hub.'),
    only('demo-stands-alone', 'demo', ['topics'], 'The demo is a client of its database.'),
    {
      name: 'features-apart',
      comment: 'A feature stands on the core, never on another feature.',
      severity: 'error',
      // A module is wiring: it also knows the node's figures, metrics and zombies.
      from: { path: `^src/(${FEATURES})/`, pathNot: '\\.module\\.ts$' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/$1/',
          '^src/(kernel|presence|polling|topics|access|channels|sockets|http|storage|database)/',
          '^src/(errors|merge-patch|room-id|node\\.tokens)\\.ts$',
        ],
      },
    },
    {
      name: 'kernel-without-framework',
      comment: 'The kernel is plain TypeScript.',
      severity: 'error',
      from: { path: '^src/(kernel|presence|topics|polling)/', pathNot: '\\.module\\.ts$' },
      to: { path: 'node_modules/(@nestjs|socket\\.io|@socket\\.io|engine\\.io|express)(/|$)' },
    },
    {
      name: 'nest-is-wiring',
      comment: 'Nest in modules, gateways, controllers, filters, main, ops, access, cluster and nest only.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [
          '\\.(module|gateway|controller|filter)\\.ts$',
          '^src/(main|app\\.module|node\\.lifecycle)\\.ts$',
          '^src/(ops|access|cluster|nest)/',
        ],
      },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'browser-code-apart',
      comment: 'What runs in a browser takes from the hub no more than the coded errors and the fold of rooms.',
      severity: 'error',
      from: { path: '^(client|web)/' },
      to: { path: '^src/', pathNot: '^src/(errors|merge-patch)\\.ts$' },
    },
    {
      name: 'client-without-web',
      comment: 'The published client knows nothing of our own pages.',
      severity: 'error',
      from: { path: '^client/' },
      to: { path: '^web/' },
    },
    {
      name: 'hub-without-browser-code',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(client|web|test|bench)/' },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'What an installed hub imports must be in dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      // DuckDB is large: who asks it installs it, and is told so.
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], pathNot: '^node_modules/@duckdb/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
