import { cp, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './project.js';

/** This package as built, under another version: what `startNode({ root })` takes. Remove it with `rm` when done. */
export async function packageOfVersion(version: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), `pollcast-${version}-`));
  const described = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as object;
  await Promise.all([
    writeFile(join(root, 'package.json'), JSON.stringify({ ...described, version })),
    cp(join(projectRoot, 'dist'), join(root, 'dist'), { recursive: true }),
    symlink(join(projectRoot, 'node_modules'), join(root, 'node_modules')),
  ]);
  return root;
}
