import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { projectRoot } from '../support/project.js';
import { startProcess } from '../support/service-process.js';
import { allBlocks, demoTopics, isTopic, type Block } from './blocks.js';

/** Those that are not run are right by their types all the same. */
const blocks = allBlocks().filter(({ language }) => /^(tsx?|js)$/.test(language));

let home: string;

/** A project of somebody who has installed Pollcast; and beside it, under hub/, the hub's own source, to be added to. */
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-docs-ts-'));
  await mkdir(join(home, 'node_modules'));
  for (const name of await readdir(join(projectRoot, 'node_modules')))
    if (!name.startsWith('.')) await symlink(join(projectRoot, 'node_modules', name), join(home, 'node_modules', name));
  await symlink(projectRoot, join(home, 'node_modules', 'pollcast'));
  await mkdir(join(home, 'hub'));
  for (const name of await readdir(join(projectRoot, 'src')))
    await symlink(join(projectRoot, 'src', name), join(home, 'hub', name));
  await writeFile(join(home, 'package.json'), '{ "type": "module" }');
  for (const block of blocks) {
    await mkdir(dirname(fileOf(block)), { recursive: true });
    // A module, whether or not it says so: names of one block are not those of another.
    await writeFile(fileOf(block), `${block.code}\nexport {};\n`);
    await writeNeighbours(block);
  }
});

/** `import { AppModule } from './app.module.js'` means the earlier block of the page that exports AppModule. */
async function writeNeighbours(block: Block): Promise<void> {
  for (const [, names = '', path = ''] of block.code.matchAll(/import \{ ([^}]+) \} from '(\.\/[^']+)\.js'/g)) {
    const file = `${join(dirname(fileOf(block)), path)}.ts`;
    const earlier = blocks.filter(({ page, line }) => page === block.page && line < block.line);
    if (earlier.some((other) => fileOf(other) === file)) continue;
    const exported = (name: string) => new RegExp(`export .*\\b${name.replace(/^type /, '').trim()}\\b`);
    const from = earlier.find(({ code }) => names.split(',').every((name) => exported(name).test(code)));
    if (from) await writeFile(file, `export * from './${basename(fileOf(from)).replace(/\.tsx?$/, '.js')}';\n`);
  }
}
afterAll(() => rm(home, { recursive: true, force: true }));

function fileOf({ page, line, language, path }: Block): string {
  if (path?.startsWith('hub/')) return join(home, path);
  const project = join(home, basename(page, '.md'));
  return join(project, path ?? `src/line-${line}.${language === 'js' ? 'mjs' : language}`);
}

test('blocks of TypeScript and JavaScript are right by the types that are published', async () => {
  const config = {
    compilerOptions: {
      ...{ module: 'nodenext', target: 'es2023', lib: ['es2023', 'dom'], jsx: 'react-jsx', types: ['node'] },
      ...{ strict: true, noEmit: true, skipLibCheck: true, allowJs: true, checkJs: true, noImplicitAny: false },
      ...{ experimentalDecorators: true, emitDecoratorMetadata: true, esModuleInterop: true },
    },
    files: [...blocks.map(fileOf), ...(await typesOfTheHub())],
  };
  await writeFile(join(home, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const complaints = await new Promise<string>((resolve) => {
    execFile(process.execPath, [tsc, '-p', home, '--pretty', 'false'], { cwd: home }, (_error, out) => resolve(out));
  });
  expect(complaints.split('\n').filter((line) => line !== '' && !line.includes('node_modules'))).toEqual([]);
}, 240_000);

/** What the hub's own source needs to be read: types of packages that have none. */
async function typesOfTheHub(): Promise<string[]> {
  const folder = join(projectRoot, 'src', 'types');
  return (await readdir(folder)).map((name) => join(folder, name));
}

/** The demo's topics, and those that the pages add. */
async function topicFiles(): Promise<Record<string, string>> {
  const added = allBlocks().filter((block) => isTopic(block) && block.path !== undefined);
  return {
    ...(await demoTopics()),
    ...Object.fromEntries(added.map(({ path = '', code }) => [path.replace(/^topics\//, ''), code])),
  };
}

describe('against a node', () => {
  let cluster: TestCluster | undefined;
  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, env: { DEMO: 'on' }, topics: await topicFiles() });
  }, 240_000);
  afterAll(() => cluster?.stop(), 120_000);

  /** What talks to a hub by itself, and needs no page around it. */
  const programs = blocks.filter(
    ({ language, code, notRun }) =>
      /^(ts|js)$/.test(language) && notRun === undefined && /from '(pollcast\/client|socket\.io-client)'/.test(code),
  );

  test('there are programs to run', () => {
    expect(programs.length).toBeGreaterThanOrEqual(3);
  });

  test.each(programs.map((block) => [block.at, block] as const))(
    'a program does what it says: %s',
    async (_at, block) => {
      const file = fileOf(block).replace(/(\.ts|\.mjs)$/, '.run.ts');
      await writeFile(file, block.code.replaceAll('http://127.0.0.1:3000', cluster?.url ?? ''));
      const loader = join(projectRoot, 'test', 'support', 'ts-loader.mjs');
      const program = startProcess({ file: process.execPath, args: ['--import', loader, file], cwd: home });
      try {
        // It ends by itself, or has something to say and goes on for as long as it is let.
        await eventually(() => !program.alive() || program.lines.length > 0, { what: 'a word', deadlineMs: 120_000 });
        if (!program.alive()) expect((await program.exited).code).toBe(0);
      } finally {
        await program.kill('SIGKILL');
      }
      expect(program.lines.length).toBeGreaterThan(0);
      expect(program.lines.join('\n')).not.toMatch(/Error|^\s+at .*\(node:/m);
    },
    180_000,
  );
});
