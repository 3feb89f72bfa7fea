import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { projectRoot } from '../support/project.js';
import { TYPE_CHECK_MS, typeCheck } from '../support/type-check.js';

const built = join(projectRoot, 'dist', 'client');

/** A module and all modules of ours that it imports. */
async function bundle(entry: string, seen = new Map<string, string>()): Promise<Map<string, string>> {
  if (seen.has(entry)) return seen;
  const text = await readFile(join(built, entry), 'utf8');
  seen.set(entry, text);
  for (const [, name] of text.matchAll(/from\s*["']\.\/([^"']+)["']/g)) await bundle(name as string, seen);
  return seen;
}

describe('pollcast/client', () => {
  test('is at most 8 KB gzipped, beside socket.io-client, and pollcast/react with it', async () => {
    for (const entry of ['index.js', 'react.js']) {
      const modules = await bundle(entry);
      expect(gzipSync([...modules.values()].join('\n')).length).toBeLessThanOrEqual(8 * 1024);
      const imports = [...modules.values()].flatMap((text) => [...text.matchAll(/from\s*["']([^."'][^"']*)["']/g)]);
      for (const [, name] of imports) expect(['react', 'socket.io-client']).toContain(name);
    }
  });

  test('has no `any` in its types', async () => {
    const files = (await readdir(join(built, 'types'), { recursive: true })).filter((name) => name.endsWith('.d.ts'));
    expect(files).toContain(join('client', 'react.d.ts'));
    for (const file of files) {
      const code = (await readFile(join(built, 'types', file), 'utf8')).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      expect({ file, any: /\bany\b/.test(code) }).toEqual({ file, any: false });
    }
  });

  test(
    'knows the topics that `pollcast types` writes, and refuses what they do not take',
    async () => {
      expect(await typeCheck({ 'use.ts': USE })).toBe('');
    },
    TYPE_CHECK_MS,
  );
});

const USE = `
import { createHub, type Row } from 'pollcast/client';
import { useTopic } from 'pollcast/react';

declare module 'pollcast/client' {
  interface Topics {
    'sales.by_region': { params: { region?: 'EU' | 'US'; minutes?: number }; row: { region: string | null; total: number } };
    'sales.of': { params: { id: number }; row: { total: number } };
  }
}

const hub = createHub('http://127.0.0.1');
hub.topic('sales.by_region').subscribe((rows) => rows[0]!.total.toFixed());
hub.topic('sales.by_region', { region: 'EU' }).subscribe((rows) => rows[0]!.region?.trim());
for await (const rows of hub.topic('sales.of', { id: 1 }, { every: '5s' })) rows.map(({ total }) => total * 2);
// @ts-expect-error no such region
hub.topic('sales.by_region', { region: 'XX' });
// @ts-expect-error no such column
hub.topic('sales.by_region').subscribe((rows) => rows[0]!.nothing.x);
// @ts-expect-error the id must be given
hub.topic('sales.of');
declare const name: string;
hub.topic(name, { a: 1 }).subscribe((rows: readonly Row[]) => rows.length);
hub.topic<{ n: number }>(name).subscribe((rows) => rows[0]!.n.toFixed());
hub.topic('of.another', { x: [1, 2] });

export function Component() {
  const { rows, state, updatedAt, error } = useTopic('sales.of', { id: 1 }, { suspense: true });
  // @ts-expect-error no such parameter
  useTopic('sales.of', { idd: 1 });
  return [rows?.[0]?.total.toFixed(), state === 'offline', updatedAt, error?.code];
}
`;
