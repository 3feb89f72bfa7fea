import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../src/embedded/postgres.js';
import { TestViewer } from '../cluster/viewer.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { projectRoot } from '../support/project.js';
import { startProcess } from '../support/service-process.js';
import { blocksOf, demoTopics, isTopic, PAGES, type Block } from './blocks.js';

/** Two nodes with the demo's tables and topics, and somebody who watches: what the pages take for granted. */
let cluster: TestCluster;
let viewer: TestViewer | undefined;
let tools: string;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 0, topics: await demoTopics() });
  await cluster.add({ NODE_NAME: 'node-a', DEMO: 'on' });
  await cluster.add({ NODE_NAME: 'node-b' });
  viewer = await TestViewer.watch(cluster.nodes[0]?.url ?? '', { topic: 'sales.by_region' });
  tools = await mkdtemp(join(tmpdir(), 'pollcast-docs-tools-'));
  for (const [name, text] of Object.entries(TOOLS)) {
    await writeFile(join(tools, name), `#!/usr/bin/env bash\n${text}`);
    await chmod(join(tools, name), 0o755);
  }
}, 240_000);

afterAll(async () => {
  viewer?.close();
  await cluster.stop();
  await rm(tools, { recursive: true, force: true });
}, 120_000);

const cli = join(projectRoot, 'dist', 'cli.js');

/**
 * The commands that readers have, as this checkout has them. Found zombies are an answer, not a broken page; and who is not
 * answered in time (2) on a machine that does much else asks again, as a reader would.
 */
const TOOLS = {
  pollcast: `[ "$1" != start ] || exec node '${cli}' "$@"
for i in 1 2 3 4 5; do
  code=0; node '${cli}' "$@" || code=$?
  [ $code = 2 ] || break
done
if [ "$1" = zombies ] && [ $code = 1 ]; then exit 0; fi
exit $code\n`,
  npx: `[ "$1" = pollcast ] || { echo "npx $1: not known here" >&2; exit 3; }; shift; exec pollcast "$@"\n`,
  npm: `[ "$*" = start ] || { echo "npm $*: not known here" >&2; exit 3; }; exec node '${join(projectRoot, 'scripts', 'hub.mjs')}' start\n`,
};

/**
 * Streams end after a while, which curl takes for a failure; what runs in the background ends with the page. Before that
 * each node that a page starts must have come to the cluster.
 */
const PRELUDE = `set -euo pipefail
curl() { case " $* " in *' -N '*) command curl --max-time 3 "$@" || [ $? = 28 ] ;; *) command curl "$@" ;; esac; }
trap 'code=$?; kill $(jobs -p) 2>/dev/null || true; wait; exit $code' EXIT
came() { for ((i = 0; i < 480; i++)); do pollcast nodes --json | grep -q "\\"name\\": \\"$1\\"" && return; sleep 0.25; done; echo "$1 did not come" >&2; return 1; }
`;

function scriptOf(blocks: readonly Block[], ports: readonly number[]): string {
  const steps = blocks.flatMap((block) => {
    const said = `echo '::${block.at}'`;
    if (block.language === 'sh' && block.notRun === undefined) return [said, addressed(block.code, ports)];
    if (!isTopic(block)) return [];
    const path = block.path ?? `topics/page/line_${block.line}.sql`;
    return [said, `mkdir -p ${dirname(path)}`, `cat > ${path} <<'END'\n${block.code}END`];
  });
  const started = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => [...code.matchAll(/NODE_NAME=(\S+)/g)]);
  const after = [
    ...started.map(([, name]) => `echo '::${name} comes'; came ${name}`),
    ...(blocks.some(isTopic) ? [`echo '::topics check'; pollcast topics check`] : []),
  ];
  return [PRELUDE, ...steps, ...after, `echo '::end'`, ''].join('\n');
}

/** Ports and servers of the pages are those of this test. */
function addressed(code: string, ports: readonly number[]): string {
  return code
    .replace(/\b(127\.0\.0\.1:|PORT=)300(\d)\b/g, (_all, before: string, n: string) => `${before}${ports[Number(n)]}`)
    .replaceAll('postgres://reader:reader@127.0.0.1:5432/app', '$DATABASE_URL')
    .replaceAll('redis://127.0.0.1:6379', '$REDIS_URL');
}

const pages = PAGES.filter((page) =>
  blocksOf(page).some((block) => (block.language === 'sh' && block.notRun === undefined) || isTopic(block)),
);

test('there are pages with commands and topics', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/start.md', 'docs/topics.md', 'docs/clustering.md']));
});

test.each(pages)(
  'the commands and topics of %s work as they stand there, one after the other',
  async (page) => {
    const home = await mkdtemp(join(tmpdir(), 'pollcast-docs-'));
    try {
      const blocks = blocksOf(page);
      // A page that starts its first node itself has an empty folder, and what the compose file would have brought.
      const fromNothing = blocks.some(({ code }) => code.includes('pollcast init'));
      const database = fromNothing ? await cluster.postgres.createDatabase() : cluster.database;
      if (fromNothing) {
        const schema = await readFile(join(projectRoot, 'starter', 'schema.sql'), 'utf8');
        await cluster.postgres.query(schema, [], database.name);
      } else {
        // What a page adds is served by the nodes that are there.
        await symlink(cluster.topicsDir ?? '', join(home, 'topics'));
        await mkdir(join(home, 'src'));
      }
      const others = await Promise.all(Array.from({ length: 4 }, () => freePort()));
      const ports = [fromNothing ? await freePort() : (cluster.nodes[0]?.port ?? 0), ...others];
      const session = startProcess({
        file: 'bash',
        args: ['--norc', '-c', scriptOf(blocks, ports)],
        cwd: home,
        env: {
          PATH: `${tools}:${dirname(process.execPath)}:${process.env.PATH}`,
          HOME: home,
          DATABASE_URL: database.url,
          REDIS_URL: cluster.redis.url,
          REDIS_PREFIX: fromNothing ? `${cluster.prefix}-new` : cluster.prefix,
          STORAGE_URL: `file:${home}/files`,
          ...(fromNothing ? { PORT: String(ports[0]), NODE_NAME: 'first' } : {}),
        },
      });
      const { code } = await session.exited;
      expect({ code, output: session.lines.join('\n') }).toEqual({ code: 0, output: expect.stringContaining('::end') });
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  },
  480_000,
);

test('SQL that is no topic is run too, and taken back', async () => {
  const statements = PAGES.flatMap((page) => blocksOf(page)).filter(
    (block) => block.language === 'sql' && !isTopic(block),
  );
  expect(statements.length).toBeGreaterThan(0);
  for (const { at, code } of statements) {
    const outcome = await cluster.postgres
      .query(`BEGIN; ${code}; ROLLBACK;`, undefined, cluster.database.name)
      .then(() => 'worked', String);
    expect({ at, outcome }).toEqual({ at, outcome: 'worked' });
  }
});
