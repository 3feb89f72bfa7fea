import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { startNode, type TestNode } from '../support/node.js';

let node: TestNode;

beforeAll(async () => {
  node = await startNode();
}, 60_000);
afterAll(() => node.stop());

type Document = {
  openapi: string;
  paths: Record<string, Record<string, { summary?: string }>>;
};

test('a node describes all its routes, each with what it is for', async () => {
  const response = await fetch(`${node.url}/api`);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  const document = (await response.json()) as Document;
  expect((await new Validator().validate({ ...document })).errors ?? []).toEqual([]);
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary }]) => [`${method} ${path}`, summary] as const),
  );
  for (const wanted of [
    'get /health/ready',
    'get /metrics',
    'get /api/topics',
    'get /api/topics/{name}',
    'get /api/topics/{name}/stream',
    'get /api/exports/{id}/file',
    'get /api/nodes',
    'get /api/processes',
    'delete /api/processes/{name}',
    'get /api/viewers',
    'get /api/zombies',
    'post /api/zombies/clean',
    'post /api/nodes/{name}/cordon',
  ]) {
    expect(routes.map(([route]) => route)).toContain(wanted);
  }
  expect(routes.filter(([, summary]) => !summary)).toEqual([]);
});

test('a browser that comes to the description is shown the page', async () => {
  const response = await fetch(`${node.url}/api`, { headers: { Accept: 'text/html,*/*;q=0.8' } });
  expect(new URL(response.url).pathname).toBe('/reference');
  expect(await response.text()).toMatch(/<title>HTTP API/);
});
