import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { projectRoot } from '../support/project.js';
import { startProcess } from '../support/service-process.js';

/** One file per forbidden import, and what may be imported beside it. */
const HOUSE: Record<string, string> = {
  'src/errors.ts': 'export const e = 1;',
  'src/kernel/kernel.ts': `import { e } from '../errors.js'; import type { P } from '../polling/poller.js'; export const k = e as P;`,
  'src/kernel/loop-a.ts': `import { b } from './loop-b.js'; export const a = () => b;`,
  'src/kernel/loop-b.ts': `import { a } from './loop-a.js'; export const b = () => a;`,
  'src/kernel/wired.ts': `import { Module } from '@nestjs/common'; export { Module };`,
  'src/presence/presence.ts': `import { k } from '../kernel/kernel.js'; import '../channels/hub.js'; export { k };`,
  'src/polling/poller.ts': `export type P = number; export { k } from '../presence/presence.js';`,
  'src/polling/socket.ts': `import { Server } from 'socket.io'; export { Server };`,
  'src/channels/hub.ts': `export { k } from '../polling/poller.js';`,
  'src/channels/channels.module.ts': `export { Module } from '@nestjs/common';`,
  'src/topics/topic.ts': `export { k } from '../kernel/kernel.js';`,
  'src/exports/export.ts': `export { r } from '../rooms/room.js';`,
  'src/rooms/room.ts': `export { k } from '../kernel/kernel.js'; export const r = 1;`,
  'client/hub.ts': `export { e } from '../src/errors.js'; export { k } from '../src/kernel/kernel.js';`,
};

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-house-'));
  await symlink(join(projectRoot, 'node_modules'), join(home, 'node_modules'));
  for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
    await copyFile(join(projectRoot, name), join(home, name));
  }
  for (const [name, text] of Object.entries(HOUSE)) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), text);
  }
});
afterAll(() => rm(home, { recursive: true, force: true }));

interface Report {
  summary: { violations: { rule: { name: string }; from: string; to: string }[] };
}

test('each forbidden import is found under its rule, and nothing that is allowed', async () => {
  const cruise = join(projectRoot, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  const args = [cruise, '--config', '.dependency-cruiser.cjs', '-T', 'json', 'src', 'client'];
  const run = startProcess({ file: process.execPath, args, cwd: home });
  await run.exited;
  const { summary } = JSON.parse(run.lines.join('\n')) as Report;
  const found = summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
  expect([...new Set(found)].sort()).toEqual(
    expect.arrayContaining([
      'browser-code-apart: client/hub.ts',
      'features-apart: src/exports/export.ts',
      'kernel-stands-alone: src/kernel/kernel.ts',
      'kernel-without-framework: src/kernel/wired.ts',
      'kernel-without-framework: src/polling/socket.ts',
      'nest-is-wiring: src/kernel/wired.ts',
      'no-cycles: src/kernel/loop-a.ts',
      'presence-on-kernel: src/presence/presence.ts',
      'topics-stand-alone: src/topics/topic.ts',
    ]),
  );
  const innocent = ['src/channels/channels.module.ts', 'src/rooms/room.ts', 'src/errors.ts'];
  expect(found.filter((line) => innocent.some((file) => line.endsWith(`: ${file}`)))).toEqual([]);
  const bad = summary.violations.filter(({ rule, to }) => rule.name === 'browser-code-apart' && to === 'src/errors.ts');
  expect(bad).toEqual([]);
});
