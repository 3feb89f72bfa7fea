import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './project.js';

/** The compiler computes for seconds, on a busy machine for many. */
export const TYPE_CHECK_MS = 180_000;

/**
 * What TypeScript complains of in a program that has `pollcast` as a dependency, as it is built here; '' when nothing. Lines that
 * must be refused stand under an @ts-expect-error, and are complained of when they are accepted.
 */
export async function typeCheck(files: Readonly<Record<string, string>>): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'pollcast-types-'));
  try {
    await mkdir(join(home, 'node_modules', '@types'), { recursive: true });
    await symlink(projectRoot, join(home, 'node_modules', 'pollcast'));
    for (const name of ['react', 'socket.io-client', '@types/react'])
      await symlink(join(projectRoot, 'node_modules', name), join(home, 'node_modules', name));
    await writeFile(join(home, 'package.json'), '{ "type": "module" }');
    for (const [name, text] of Object.entries(files)) await writeFile(join(home, name), text);
    const config = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'dom'],
      strict: true,
      noEmit: true,
      skipDefaultLibCheck: true,
    };
    await writeFile(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...config, types: [] } }));
    const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc');
    return await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, [tsc, '-p', home], { cwd: home }, (error, stdout, stderr) => {
        if (stderr !== '' || (error !== null && stdout === '')) reject(new Error(stderr || error?.message));
        else resolve(stdout);
      });
    });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
