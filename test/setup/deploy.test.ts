import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { projectRoot } from '../support/project.js';

interface Compose {
  services: Record<
    string,
    { image?: string; environment?: Record<string, string>; healthcheck?: unknown; volumes?: string[]; build?: string }
  >;
}

const text = (...path: string[]) => readFileSync(join(projectRoot, ...path), 'utf8');
const { services } = parse(text('docker-compose.yml'), { merge: true }) as Compose;
const nodes = Object.keys(services).filter((name) => services[name]?.build !== undefined);

test('compose has nginx, three nodes, Redis 7 and Postgres 18', () => {
  expect(nodes).toEqual(['node1', 'node2', 'node3']);
  expect(services.redis?.image).toMatch(/^redis:7/);
  expect(services.postgres?.image).toMatch(/^postgres:18/);
  expect(services.nginx?.image).toMatch(/^nginx:/);
});

test('every service has a health check, the nodes by their image', () => {
  const without = Object.keys(services).filter((name) => services[name]?.healthcheck === undefined);
  expect(without).toEqual(nodes);
  expect(text('Dockerfile')).toContain('HEALTHCHECK');
});

test('each node is named after its service and shares Redis and the database with the others', () => {
  for (const name of nodes) {
    const { NODE_NAME, ...shared } = services[name]?.environment ?? {};
    expect(NODE_NAME).toBe(name);
    expect(shared).toEqual(
      expect.objectContaining({
        REDIS_URL: 'redis://redis:6379',
        DATABASE_URL: expect.stringContaining('@postgres:5432/'),
      }),
    );
  }
});

test('nginx is given the configuration that the tests use, with every node behind it', () => {
  expect(services.nginx?.volumes).toContain('./deploy/nginx.conf:/etc/nginx/pollcast/nginx.conf:ro');
  const listed = [...text('deploy', 'compose', 'upstreams.conf').matchAll(/server (\w+):3000 max_fails=0/g)];
  expect(listed.map(([, name]) => name)).toEqual(nodes);
});

test('no variable in the compose file is unknown to the hub', () => {
  const known = text('src', 'config.ts');
  const given = nodes.flatMap((name) => Object.keys(services[name]?.environment ?? {}));
  expect(given.filter((name) => !known.includes(`  ${name}: `))).toEqual([]);
});
