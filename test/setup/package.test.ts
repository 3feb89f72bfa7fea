import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { projectRoot } from '../support/project.js';

const run = promisify(execFile);

interface Packed {
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

describe('npm pack', () => {
  let packed: Packed;
  let paths: string[];
  beforeAll(async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--offline'], {
      cwd: projectRoot,
      maxBuffer: 64 * 1024 * 1024,
    });
    [packed] = JSON.parse(stdout) as [Packed];
    paths = packed.files.map(({ path }) => path);
  }, 60_000);

  test('has what users need, and nothing else', () => {
    const top = new Set(paths.map((path) => path.split('/')[0]));
    expect([...top].sort()).toEqual(
      ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json', 'starter', 'topics'].sort(),
    );
    const kinds = new Set(paths.filter((path) => path.includes('/')).map((path) => /[^./]+$/.exec(path)?.[0]));
    const known = ['css', 'env', 'gitignore', 'html', 'js', 'json', 'lua', 'png', 'sql', 'svg', 'ts', 'yaml'];
    expect([...kinds].filter((kind) => !known.includes(kind ?? ''))).toEqual([]);
    // TypeScript is there as declarations only.
    expect(paths.filter((path) => /(?<!\.d)\.ts$/.test(path))).toEqual([]);
    expect(paths.filter((path) => /\.map$|\.test\.|pollcast-build|node_modules/.test(path))).toEqual([]);
  });

  test('has every file that package.json points at, and every one that code reads at run time', () => {
    const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
      exports: Record<string, string | Record<string, string>>;
    };
    const named = [
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).flatMap((target) =>
        typeof target === 'string' ? [target] : Object.values(target),
      ),
    ];
    const missing = named.map((path) => path.replace(/^\.\//, '')).filter((path) => !paths.includes(path));
    expect(missing).toEqual([]);
    const beside = (readdirSync(join(projectRoot, 'src'), { recursive: true }) as string[])
      .filter((path) => /\.(lua|sql)$/.test(path))
      .map((path) => `dist/${path.replaceAll('\\', '/')}`);
    expect(beside.filter((path) => !paths.includes(path))).toEqual([]);
    for (const page of ['index', 'rooms', 'console', 'reference']) expect(paths).toContain(`dist/web/${page}.html`);
    // npm leaves out names that begin so; that is why they are others here.
    for (const name of ['env', 'gitignore', 'compose.yaml', 'schema.sql', 'topics/orders/by_region.sql'])
      expect(paths).toContain(`starter/${name}`);
  });

  test('is small: at most 1 MB, and 4 MB unpacked', () => {
    expect(packed.size).toBeLessThan(1024 * 1024);
    expect(packed.unpackedSize).toBeLessThan(4 * 1024 * 1024);
  });

  test('names no machine and no registry', () => {
    const texts = paths.filter((path) => !/\.png$/.test(path) && existsSync(join(projectRoot, path)));
    for (const path of texts) {
      const text = readFileSync(join(projectRoot, path), 'utf8');
      expect({ path, found: /registry\.npmjs\.org|\/home\/[a-z]+\/|\/root\//.exec(text)?.[0] }).toEqual({ path });
    }
  });
});

test('changesets make a version and its list of changes', async () => {
  const home = await mkdtemp(join(tmpdir(), 'pollcast-release-'));
  try {
    const git = (...args: string[]) =>
      run('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...args], { cwd: home });
    await writeFile(join(home, 'package.json'), '{ "name": "pollcast", "version": "0.1.0" }\n');
    await writeFile(join(home, 'package-lock.json'), '{ "name": "pollcast", "lockfileVersion": 3, "packages": {} }\n');
    await writeFile(join(home, 'CHANGELOG.md'), '# Changes\n\n## 0.1.0\n\nThe first.\n');
    await mkdir(join(home, '.changeset'));
    await cp(join(projectRoot, '.changeset', 'config.json'), join(home, '.changeset', 'config.json'));
    await writeFile(
      join(home, '.changeset', 'a-thing.md'),
      '---\npollcast: minor\n---\n\nA thing that users notice.\n',
    );
    await git('init', '-q', '-b', 'main');
    await git('add', '.');
    await git('commit', '-q', '-m', 'A thing');
    await run(process.execPath, [join(projectRoot, 'node_modules', '@changesets', 'cli', 'bin.js'), 'version'], {
      cwd: home,
    });
    const version = (JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string }).version;
    expect(version).toBe('0.2.0');
    const changes = await readFile(join(home, 'CHANGELOG.md'), 'utf8');
    expect(changes).toMatch(/^# Changes\n+## 0\.2\.0\n+### Minor Changes\n+- .*A thing that users notice\.\n/);
    expect(changes).toMatch(/## 0\.1\.0\n+The first\./);
    expect(existsSync(join(home, '.changeset', 'a-thing.md'))).toBe(false);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}, 60_000);
