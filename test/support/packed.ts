import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from './project.js';

const execute = promisify(execFile);

/** Fetching and unpacking a package's dependencies takes its time on a busy machine. */
export const INSTALL_MS = 300_000;

/** A folder of somebody who has installed the package, as `npm pack` makes it, and nothing else of this project. */
export class StrangersFolder {
  private constructor(readonly path: string) {}

  /**
   * @param example a folder of this project that is copied there first, such as `examples/nest-app`
   * @param beside  packages that are installed too, in the version that this project has
   */
  static async make(example?: string, beside: readonly string[] = []): Promise<StrangersFolder> {
    const path = await mkdtemp(join(tmpdir(), 'pollcast-stranger-'));
    const folder = new StrangersFolder(path);
    if (example !== undefined) {
      const apart = /(^|[\\/])(node_modules|dist)([\\/]|$)/;
      const from = join(projectRoot, example);
      await cp(from, path, { recursive: true, filter: (file) => !apart.test(file.slice(from.length)) });
    } else await writeFile(join(path, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
    const { stdout } = await folder.npm(['pack', projectRoot, '--json', '--ignore-scripts', '--offline']);
    const [packed] = JSON.parse(stdout) as [{ filename: string }];
    const versions = await Promise.all(beside.map(async (name) => [name, await installedVersion(name)] as const));
    await folder.#depend({ ...Object.fromEntries(versions), pollcast: `file:./${packed.filename}` });
    await folder.npm(['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=optional', '--loglevel=error']);
    return folder;
  }

  async npm(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
    return execute('npm', [...args], { cwd: this.path, env: this.env(), maxBuffer: 64 * 1024 * 1024 });
  }

  /** The tests' environment without what npm told them about this project. */
  env(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|NODE_ENV$|INIT_CWD$)/.test(name));
    return { ...Object.fromEntries(own), ...more };
  }

  async #depend(on: Readonly<Record<string, string>>): Promise<void> {
    const file = join(this.path, 'package.json');
    const manifest = JSON.parse(await readFile(file, 'utf8')) as { dependencies?: Record<string, string> };
    await writeFile(file, JSON.stringify({ ...manifest, dependencies: { ...manifest.dependencies, ...on } }));
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

async function installedVersion(name: string): Promise<string> {
  const manifest = await readFile(join(projectRoot, 'node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
