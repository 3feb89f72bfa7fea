import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../support/eventually.js';
import { INSTALL_MS, StrangersFolder } from '../support/packed.js';
import { startProcess, untilLine, type ServiceProcess } from '../support/service-process.js';

let folder: StrangersFolder;
const programs: ServiceProcess[] = [];

beforeAll(async () => {
  folder = await StrangersFolder.make('examples/nest-app');
}, INSTALL_MS);
afterAll(async () => {
  for (const program of programs) await program.kill('SIGKILL');
  await folder?.remove();
});

function run(file: string, args: string[] = [], env: Record<string, string> = {}): ServiceProcess {
  const program = startProcess({
    file: process.execPath,
    args: [join(folder.path, 'dist', file), ...args],
    cwd: folder.path,
    env: folder.env(env),
  });
  programs.push(program);
  return program;
}

describe('examples/nest-app with the packed package', () => {
  test(
    'compiles against the types that are published, with one copy of Nest',
    async () => {
      await folder.npm(['run', 'build']);
      const { stdout } = await folder.npm([
        'ls',
        '@nestjs/core',
        '@nestjs/common',
        'socket.io',
        '--parseable',
        '--all',
      ]);
      const copies = [...new Set(stdout.trim().split('\n'))].filter((path) => /(core|common|socket\.io)$/.test(path));
      expect(copies.map((path) => path.slice(folder.path.length)).sort()).toEqual([
        '/node_modules/@nestjs/common',
        '/node_modules/@nestjs/core',
        '/node_modules/socket.io',
      ]);
      // Public exports only: `pollcast/nest` and `pollcast/client`.
      const sources = await Promise.all(
        ['main', 'app.module', 'watch', 'orders/orders.topics', 'orders/orders.service', 'orders/invoice-numbers'].map(
          (name) => readFile(join(folder.path, 'src', `${name}.ts`), 'utf8'),
        ),
      );
      const imported = sources.flatMap((text) => [...text.matchAll(/from '(pollcast[^']*)'/g)].map(([, name]) => name));
      expect([...new Set(imported)].sort()).toEqual(['pollcast/client', 'pollcast/nest']);
    },
    INSTALL_MS,
  );

  test('runs: orders are numbered by a process, watched by the client, asked for by HTTP; and it leaves in order', async () => {
    const shop = run('main.js', [], { PORT: '0' });
    const url = /http:\S+/.exec(await untilLine(shop, /The shop is at/, 60_000))![0].replace('[::1]', '127.0.0.1');
    const watcher = run('watch.js', [url]);
    await untilLine(watcher, /^no orders yet$/, 60_000);

    const order = (body: object): Promise<Response> =>
      fetch(`${url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const placed = [
      await order({ region: 'EU', total: 12.5 }),
      await order({ region: 'EU', total: 1 }),
      await order({ region: 'US', total: 8 }),
    ];
    expect(await Promise.all(placed.map((response) => response.json()))).toEqual([
      { number: 1001, region: 'EU', total: 12.5 },
      { number: 1002, region: 'EU', total: 1 },
      { number: 1003, region: 'US', total: 8 },
    ]);
    await untilLine(watcher, /^EU: 1 for 12\.50, US: 1 for 8\.00$/, 60_000);

    const topic = await eventually(
      async () => {
        const response = await fetch(`${url}/live/api/topics/orders.by_region`);
        const body = (await response.json()) as { rows: { orders: number }[] };
        return body.rows[0]?.orders === 2 && { status: response.status, ...body };
      },
      { what: 'the orders over HTTP', deadlineMs: 60_000 },
    );
    expect(topic).toMatchObject({
      status: 200,
      rows: [
        { region: 'EU', orders: 2, revenue: 13.5 },
        { region: 'US', orders: 1, revenue: 8 },
      ],
    });
    // The application answers for itself, as it did before.
    expect(await (await order({ region: 5 })).json()).toMatchObject({ statusCode: 400, error: 'Bad Request' });
    expect(await (await fetch(`${url}/api/topics`)).json()).toMatchObject({ statusCode: 404 });
    expect((await fetch(`${url}/live/api/nodes`)).status).toBe(401);

    await shop.kill('SIGTERM');
    // Nest takes its leave, then lets the signal do what it does.
    expect(await shop.exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect(shop.lines.join('\n')).toMatch(/node left/);
  }, 180_000);
});
